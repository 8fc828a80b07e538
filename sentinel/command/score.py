"""Ask a scorer about one pull request: a named one, the one that is served, or one started for the question."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sentinel.command.data_folder import DataFolder
from sentinel.command.ports import HOST, free_port
from sentinel.command.safe_text import visible
from sentinel.command.serving import ready_scorer
from sentinel.command.stages import SERVE, stage_environment, stage_program
from sentinel.errors import FixNeededError, NotFoundError, RecordError, UnavailableError

if TYPE_CHECKING:
    from rich.console import Console

ANSWER_SECONDS = 30.0
LONGEST_ANSWER_BYTES = 1 << 22
API_TOKEN = "SENTINEL_API_TOKEN"

Answer = dict[str, Any]


def score_document(document: bytes, url: str | None, data: DataFolder, environment: Mapping[str, str]) -> Answer:
    """Return the scorer's answer.

    Raises RecordError for what is no pull request, UnavailableError where no scorer answers.
    """
    check_json(document)
    token = environment.get(API_TOKEN)
    if url is not None:
        return _post(url, document, token)
    if data.scorer_address.exists():
        with suppress(UnavailableError):  # its runner was killed and could not remove the address
            return _post(data.scorer_address.read_text(), document, token)
    return _ask_own_scorer(document, data, environment)


def check_json(document: bytes) -> None:
    """Raise RecordError for what is no JSON object."""
    try:
        value = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"no JSON ({error}); expected one pull request as GitHub's API gives it") from None
    if not isinstance(value, dict):
        raise RecordError(f"JSON holds a {type(value).__name__}, expected one pull request as GitHub's API gives it")


def print_answer(console: "Console", answer: Answer) -> None:
    """Print how unusual it is, and why."""
    from rich.text import Text

    name = visible(f"{answer.get('repository')}#{answer.get('number')}")
    verdict = "unusual here, because" if answer.get("is_unusual") else "nothing unusual here"
    console.print(Text.assemble((name, "bold"), f"  {verdict}"))
    for reason in answer.get("reasons") or ():
        console.print(Text.assemble(("• ", "cyan"), visible(str(reason.get("sentence")))))
    console.print(Text(f"score {answer.get('score'):.3g}, threshold {answer.get('threshold'):.3g}, "
                       f"more unusual than {answer.get('percentile'):.4g} % here", style="dim"))
    for note in answer.get("notes") or ():
        console.print(Text(visible(str(note)), style="dim"))


def _ask_own_scorer(document: bytes, data: DataFolder, environment: Mapping[str, str]) -> Answer:
    if not data.logs.is_dir():
        raise NotFoundError(f"{data.folder}: no run yet; begin with `sentinel run`, name the folder of an earlier one "
                            "with --data DIR, or a scorer with --url URL")
    logs, port = data.logs / "score", free_port()
    logs.mkdir(exist_ok=True)
    given = {**stage_environment(data, environment), "SENTINEL_WORKERS": "1"}
    with ready_scorer(stage_program(SERVE, ("--port", str(port)), given), data, logs):
        return _post(f"http://{HOST}:{port}", document, given.get(API_TOKEN))


def _post(address: str, document: bytes, token: str | None) -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        request = urllib.request.Request(f"{address.rstrip('/')}/score", document, headers)
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
            answer: Answer = json.loads(response.read(LONGEST_ANSWER_BYTES))
            return answer
    except urllib.error.HTTPError as error:
        raise _refused(address, error) from error
    except (OSError, ValueError) as error:
        raise UnavailableError(f"no scorer answers at {address} ({error}); expected one of `sentinel run` "
                               "or of the cluster, at http://HOST:PORT") from error


def _refused(address: str, error: urllib.error.HTTPError) -> Exception:
    """Tell a problem document by its status: 400s are about the record, 401 and 403 about rights."""
    try:
        problem = json.loads(error.read(LONGEST_ANSWER_BYTES))
        text = f"{problem['title']}: {problem['detail']}"
    except (OSError, ValueError, KeyError, TypeError):
        text = str(error)
    if error.code in (401, 403, 404, 405):
        return FixNeededError(f"{address} answers {error.code}, {text}; check the address and {API_TOKEN}")
    if error.code < 500:
        return RecordError(f"{address} cannot score it, {text}")
    return UnavailableError(f"{address} answers {error.code}, {text}; try again later")
