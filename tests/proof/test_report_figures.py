"""Figures of a report that a hostile reader looks for: what was refused, what was not asked for, plain numbers."""

import re

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.report import render
from tidegate_proof.report.judged import figure


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = write_sealed(tmp_path_factory.mktemp("figures") / "run", records.record())
    return " ".join(re.sub("<[^>]*>", " ", render(folder)["report.html"].decode()).split())


def test_refusals_stand_beside_the_good_answers_and_in_the_account(page):
    plan = records.plan()
    refused = sum(
        row.error == "refused" and row.intended_ns >= plan.warm_up_s * 10**9 for row in records.record().requests.rows()
    )
    assert refused
    assert re.search(rf"Good answers [\d.]+ % of [\d ]+ requests, {refused} refused", page)
    assert f"Refused answered with another status than 200; they count as failed {refused} " in page


def test_efficiency_of_pods_that_were_not_asked_for_more_is_a_least_one(page):
    assert re.search(r"/s at least [\d.]+ % no", page)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("spread.serving.least", 0.996434, "0.996"),
        ("oracle.serving.over_pod_seconds", 209.908, "210"),
        ("total.lost", 1234567, "1\u202f234\u202f567"),
        ("total.good_share", 0.87345, "87.3 %"),
        ("efficiency.least", float("inf"), "∞"),
    ],
)
def test_counts_are_written_in_full_and_measures_with_three_digits(metric, value, text):
    assert figure(metric, value) == text
