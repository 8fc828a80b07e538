"""The command line: `sentinel run`, `top`, `explain`, `score`, and what other modules add.

Libraries are imported where they are used, so that `sentinel --help` answers at once.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sentinel.command.backtest_command import backtest
from sentinel.command.features_command import features
from sentinel.command.interruption import INTERRUPTED, STOPPED, Terminated, raise_on_signals
from sentinel.command.model_commands import models, promote, rollback
from sentinel.command.options import DATA_OPTION

if TYPE_CHECKING:
    from rich.console import Console

    from sentinel.command.verdicts import Verdicts

BUG = 1
DEFAULT_PORT, LAST_PORT = 8080, 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code. `arguments` are those of this process where none are given."""
    raise_on_signals()
    os.environ.pop("VAULT_ADDR", None)  # a person's own Vault; on a laptop secrets come from the environment
    try:
        with commands.make_context("sentinel", list(sys.argv[1:] if arguments is None else arguments),
                                   obj=dict(os.environ)) as context:
            commands.invoke(context)
            sys.stdout.flush()
        return 0
    except click.exceptions.Exit as end:  # of --help and --version
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("\nstopped; nothing half-written counts, the same command goes on from here", err=True)
        return STOPPED if isinstance(error, Terminated) else INTERRUPTED
    except BrokenPipeError:  # as in `sentinel top | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _told(error)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sentinel-pull-requests", message="%(version)s")
def commands() -> None:
    """Say of every pull request how unusual it is in its repository, and why.

    \b
    sentinel run                            a made-up history, to see what it does
    sentinel run --source git:../kafka      your own clone; needs no token
    sentinel top --limit 5                  the ranked list again
    sentinel explain apache/kafka#123       why one of them is unusual
    sentinel backtest git:. --out FILE      what would have been flagged in the past
    """


@commands.command(short_help="Run the four stages and rank the pull requests.")
@click.option("--source", "sources", multiple=True, metavar="URI", default=("simulated:",), show_default=True,
              help="Where pull requests come from; give it again for more.")
@DATA_OPTION
@click.option("--serve/--no-serve", default=True, show_default=True, help="Serve the scorer at the end.")
@click.option("--port", type=click.IntRange(1, LAST_PORT), default=DEFAULT_PORT, show_default=True, metavar="N",
              help="Port of the scorer.")
def run(sources: tuple[str, ...], folder: Path, serve: bool, port: int) -> None:
    """Run the four stages on this machine and rank the pull requests.

    \b
    sentinel run                                       a made-up history, offline
    sentinel run --source git:. --no-serve             this clone; the list, no scorer
    sentinel run --source github:pallets/flask         GitHub; token in GITHUB_TOKEN
    sentinel run --source jsonl:a.gz --source jsonl:b  files of GitHub's JSON, one a line
    sentinel run --port 9000 --data /var/lib/sentinel  another port, another folder

    A second run fetches only what is new.
    The scorer is served until Ctrl-C (exit code 130) or SIGTERM (0).

    \b
    Exit codes: 0 done, 1 a bug, 2 something to correct, 65 data unusable,
    75 try again later, 130 stopped by Ctrl-C.
    """
    from sentinel.command.data_folder import DataFolder
    from sentinel.command.run import RunOptions
    from sentinel.command.run import run as run_everything

    options = RunOptions(sources, DataFolder(folder), port if serve else None)
    run_everything(options, dict(os.environ), _console())


@commands.command()
@click.option("--repository", metavar="OWNER/NAME", help="Only this repository.")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="How many.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, for other programs.")
@DATA_OPTION
def top(repository: str | None, limit: int, as_json: bool, folder: Path) -> None:
    """Print the most unusual pull requests of the last run.

    \b
    sentinel top
    sentinel top --repository apache/kafka --limit 50
    sentinel top --json | jq -r '.[].reasons[0].sentence'
    """
    from sentinel.command.ranked_list import print_ranked_list, to_json

    ranked = _verdicts(folder).top(limit, repository)
    if as_json:
        click.echo(to_json(ranked))
    else:
        print_ranked_list(_console(), ranked)


@commands.command(short_help="Say why one pull request is unusual.")
@click.argument("pull_request", metavar="OWNER/NAME#N")
@DATA_OPTION
def explain(pull_request: str, folder: Path) -> None:
    """Say why one pull request is unusual, and where it stands in its repository.

    \b
    sentinel explain apache/kafka#123
    sentinel explain https://github.com/apache/kafka/pull/123
    """
    from sentinel.command.explanation import print_explanation
    from sentinel.command.pull_request_name import parse_pull_request_name

    repository, number = parse_pull_request_name(pull_request)
    verdicts = _verdicts(folder)
    verdict = verdicts.find(repository, number)
    print_explanation(_console(), verdict, verdicts.scores(repository), verdicts.model_version)


@commands.command(short_help="Score one pull request from a file.")
@click.argument("file", type=click.File("rb"), metavar="FILE")
@click.option("--url", metavar="URL", help="Address of a scorer; by default one of this machine.")
@click.option("--json", "as_json", is_flag=True, help="The scorer's answer as it is.")
@DATA_OPTION
def score(file: BinaryIO, url: str | None, as_json: bool, folder: Path) -> None:
    """Score one pull request: GitHub's JSON of it, in a file, or - for standard input.

    \b
    sentinel score pull-request.json
    gh api repos/apache/kafka/pulls/123 | sentinel score -
    sentinel score pull-request.json --url https://sentinel.example.com

    Asks the scorer that `sentinel run` serves from the same folder; without one,
    starts one for this question.
    """
    from sentinel.command.data_folder import DataFolder
    from sentinel.command.score import print_answer, score_document

    environment = dict(os.environ)
    answer = score_document(file.read(), url, DataFolder(folder), environment)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        print_answer(_console(), answer)


for command in (features, backtest, models, promote, rollback):
    commands.add_command(command)


def _verdicts(folder: Path) -> "Verdicts":
    from sentinel.command.data_folder import DataFolder
    from sentinel.command.stages import stage_environment
    from sentinel.command.stored_verdicts import champions_verdicts

    return champions_verdicts(stage_environment(DataFolder(folder), os.environ))


def _console() -> "Console":
    from rich.console import Console

    return Console()


def _told(error: Exception) -> int:
    """Print an error for people; return its exit code."""
    from sentinel.command.safe_text import visible_lines
    from sentinel.errors import SentinelError

    if isinstance(error, SentinelError):
        click.echo(visible_lines(str(error)), err=True)
        return error.exit_code
    traceback.print_exception(error)
    return BUG


if __name__ == "__main__":
    sys.exit(main())
