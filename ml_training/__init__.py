"""Train the autoencoder on features and register it: parquet → MLflow, and verdicts beside the features."""
