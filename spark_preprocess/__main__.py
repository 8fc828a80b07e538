"""Run the second stage: `python -m spark_preprocess`."""

import argparse
import os
from collections.abc import Mapping
from typing import Any

from sentinel.settings import load_settings
from sentinel.stage import exit_with, run_stage
from spark_preprocess.settings import SparkPreprocessSettings
from spark_preprocess.spark_preprocess import preprocess


def main() -> None:
    """Read the environment, then make features of what MongoDB holds."""
    argparse.ArgumentParser(
        prog="python -m spark_preprocess",
        description="Turn the pull requests in MongoDB into features as parquet; settings come from the environment.",
    ).parse_args()

    def job() -> Mapping[str, Any]:
        return preprocess(load_settings(SparkPreprocessSettings), os.environ)

    exit_with(run_stage("spark_preprocess", job))


if __name__ == "__main__":
    main()
