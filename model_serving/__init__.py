"""Score one pull request after another over HTTP, with reasons, and show the ranked list."""
