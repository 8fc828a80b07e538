"""`sentinel run`: the four stages on one machine, then the ranked list, then the scorer."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentinel.command.data_folder import DataFolder, locked
from sentinel.command.pipeline import run_stages
from sentinel.command.planted import SIMULATED, found_sentence, planted_pull_requests
from sentinel.command.ports import check_port_is_free
from sentinel.command.progress_display import opened_display
from sentinel.command.ranked_list import print_ranked_list
from sentinel.command.serving import serve
from sentinel.command.stages import MONGODB, SERVE, batch_programs, stage_environment, stage_program
from sentinel.command.stored_verdicts import champions_verdicts

if TYPE_CHECKING:
    from rich.console import Console

    from sentinel.command.verdicts import Verdicts

LISTED = 10
EXAMPLE = """try it:
  curl -s {address}/score -H 'Content-Type: application/json' --data @pull-request.json
  sentinel explain {example}
Ctrl-C stops it."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asked for."""

    sources: tuple[str, ...]
    data: DataFolder
    port: int | None  # of the scorer; None serves nothing


def run(options: RunOptions, environment: Mapping[str, str], console: "Console") -> None:
    """Run everything; raises a SentinelError with the exit code of what failed."""
    started = time.monotonic()
    if options.port is not None:
        check_port_is_free(options.port)
    with locked(options.data), _mongodb(options.data, stage_environment(options.data, environment)) as given:
        with opened_display(console) as display:
            run_stages(batch_programs(options.sources, given), options.data, display)
        verdicts = champions_verdicts(given)
        console.print(f"\n{len(verdicts):,} pull requests judged in {time.monotonic() - started:.1f} s; "
                      "the most unusual first\n", highlight=False)
        print_ranked_list(console, verdicts.top(LISTED))
        if any(source.startswith(SIMULATED) for source in options.sources):
            _tell_planted(verdicts, options.data, given, console)
        if options.port is not None:
            _serve(options.data, options.port, verdicts, given, console)


@contextmanager
def _mongodb(data: DataFolder, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment with a MongoDB: the one that is named there, or an embedded one."""
    if environment.get(MONGODB):
        yield dict(environment)
        return
    from sentinel.command.embedded_mongo import embedded_mongo

    with embedded_mongo(data, environment) as uri:
        yield {**environment, MONGODB: uri}


def _tell_planted(verdicts: "Verdicts", data: DataFolder, environment: Mapping[str, str],
                  console: "Console") -> None:
    planted = planted_pull_requests(data, environment)
    console.print(found_sentence(planted, verdicts.top(max(LISTED, len(planted)))) + "\n", highlight=False)


def _serve(data: DataFolder, port: int, verdicts: "Verdicts", environment: Mapping[str, str],
           console: "Console") -> None:
    top: Sequence[object] = verdicts.top(1)
    example = getattr(top[0], "name", "") if top else "OWNER/NAME#N"

    def announce(address: str, seconds: float) -> None:
        console.print(f"{SERVE} answers at {address} (ready in {seconds:.1f} s)", highlight=False)
        console.print(EXAMPLE.format(address=address, example=example), markup=False, highlight=False)

    serve(stage_program(SERVE, ("--port", str(port)), environment), port, data, announce)
