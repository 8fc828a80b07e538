"""The first stage: pull requests from their sources into MongoDB."""
