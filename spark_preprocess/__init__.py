"""MongoDB → features as parquet: folds every repository's history in order of time."""
