"""Reasons: few, one a group, of what is unusual here, and really what raised the score."""

import numpy as np
import pytest

from sentinel.features import CATALOGUE, FEATURE_NAMES, sentence
from sentinel.model import AnomalyModel
from sentinel.verdict import MOST_REASONS, make_verdicts
from tests.ml_training.small_features import make_rows
from tests.ml_training.small_model import build_small, fit_small

ODD = ("silence_surprise", "place_surprise", "hour_surprise", "undo_surprise")


@pytest.fixture(scope="module")
def model():
    return AnomalyModel.from_bytes(build_small(fit_small()))


def usual_row():
    return np.nanmedian(make_rows(150), axis=0)


def verdict_on(model, row):
    return make_verdicts(model, ["octo/one"], [7], [False], row[None])[0]


def odd_row():
    row = usual_row()
    row[[FEATURE_NAMES.index(name) for name in ODD]] = 8.0
    return row


def test_reasons_name_what_is_odd_in_the_words_of_the_catalogue(model):
    verdict = verdict_on(model, odd_row())

    assert set(ODD) == {reason.feature for reason in verdict.reasons}
    assert all(sentence(reason.feature, 8.0) == reason.sentence for reason in verdict.reasons)
    assert verdict.is_unusual


def test_setting_the_named_features_back_removes_the_alarm(model):
    row = odd_row()
    for reason in verdict_on(model, row).reasons:
        row[FEATURE_NAMES.index(reason.feature)] = usual_row()[FEATURE_NAMES.index(reason.feature)]

    assert not verdict_on(model, row).is_unusual


def test_usual_row_has_no_reasons(model):
    assert () == verdict_on(model, usual_row()).reasons


def test_value_inside_the_outer_tenth_only_is_named(model):
    row = usual_row()
    row[FEATURE_NAMES.index("silence_surprise")] = 2.2  # one in nine

    assert () == verdict_on(model, row).reasons


def test_one_reason_a_group_and_at_most_five_strongest_first(model):
    verdict = verdict_on(model, np.array([feature.highest for feature in CATALOGUE]))

    groups = [reason.group for reason in verdict.reasons]
    contributions = [reason.contribution for reason in verdict.reasons]
    assert MOST_REASONS == len(groups) == len(set(groups))
    assert sorted(contributions, reverse=True) == contributions


def test_absent_value_is_no_reason(model):
    row = usual_row()
    row[:] = np.nan

    assert () == verdict_on(model, row).reasons


def test_surprise_tells_its_percentile_here(model):
    row = usual_row()
    row[FEATURE_NAMES.index("silence_surprise")] = np.log(50)

    assert 98 == pytest.approx(verdict_on(model, row).reasons[0].percentile)
