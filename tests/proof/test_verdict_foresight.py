"""A forecast is held against what came, second by second, and the phase of the controller is nobody's fault."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof import records
from tidegate_proof.record.plan import Forecast
from tidegate_proof.verdict.foresight import agreement_of
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.outcomes import SECOND

SECONDS = np.arange(100)
FORESEEN = ((0.0, 1), (40.0, 4), (80.0, 2))


def test_what_came_as_forecast_agrees_wholly():
    desired = tuple((round(at * SECOND), pods) for at, pods in FORESEEN)
    found = agreement_of(FORESEEN, desired, SECONDS)
    assert (found.same_share, found.near_share, found.mean_difference) == (1, 1, 0)


def test_a_slip_of_one_period_is_near_and_one_of_two_is_not():
    slipped = agreement_of(FORESEEN, ((0, 1), (55 * SECOND, 4), (80 * SECOND, 2)), SECONDS)
    assert (slipped.same_share, slipped.near_share) == (0.85, 1)
    assert slipped.mean_difference == pytest.approx(-0.45)
    late = agreement_of(FORESEEN, ((0, 1), (70 * SECOND, 4), (80 * SECOND, 2)), SECONDS)
    assert late.near_share == pytest.approx(0.85)  # in seconds 55 to 69 nothing else than 4 was foreseen


def test_other_numbers_than_those_on_the_way_are_not_near():
    assert agreement_of(FORESEEN, ((0, 5),), SECONDS).near_share == 0
    assert agreement_of(FORESEEN, ((0, 3),), SECONDS).near_share == pytest.approx(0.60)  # while it goes up or down


def test_a_verdict_tells_of_the_tiers_that_the_plan_foresaw():
    run = records.record()
    assert set(judge(run, rates_of(run.plan)).figures.forecast) == {"serving"}
    for none in (None, Forecast(replicas={}, source="none: nobody knows")):
        unforeseen = replace(run, plan=replace(run.plan, forecast=none))
        assert judge(unforeseen, rates_of(run.plan)).figures.forecast == {}
