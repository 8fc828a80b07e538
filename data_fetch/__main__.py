"""Run the first stage: `python -m data_fetch [--repository OWNER/NAME …] [--source URI …] [--since DATE | --full]`."""

import argparse

from data_fetch.fetch_github_data import fetch_all
from data_fetch.settings import DataFetchSettings
from sentinel.settings import load_settings
from sentinel.sources.kinds import KINDS
from sentinel.stage import exit_with, run_stage

DESCRIPTION = """\
Fetch pull requests from GitHub, clones and files into MongoDB.

The first run of a repository reads all of it, later runs what changed since. A run that was
stopped, at whatever moment, is completed by the next one: just run it again."""

EPILOG = f"""\
kinds of sources:{KINDS}

examples:
  export MONGODB_URI=mongodb://127.0.0.1:27017    where the pull requests go
  export GITHUB_TOKEN=github_pat_...              may read pull requests; clones and files need none

  python -m data_fetch --source simulated:                      try it: no token, no internet
  python -m data_fetch --repository pallets/flask               a repository, and what changed there ever after
  python -m data_fetch --repository 'pallets/*' --repository psf/requests
                                                                all of an account, and one more
  python -m data_fetch --source git:../flask --source jsonl:pull-requests.jsonl.gz
                                                                a clone and a file on this machine
  python -m data_fetch --repository pallets/flask --since 2026-01-31
                                                                only what changed on that day (UTC) or later
  python -m data_fetch --repository pallets/flask --full        everything again, for example after an upgrade

--since neither uses nor moves the place that earlier runs came to: a later run without it still reads
the older pull requests, and a run with it that was stopped begins again at the newest. GitHub is asked for
no more than that; clones and files are read whole, and what is older is counted as "skipped".

Without --source and --repository, SENTINEL_SOURCES and SENTINEL_REPOSITORIES tell what to read, one a line;
SENTINEL_SINCE and SENTINEL_FULL stand for the other two. A setting that is missing or wrong is named with its meaning.

exit codes:
  0    everything was read; the last line of the log counts new, changed, unchanged, skipped and rejected ones
  1    a bug; please report it
  2    something to mend: a setting, a name, or a permission that the token lacks
  65   a damaged file, or more unreadable records than SENTINEL_MAX_REJECTED_SHARE; the good ones are stored
  75   GitHub or MongoDB was gone, or time is up: run it again later
  130  stopped by Ctrl-C; run it again to go on
One failing source does not stop the others; the exit code is that of the most urgent failure."""


def main() -> None:
    """Read the command line and the environment, then fetch."""
    given = make_parser().parse_args()
    exit_with(run_stage("data_fetch", lambda: fetch_all(settings_of(given))))


def settings_of(given: argparse.Namespace) -> DataFetchSettings:
    """Return the settings of a run; sources on the command line replace all that the environment names."""
    asked: dict[str, tuple[str, ...]] = {}
    if given.source is not None or given.repository is not None:
        asked = {"sources": tuple(given.source or ()), "repositories": tuple(given.repository or ())}
    return load_settings(DataFetchSettings, full=given.full, since=given.since, **asked)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, whose help teaches by example."""
    parser = argparse.ArgumentParser(
        prog="python -m data_fetch", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repository", action="append", metavar="OWNER/NAME",
                        help="a repository on GitHub, or OWNER/* for all of an account; may be repeated")
    parser.add_argument("--source", action="append", metavar="URI",
                        help="any place to read, of a kind below; may be repeated")
    parser.add_argument("--since", metavar="DATE",
                        help="read only what changed then or later: a day or a time, UTC unless it names a zone")
    parser.add_argument("--full", action="store_true", default=None,
                        help="read everything again, whatever an earlier run has read")
    return parser


if __name__ == "__main__":
    main()
