"""Check that merging staging into main brings to production what was tried in staging, byte for byte.

    python -m delivery.promote --head <commit> [-- how cosign verifies]

Every reason against the promotion is listed at once. The same check after the merge is
`python -m delivery.promote --merged main`. A rollback, which gives main the files of an earlier merge again,
need not come from staging.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from delivery.image_tree import FOLDERS, REGISTRY, find_image_tree, git
from delivery.registry import find_digest
from delivery.signature import Claim, read_claims
from delivery.write_digest import KUSTOMIZATIONS, Release, read_release
from sentinel.errors import FixNeededError, SentinelError

STAGING, MAIN = "origin/staging", "origin/main"
TREE_ONLY = 40  # hex digits of a tree in the first line of `git merge-tree --write-tree`


class NotPromotableError(FixNeededError):
    """List everything that speaks against a promotion, each with what to do."""


def check_promotion(repository: Path, head: str, arguments: tuple[str, ...], registry: str = REGISTRY) -> list[Release]:
    """Return what production would run after merging `head` into main; raise NotPromotableError."""
    problems = [*_branch_problems(repository, head), *_merge_problems(repository, head)]
    releases = list(_releases(repository, head, problems))
    for release in releases:
        problems += _image_problems(repository, head, release, arguments, registry)
    _raise_listed(problems, head)
    return releases


def check_merged(repository: Path, main: str, arguments: tuple[str, ...], registry: str = REGISTRY) -> list[Release]:
    """Return what production runs now that `main` was merged; raise NotPromotableError."""
    promoted = git(repository, "merge-base", main, STAGING)
    problems = []
    tree = _tree(repository, main)
    if tree != _tree(repository, promoted) and not _held_before(repository, tree, main, "--skip=1"):
        problems.append(
            f"{main} holds other files than the commit of staging it came from ({promoted[:12]}); was it squashed, or "
            "changed on its own? Merge main into staging, then promote with a merge commit"
        )
    releases = list(_releases(repository, main, problems))
    for release in releases:
        problems += _image_problems(repository, main, release, arguments, registry)
    _raise_listed(problems, main)
    return releases


def _held_before(repository: Path, tree: str, main: str, *which: str) -> bool:
    """Say whether main held these very files at one of its merges: then this is a rollback, tried long ago."""
    return tree in git(repository, "log", "--first-parent", "--format=%T", *which, main).splitlines()


def _branch_problems(repository: Path, head: str) -> Iterator[str]:
    is_rollback = _held_before(repository, _tree(repository, head), MAIN)
    if not is_rollback and not _is_ancestor(repository, head, STAGING):
        yield (f"{head[:12]} is not on the branch staging; only what ran in staging is promoted: merge it there "
               "first, then open a pull request from staging to main")


def _merge_problems(repository: Path, head: str) -> Iterator[str]:
    advice = "merge main into staging, let it run there, then promote"
    try:
        merged = git(repository, "merge-tree", "--write-tree", MAIN, head)[:TREE_ONLY]
    except FixNeededError:
        yield f"{head[:12]} does not merge into main without a conflict; {advice}"
        return
    if merged != _tree(repository, head):
        yield f"after the merge main would hold other files than staging, so main holds a change of its own; {advice}"


def _releases(repository: Path, revision: str, problems: list[str]) -> Iterator[Release]:
    """Give the release of every stage at a revision, and add to the problems where there is none."""
    with TemporaryDirectory() as folder:
        for path in sorted(set(KUSTOMIZATIONS.values())):
            target = Path(folder, path)
            target.parent.mkdir(parents=True)
            target.write_text(git(repository, "show", f"{revision}:{path}") + "\n", encoding="utf-8")
        for stage in FOLDERS:
            try:
                release = read_release(Path(folder), stage)
            except SentinelError as error:
                problems.append(str(error))
                continue
            if release is None:
                problems.append(f"{stage}: {KUSTOMIZATIONS[stage]} gives no digest; let its workflow run on staging")
            else:
                yield release


def _image_problems(
    repository: Path, revision: str, release: Release, arguments: tuple[str, ...], registry: str,
) -> Iterator[str]:
    stage, image = release.stage, f"{registry}/{release.stage}@{release.digest}"
    again = f"run the workflow {stage} on staging, which builds, tries, signs and writes it"
    tree = find_image_tree(stage, repository, revision).tree
    if tree != release.tag:
        yield f"{stage}: the digest is of tree {release.tag[:12]}, but the files are tree {tree[:12]}; {again}"
    if find_digest(image) is None:
        yield f"{stage}: the registry has no {image}; {again}"
        return
    claims = read_claims(image, arguments)
    fitting = [claim for claim in claims if (claim.stage, claim.tree) == (stage, release.tag)]
    if not claims:
        yield f"{stage}: {image} is not signed by our workflow, so nothing says that it was tried; {again}"
    elif not fitting:
        yield f"{stage}: {image} is signed, but as {_said(claims[0])}; {again}"
    elif not any(_is_ancestor(repository, claim.revision, revision) for claim in fitting):
        yield f"{stage}: {image} was built at {fitting[0].revision[:12]}, which is no commit of this history; {again}"


def _said(claim: Claim) -> str:
    return f"{claim.stage} of tree {claim.tree[:12]}"


def _is_ancestor(repository: Path, ancestor: str, commit: str) -> bool:
    try:
        git(repository, "merge-base", "--is-ancestor", ancestor, commit)
    except FixNeededError:
        return False
    return True


def _tree(repository: Path, revision: str) -> str:
    return git(repository, "rev-parse", f"{revision}^{{tree}}")


def _raise_listed(problems: list[str], revision: str) -> None:
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise NotPromotableError(f"{revision} cannot go to production:\n{listed}")


def main(arguments: list[str] | None = None) -> int:
    """Check one promotion and print what production will run."""
    parser = argparse.ArgumentParser(prog="delivery.promote", description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--head", help="commit that is to be merged into main")
    which.add_argument("--merged", help="commit of main, after the merge")
    parser.add_argument("--repository", type=Path, default=Path())
    parser.add_argument("--registry", default=REGISTRY)
    parser.add_argument("cosign", nargs="*", help="after --, how cosign verifies")
    given = parser.parse_args(arguments)
    check, revision = (check_promotion, given.head) if given.head else (check_merged, given.merged)
    try:
        releases = check(given.repository, revision, tuple(given.cosign), given.registry)
    except SentinelError as error:
        print(f"promote: {error}", file=sys.stderr)
        return error.exit_code
    for release in releases:
        print(f"{release.stage}: {release.digest}, tree {release.tag[:12]}, tried and signed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
