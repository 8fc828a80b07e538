"""A model whose surprises were weighed otherwise is refused."""

from dataclasses import replace

import pytest

from sentinel.errors import FingerprintError
from sentinel.features import score
from sentinel.model import AnomalyModel
from sentinel.score_fingerprint import score_fingerprint
from tests.ml_training.small_model import build_small, fit_small

FIRST, SECOND, *_ = (group for group in score.GROUPS if group not in score.LEFT_OUT | score.DANGEROUS)
CHANGES = {
    "DANGER_WEIGHT": 2.0, "USUAL_NATS": 0.9, "LEFT_OUT": score.LEFT_OUT | {FIRST},
    "DANGEROUS": score.DANGEROUS | {FIRST},
    "GROUPS": {**score.GROUPS, FIRST: (), SECOND: score.GROUPS[FIRST] + score.GROUPS[SECOND]},
}


@pytest.fixture(scope="module")
def model():
    return AnomalyModel.from_bytes(build_small(fit_small()))


@pytest.mark.parametrize("name", CHANGES)
def test_model_of_other_weights_is_refused(model, monkeypatch, name):
    model.check_fingerprint("f00d")
    monkeypatch.setattr(score, name, CHANGES[name])

    with pytest.raises(FingerprintError, match=f"by fingerprint {model.card.score_fingerprint}, but this code weighs "
                                               f"them by {score_fingerprint()}; run ml_training again"):
        model.check_fingerprint("f00d")


def test_model_that_does_not_tell_its_weights_is_refused(model):
    older = AnomalyModel(model._session, replace(model.card, score_fingerprint=""))

    with pytest.raises(FingerprintError, match="by fingerprint unknown, but this code"):
        older.check_fingerprint("f00d")
