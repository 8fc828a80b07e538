"""What the trials of the workflows say of a repository: its digests, its registry, its log."""

from tests.delivery.hosted import FOLDERS, Trial
from tests.delivery.workflow_runner import Job

STAGE = "data-fetch"


def said(jobs: dict[str, Job]) -> str:
    return "\n".join(f"{name}: {job.result}\n{job.said}" for name, job in jobs.items())


def change(stage: str, name: str = "change.py") -> dict[str, str]:
    return {f"{FOLDERS[stage]}/{name}": '"""Change."""\n'}


def in_registry(made: Trial) -> dict[str, str | None]:
    return {stage: made.registry.digest(f"sentinel/{stage}", release.tag) if release else None
            for stage, release in made.releases().items()}


def digests(made: Trial, branch: str = "staging") -> dict[str, str | None]:
    return {stage: release and release.digest for stage, release in made.releases(branch).items()}
