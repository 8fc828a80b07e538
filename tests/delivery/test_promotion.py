"""What may be merged into main: real Git, a registry over HTTP, and a stand-in for cosign."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.promote import NotPromotableError, check_merged, check_promotion, main
from delivery.write_digest import Release
from tests.delivery.hosted import STAGES, Trial
from tests.delivery.registry_server import Registry
from tests.delivery.releasing import VERIFY, registry_of, release, use_programs


@pytest.fixture(scope="module")
def first_released(begun: Trial, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Registry]:
    """Release the four stages once, and keep what the registry holds then."""
    made = begun.copy(tmp_path_factory.mktemp("released"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_programs(made, monkeypatch)
        for stage in STAGES:
            release(made, stage)
    made.git("fetch", "--quiet", "origin")
    return made, replace(made.registry)


@pytest.fixture
def released(first_released: tuple[Trial, Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Return one whose four stages are released on staging."""
    made, registry = first_released
    made.registry.restore(registry)
    copy = made.copy(tmp_path)
    use_programs(copy, monkeypatch)
    return copy


def check(made: Trial, head: str = "origin/staging") -> list[Release]:
    return check_promotion(made.laptop, made.git("rev-parse", head), VERIFY, registry_of(made))


def merge_to_main(made: Trial, *how: str) -> None:
    made.git("checkout", "--quiet", "-B", "main", "origin/main")
    made.git("merge", "--quiet", *how, "origin/staging")
    if "--squash" in how:
        made.git("commit", "--quiet", "--message", "Squashed")
    made.git("push", "--quiet", "origin", "main")


def test_what_was_released_on_staging_may_be_promoted(released):
    assert list(released.releases().values()) == check(released)


@pytest.mark.parametrize("how", ["--no-ff", "--ff-only"])
def test_after_a_merge_main_is_what_staging_was(released, how):
    merge_to_main(released, how, *(["--message", "Promote"] if how == "--no-ff" else []))

    assert list(released.releases().values()) == check_merged(released.laptop, "main", VERIFY, registry_of(released))
    assert released.releases() == released.releases("main")


def test_second_promotion_needs_no_more_than_the_first(released):
    merge_to_main(released, "--no-ff", "--message", "Promote")
    released.merge({"data_fetch/change.py": "x = 1\n"})
    release(released, "data-fetch")
    released.git("fetch", "--quiet", "origin")

    assert list(released.releases().values()) == check(released)


def test_rollback_of_main_to_an_earlier_merge_needs_no_staging(released):
    merge_to_main(released, "--no-ff", "--message", "Promote")
    earlier = released.releases("main")
    released.merge({"data_fetch/change.py": "x = 1\n"})
    release(released, "data-fetch")
    released.git("fetch", "--quiet", "origin")
    merge_to_main(released, "--no-ff", "--message", "Promote again")
    released.git("fetch", "--quiet", "origin")
    released.git("checkout", "--quiet", "-B", "back", "origin/main")
    released.git("revert", "--no-edit", "--mainline", "1", "HEAD")

    assert list(earlier.values()) == check(released, "back")
    released.git("push", "--quiet", "origin", "back:main")
    released.git("fetch", "--quiet", "origin")
    assert list(earlier.values()) == check_merged(released.laptop, "origin/main", VERIFY, registry_of(released))
    with pytest.raises(NotPromotableError, match="merge main into staging"):
        check(released)


def test_squashed_merge_is_told(released):
    merge_to_main(released, "--squash")

    with pytest.raises(NotPromotableError, match="was it squashed"):
        check_merged(released.laptop, "main", VERIFY, registry_of(released))


def test_everything_against_a_promotion_is_listed_at_once(made):
    unsigned = release(made, "data-fetch", signed=False)
    release(made, "ml-training")
    gone = release(made, "model-serving")
    del made.registry.manifests["sentinel/model-serving", gone.digest]
    made.merge({"ml_training/change.py": "x = 1\n"})

    with pytest.raises(NotPromotableError) as caught:
        check(made)

    listed = str(caught.value).splitlines()[1:]
    assert 4 == len(listed)
    assert "spark-preprocess: " in listed[0] and "gives no digest" in listed[0]
    assert f"data-fetch@{unsigned.digest} is not signed" in listed[1]
    assert "ml-training: the digest is of tree" in listed[2]
    assert "model-serving: the registry has no " in listed[3]


def test_signature_for_another_stage_or_tree_does_not_count(released):
    for stage in STAGES:
        for path in (released.folder / "signatures").iterdir():
            path.write_text(path.read_text().replace(f'"stage": "{stage}"', '"stage": "other"'))

    with pytest.raises(NotPromotableError, match="is signed, but as other of tree"):
        check(released)


def test_image_of_a_commit_that_is_not_in_the_history_is_refused(released):
    for path in (released.folder / "signatures").iterdir():
        signature = json.loads(path.read_text())
        signature["optional"]["revision"] = "f" * 40
        path.write_text(json.dumps(signature))

    with pytest.raises(NotPromotableError, match="no commit of this history"):
        check(released)


def test_commit_that_is_not_on_staging_is_refused(released):
    released.git("checkout", "--quiet", "-B", "topic", "origin/staging")
    released.git("commit", "--quiet", "--allow-empty", "--message", "Quick")

    with pytest.raises(NotPromotableError, match="not on the branch staging"):
        check(released, "topic")


@pytest.mark.parametrize("path, text, expected", [
    ("README", "quick\n", "main holds a change of its own"),
    ("data_fetch/__main__.py", "quick = 1\n", "does not merge into main without a conflict"),
])
def test_main_with_a_change_of_its_own_is_merged_to_staging_first(released, path, text, expected):
    released.merge({"data_fetch/__main__.py": "other = 1\n"})
    release(released, "data-fetch")
    released.merge({path: text}, branch="main")
    released.git("fetch", "--quiet", "origin")

    with pytest.raises(NotPromotableError, match=expected):
        check(released)


def test_command_lists_what_production_will_run_or_why_not(released, capsys, monkeypatch):
    monkeypatch.chdir(released.laptop)
    head = ["--head", released.git("rev-parse", "origin/staging"), "--registry", registry_of(released)]

    assert 0 == main([*head, "--", *VERIFY])
    assert 2 == main([*head, "--", "--certificate-identity=somebody else"])

    said = capsys.readouterr()
    assert 4 == said.out.count("tried and signed")
    assert 4 == said.err.count("is not signed by our workflow")
