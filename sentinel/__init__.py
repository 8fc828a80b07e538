"""What all stages share: the record, the features, the history, stores and settings."""

__version__ = "0.1.0"
