"""Run the first stage: `python -m data_fetch [--source URI …] [--repository OWNER/NAME …] [--full]`."""

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
    parser.add_argument("--repository", action="append", metavar="OWNER/NAME",
                        help="a repository on GitHub, or OWNER/* for all of an account; may be repeated")
    parser.add_argument("--full", action="store_true", default=None,
                        help="read everything again, whatever an earlier run has read")
    given = parser.parse_args()

    def job() -> Mapping[str, Any]:
        return fetch_all(load_settings(DataFetchSettings, full=given.full, **_asked(given)))

    exit_with(run_stage("data_fetch", job))


def _asked(given: argparse.Namespace) -> dict[str, tuple[str, ...]]:
    """Return what to read; the command line replaces all that the environment names."""
    if given.source is None and given.repository is None:
        return {}
    return {"sources": tuple(given.source or ()), "repositories": tuple(given.repository or ())}


if __name__ == "__main__":
    main()
