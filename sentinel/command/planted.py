"""How many of the oddities that the simulated history holds are near the top of the list."""

import sys
from collections.abc import Mapping, Sequence

from sentinel.command.child import Program, running
from sentinel.command.data_folder import DataFolder
from sentinel.command.pipeline import failure_of
from sentinel.command.stage_status import StageStatus, parse_event
from sentinel.judged import JudgedPullRequest

SIMULATED = "simulated:"


def planted_pull_requests(data: DataFolder, environment: Mapping[str, str]) -> dict[str, str]:
    """Ask the simulated source; return the kind of oddity by OWNER/NAME#N."""
    argv = (sys.executable, "-P", "-m", "sentinel.sources.simulated", "planted")
    with running(Program("planted", argv, environment), data.logs) as child:
        answers = [parse_event(line) for line in child.lines()]
        if code := child.wait():
            raise failure_of(StageStatus("planted"), code, child, data)
    return {f"{answer['repository']}#{answer['number']}": answer["kind"] for answer in answers if "kind" in answer}


def found_sentence(planted: Mapping[str, str], top: Sequence[JudgedPullRequest]) -> str:
    """Say how many planted ones the top of the list holds; `top` is as long as there are planted ones, or longer."""
    found = sum(verdict.name in planted for verdict in top)
    return f"{found} of the {len(planted)} planted oddities are in the top {len(top)} of the list"
