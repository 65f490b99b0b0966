"""A programme shows of each tier what it claims, with both controls, by steps that are long enough."""

import argparse
from dataclasses import replace

import pytest

from scenarios import SCENARIOS
from tests.proof.records import plan as a_plan
from tests.proof.records import record
from tidegate_proof.commands.run import code_of
from tidegate_proof.live.asking import add_place, positive, whole
from tidegate_proof.live.plan import Terms, phases, thresholds
from tidegate_proof.live.programme import FULL, ITERATIONS, ROWS, SHORT, Part, sized
from tidegate_proof.live.sizing import FROZEN, PINNED
from tidegate_proof.live.trials import Order, OrderError, knee_used
from tidegate_proof.record.documents import write_document
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.searching import BACKLOG

PARTS = [*SHORT, *FULL]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.tier}-{len(part.items)}")
def test_each_tier_has_runs_and_both_controls_of_one_of_them(part):
    of = {
        control: {item.scenario.name for item in part.items if item.control == control}
        for control in (None, FROZEN, PINNED)
    }
    assert of[FROZEN] == of[PINNED] != set()
    assert of[FROZEN] <= of[None]
    assert all(item.scenario.tier == part.tier for item in part.items)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.tier}-{len(part.items)}")
def test_steps_are_long_enough_for_the_slo_and_all_runs_ask_what_the_knee_was_measured_by(part):
    assert part.search.duration_s >= BACKLOG * part.slo.latency_ms / 1e3
    asked = {(item.scenario.model, item.scenario.rows, item.scenario.work_iterations) for item in part.items}
    assert len(asked) == 1


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.tier}-{len(part.items)}")
def test_every_run_has_time_for_pods_to_come_and_something_to_reach(part: Part):
    terms = Terms.of(part.slo, part.back_s)
    for item in part.items:
        order = Order(scenario=item.scenario, capacity_rps=30, knee=None, terms=terms, duration_s=item.duration_s)
        plan = replace(a_plan(), shape=order.shape(), warm_up_s=terms.warm_up_s)
        planned = phases(rates_of(plan)[terms.warm_up_s :], terms.warm_up_s, terms.back_s)
        assert thresholds(planned, part.tier, terms, foreseen=False)
        if "step" in item.scenario.name:
            assert [phase.name for phase in planned] == ["warm-up", "low", "react", "settled", "down"]


def test_loads_are_multiples_of_the_knee():
    shape = Order(scenario=SCENARIOS["step"], capacity_rps=50, knee=None, terms=Terms.of(a_plan().slo, 60)).shape()
    assert (shape.base, shape.peak, shape.duration_s) == (20, 120, SCENARIOS["step"].duration_s)


def test_a_knee_of_something_else_is_refused(tmp_path):
    from tests.proof.records import knee  # noqa: PLC0415 shadows a word of this module otherwise

    write_document(tmp_path / "knee.json", knee(30))
    with pytest.raises(OrderError, match="web with and_gate"):
        knee_used(tmp_path / "knee.json", SCENARIOS["web-step"])
    fits = replace(SCENARIOS["step"], work_iterations=knee(30).work_iterations)
    used, measured = knee_used(tmp_path / "knee.json", fits)
    assert (used.capacity_rps, used.folder) == (30, ".")
    assert measured == knee(30)


def test_requests_of_a_programme_cost_enough_to_keep_its_record_small():
    assert sized(SCENARIOS["step"]) == replace(SCENARIOS["step"], work_iterations=ITERATIONS)
    assert sized(SCENARIOS["web-ramp"]) == replace(SCENARIOS["web-ramp"], rows=ROWS)


def verdict(*, passed: bool | None) -> Verdict:
    made = record()
    return replace(judge(made, rates_of(made.plan)), passed=passed)


@pytest.mark.parametrize(
    ("passed", "control", "code"),
    [(True, False, 0), (False, False, 1), (True, True, 1), (False, True, 0), (None, False, 3), (None, True, 3)],
)
def test_the_exit_code_says_whether_a_run_did_what_it_has_to(passed, control, code):
    assert code_of(verdict(passed=passed), control=control) == code


def test_options_are_read_or_refused():
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_place(parser)
    found = parser.parse_args(["--image", "serving=registry.example:5000/team/serving:0.9", "--image=web=w:1"])
    assert dict(found.image) == {"serving": "registry.example:5000/team/serving:0.9", "web": "w:1"}
    with pytest.raises(argparse.ArgumentError, match="serving=NAME:TAG"):
        parser.parse_args(["--image", "database=postgres:16"])
    assert (whole("3"), positive("0.5")) == (3, 0.5)
    for read, text in ((whole, "0"), (positive, "0"), (positive, "inf")):
        with pytest.raises(argparse.ArgumentTypeError):
            read(text)
