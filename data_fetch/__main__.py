"""Run the first stage: `python -m data_fetch [--source URI …] [--repository OWNER/NAME …] [--full]`."""

import argparse

from data_fetch.fetch_github_data import fetch_all
from data_fetch.settings import DataFetchSettings
from sentinel.settings import load_settings
from sentinel.sources.kinds import KINDS
from sentinel.stage import exit_with, run_stage


def main() -> None:
    """Read the command line and the environment, then fetch."""
    given = make_parser().parse_args()
    exit_with(run_stage("data_fetch", lambda: fetch_all(settings_of(given))))


def settings_of(given: argparse.Namespace) -> DataFetchSettings:
    """Return the settings of a run; sources on the command line replace all that the environment names."""
    asked: dict[str, tuple[str, ...]] = {}
    if given.source is not None or given.repository is not None:
        asked = {"sources": tuple(given.source or ()), "repositories": tuple(given.repository or ())}
    return load_settings(DataFetchSettings, full=given.full, **asked)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_fetch", description="Fetch pull requests into MongoDB.",
        epilog=f"kinds of sources:{KINDS}", formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", action="append", metavar="URI", help="where to read; may be repeated")
    parser.add_argument("--repository", action="append", metavar="OWNER/NAME",
                        help="a repository on GitHub, or OWNER/* for all of an account; may be repeated")
    parser.add_argument("--full", action="store_true", default=None,
                        help="read everything again, whatever an earlier run has read")
    return parser


if __name__ == "__main__":
    main()
