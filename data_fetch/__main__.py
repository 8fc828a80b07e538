"""Run the first stage: `python -m data_fetch --source URI [--source URI …] [--full]`."""

import argparse
from collections.abc import Mapping
from typing import Any

from data_fetch.fetch_github_data import fetch_all
from data_fetch.settings import DataFetchSettings
from sentinel.settings import load_settings
from sentinel.sources.kinds import KINDS
from sentinel.stage import exit_with, run_stage


def main() -> None:
    """Read the command line and the environment, then fetch."""
    parser = argparse.ArgumentParser(
        prog="python -m data_fetch", description="Fetch pull requests into MongoDB.",
        epilog=f"kinds of sources:{KINDS}", formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", action="append", metavar="URI", help="where to read; may be repeated")
    parser.add_argument("--full", action="store_true", default=None,
                        help="read everything again, whatever an earlier run has read")
    given = parser.parse_args()

    def job() -> Mapping[str, Any]:
        sources = None if given.source is None else tuple(given.source)
        return fetch_all(load_settings(DataFetchSettings, sources=sources, full=given.full))

    exit_with(run_stage("data_fetch", job))


if __name__ == "__main__":
    main()
