"""The one edit that a release makes in the manifests."""

import pytest

from delivery.write_digest import BATCH, SERVING, Release, main, read_release, write_release
from sentinel.errors import CorruptFileError, FixNeededError, NotFoundError

TAG = "1" * 40
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
BASE = """\
# The three batch stages.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - data-fetch-cronjob.yaml  # first
configMapGenerator:
  - name: data-fetch-settings
    envs: [data-fetch-settings.env]
images:
  - name: registry.digitalocean.com/sentinel/data-fetch
    newTag: "0000000000000000000000000000000000000000"
    digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
  - name: registry.digitalocean.com/sentinel/ml-training
"""


@pytest.fixture
def root(tmp_path):
    for path, text in ((BATCH, BASE), (SERVING, "kind: Kustomization\nresources: [rollout.yaml]\n")):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_digest_and_tag_are_replaced_and_the_rest_stays_byte_for_byte(root):
    release = Release("data-fetch", TAG, DIGEST)

    assert write_release(root, release)
    assert (root / BATCH).read_text() == BASE.replace("0" * 40, TAG).replace(OTHER, DIGEST)
    assert release == read_release(root, "data-fetch")


def test_same_digest_twice_changes_nothing(root):
    release = Release("data-fetch", TAG, DIGEST)
    write_release(root, release)
    before = (root / BATCH).read_bytes()

    assert not write_release(root, release)
    assert before == (root / BATCH).read_bytes()


def test_stage_without_an_entry_gets_one(root):
    write_release(root, Release("model-serving", TAG, DIGEST))
    write_release(root, Release("ml-training", TAG, DIGEST))

    assert DIGEST == read_release(root, "model-serving").digest
    assert DIGEST == read_release(root, "ml-training").digest
    assert 1 == (root / BATCH).read_text().count("ml-training\n")


def test_entry_without_a_digest_is_no_release(root):
    assert read_release(root, "ml-training") is None
    assert read_release(root, "model-serving") is None


def test_digest_of_zeros_is_no_release(root):
    (root / BATCH).write_text(BASE.replace(OTHER, "sha256:" + "0" * 64))

    assert read_release(root, "data-fetch") is None


def test_tag_of_digits_only_stays_text(root):
    """A tree hash may be digits, or digits around one e: YAML would read a number."""
    for tag in ("1234567890" * 4, "1e" + "3" * 38):
        write_release(root, Release("data-fetch", tag, DIGEST))

        assert tag == read_release(root, "data-fetch").tag


@pytest.mark.parametrize("stage, tag, digest", [
    ("data_fetch", TAG, DIGEST),
    ("data-fetch", TAG, "latest"),
    ("data-fetch", TAG, "sha256:" + "A" * 64),
    ("data-fetch", TAG, DIGEST + "\n- name: evil"),
    ("data-fetch", "main; rm -rf /", DIGEST),
])
def test_what_names_no_image_is_refused(stage, tag, digest):
    with pytest.raises(FixNeededError):
        Release(stage, tag, digest)


@pytest.mark.parametrize("text", ["images: [", "- a\n- b\n", "images: {name: x}\n",
                                  "images:\n" + "- name: registry.digitalocean.com/sentinel/data-fetch\n" * 2])
def test_file_that_is_no_kustomization_is_named_and_left_alone(root, text):
    (root / BATCH).write_text(text)

    with pytest.raises(CorruptFileError, match="batch/kustomization.yaml"):
        write_release(root, Release("data-fetch", TAG, DIGEST))
    assert text == (root / BATCH).read_text()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="--root"):
        read_release(tmp_path, "data-fetch")


def test_command_tells_what_it_did_and_what_is_wrong(root, capsys):
    assert 0 == main(["data-fetch", DIGEST, "--tag", TAG, "--root", str(root)])
    assert 0 == main(["data-fetch", DIGEST, "--tag", TAG, "--root", str(root)])
    assert 2 == main(["data-fetch", "latest", "--tag", TAG, "--root", str(root)])

    said = capsys.readouterr()
    assert "is now" in said.out and "was already" in said.out
    assert "expected sha256:" in said.err
