"""Serve the simulated GitHub, or tell what is planted in it."""

import argparse
import sys
import time

import orjson

from sentinel.errors import FixNeededError
from sentinel.sources.simulated import FaultPlan, make_simulated_github, serve
from sentinel.sources.simulated.layouts import DEFAULT_PULL_REQUESTS
from sentinel.stage import INTERRUPTED


def main() -> int:
    """Read the command line and do what it says."""
    arguments = _parser().parse_args()
    if arguments.task == "planted":
        return _print_planted()
    counts = None if arguments.pull_requests is None else dict.fromkeys(
        ["saltmarsh/harbour", *(f"saltmarsh/harbour-{place}" for place in range(2, arguments.repositories + 1))],
        arguments.pull_requests)
    github = make_simulated_github(arguments.token, FaultPlan(latency_seconds=arguments.latency_ms / 1000),
                                   pull_requests=counts)
    try:
        with serve(github, arguments.port) as address:
            print(f"{address} serves {', '.join(github.repositories)}; Ctrl-C ends it", flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        print(f"could not serve on port {arguments.port}: {error.strerror}; choose another, or 0", file=sys.stderr)
        return FixNeededError.exit_code


def _print_planted() -> int:
    for repository in make_simulated_github("").repositories.values():
        for number, kind in sorted(repository.planted().items()):
            line = orjson.dumps({"repository": repository.name, "number": number, "kind": kind})
            sys.stdout.buffer.write(line + b"\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sentinel.sources.simulated", description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("planted", help="print the planted oddities as JSON lines")
    one = tasks.add_parser("serve", help="serve a history on this machine")
    one.add_argument("--port", type=int, default=0, help="0 takes a free one")
    one.add_argument("--pull-requests", type=int, metavar="N",
                     help=f"how many in each repository; by default {DEFAULT_PULL_REQUESTS}")
    one.add_argument("--repositories", type=int, default=1, metavar="N",
                     help="with --pull-requests: serve saltmarsh/harbour and harbour-2 to harbour-N")
    one.add_argument("--latency-ms", type=float, default=0.0, metavar="N", help="added to each answer")
    one.add_argument("--token", default="simulated", help="the only token that is let in")
    return parser


if __name__ == "__main__":
    sys.exit(main())
