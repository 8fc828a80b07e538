"""The paths that the scorer answers, by purpose."""
