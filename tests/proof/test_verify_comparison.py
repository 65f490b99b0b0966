"""A proof whose records are each sound, and that says nothing all the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.record.documents import write_document
from tidegate_proof.record.folder import Record
from tidegate_proof.record.manifest import seal
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.proof import PROOF
from tidegate_proof.verdict.comparison import incomparable
from tidegate_proof.verdict.proof import conclude, verify_proof
from tidegate_proof.verdict.verify import Outcome

PLAN = replace(records.plan(warm_up_s=4, duration_s=80), knee=None)
LOST, GOOD = records.THRESHOLDS[0], records.THRESHOLDS[2]


@pytest.fixture(scope="module")
def run() -> Record:
    return records.record(PLAN)


@pytest.fixture(scope="module")
def frozen() -> Record:
    return records.record(replace(PLAN, seed=8), frozen=True)


def planned(of: Record, **changes: object) -> Record:
    return replace(of, plan=replace(of.plan, **changes))  # type: ignore[arg-type]  # whatever field a test names


def found(root: Path, members: dict[str, Record], named: list[str] | None = None) -> str:
    """Say what cannot be compared in a proof of sealed records; an empty text where all can."""
    for folder, record in members.items():
        write_sealed(root / folder, record)
    proof = conclude(root, named or list(members), [])
    assert proof.passed
    return str(next(incomparable(root, proof), ""))


def test_runs_that_differ_by_their_seed_alone_can_be_compared(tmp_path: Path, run, frozen):
    again = records.record(replace(PLAN, seed=9))
    assert found(tmp_path, {"step.1": run, "step.2": again, "frozen": frozen}) == ""


def test_a_run_named_twice_is_no_repeat(tmp_path: Path, run, frozen):
    assert found(tmp_path, {"step": run, "frozen": frozen}, ["step", "step", "frozen"]) == (
        "step/requests.csv.gz: the run: recorded that of step again, recomputed a run of its own"
    )


def test_a_copy_of_a_run_is_no_repeat(tmp_path: Path, run, frozen):
    says = found(tmp_path, {"step.1": run, "step.2": run, "frozen": frozen})
    assert says.startswith("step.2/requests.csv.gz: the run: recorded that of step.1 again")


def test_a_run_that_failed_is_not_left_out(tmp_path: Path, run, frozen):
    bad = planned(records.record(replace(PLAN, seed=9), frozen=True), control=None)
    assert found(tmp_path, {"step.1": run, "step.2": bad, "frozen": frozen}, ["step.1", "frozen"]) == (
        "proof.json: runs: recorded without step.2, recomputed every run that was judged"
    )


def test_a_run_that_was_not_valid_and_was_done_again_may_be_left_out(tmp_path: Path, run, frozen):
    late = replace(run.requests, sent_ns=run.requests.sent_ns + 10**7, answered_ns=run.requests.answered_ns + 10**7)
    members = {"step.1": replace(run, requests=late), "step.1-again": run, "frozen": frozen}
    assert found(tmp_path, members, ["step.1-again", "frozen"]) == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda plan: {"timeout_s": plan.timeout_s + 1},
            "frozen/plan.json: timeout_s: recorded 6.0, recomputed 5.0, as in step",
        ),
        (
            lambda plan: {"slo": replace(plan.slo, latency_ms=100)},
            "frozen/plan.json: slo.latency_ms: recorded 100.0, recomputed 400.0, as in step",
        ),
        (
            lambda plan: {"thresholds": (*plan.thresholds[:-1], replace(plan.thresholds[-1], limit=0.75))},
            "frozen/plan.json: thresholds.no-idle-gateway.limit: recorded 0.75, recomputed 0.5, as in step",
        ),
    ],
)
def test_a_control_by_other_terms_than_its_run_is_named_by_what_differs(
    tmp_path: Path, run, frozen, change: Callable[[Plan], dict[str, object]], says
):
    assert found(tmp_path, {"step": run, "frozen": planned(frozen, **change(frozen.plan))}) == says


def test_a_run_is_not_easier_than_the_control_that_fails(tmp_path: Path, run, frozen):
    assert found(tmp_path, {"step": planned(run, thresholds=(LOST,)), "frozen": frozen}).startswith(
        "frozen/plan.json: thresholds.reconciled: recorded {"
    )


def test_a_control_has_to_break_what_its_run_had_to_hold(tmp_path: Path, run, frozen):
    impossible = replace(GOOD, name="as foreseen", metric="forecast.serving.near_share", limit=2)
    plan = {"thresholds": (LOST, impossible)}
    assert found(tmp_path, {"step": planned(run, thresholds=(LOST,)), "frozen": planned(frozen, **plan)}) == (
        "frozen/plan.json: thresholds that broke: recorded as foreseen, recomputed one that step had to hold"
    )


def test_a_control_of_a_scenario_without_a_run_controls_nothing(tmp_path: Path, run, frozen):
    assert "frozen/plan.json: scenario: recorded ramp, which no run has to pass" in found(
        tmp_path, {"step": run, "frozen": planned(frozen, scenario="ramp")}
    )


def test_a_frozen_autoscaler_that_adds_pods_was_not_frozen(tmp_path: Path, run):
    strict = planned(run, thresholds=(replace(GOOD, limit=0.99),))
    again = records.record(replace(strict.plan, seed=9, control="frozen-hpa"))
    easy = planned(frozen_free(strict), thresholds=strict.plan.thresholds)
    assert found(tmp_path, {"step": easy, "frozen": again}) == (
        "frozen/cluster.jsonl: replicas of serving: recorded 1 to 3, recomputed none added, by its control"
    )


def test_traffic_that_several_pods_answered_was_not_pinned(tmp_path: Path, run):
    strict = planned(run, thresholds=(replace(GOOD, limit=0.99),))
    again = records.record(replace(strict.plan, seed=9, control="pinned"))
    assert found(tmp_path, {"step": planned(frozen_free(strict)), "pinned": again}) == (
        "pinned/requests.csv.gz: pods of serving that answered: recorded 3, recomputed 1, by its control"
    )


def frozen_free(of: Record) -> Record:
    """Return a run of the same plan in which every answer came at once."""
    requests = of.requests
    answered = requests.sent_ns + 10**7
    status, error = requests.status.copy(), requests.error.copy()
    status[:], error[:] = 200, 0
    return replace(of, requests=replace(requests, answered_ns=answered, status=status, error=error))


def test_verify_looks_at_it_once_every_record_is_sound(tmp_path: Path, run, frozen):
    write_sealed(tmp_path / "step", run)
    write_sealed(tmp_path / "frozen", frozen)
    for named, outcome in ((["step", "frozen"], Outcome.PASSED), (["step", "step", "frozen"], Outcome.DIFFERS)):
        write_document(tmp_path / PROOF, conclude(tmp_path, named, []))
        seal(tmp_path)
        assert verify_proof(tmp_path).outcome is outcome
