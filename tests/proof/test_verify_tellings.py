"""What two files of a record tell independently is compared: who forges one of them is contradicted by the other."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.proof import records
from tests.proof.sealing import with_value
from tidegate_proof.engine.generator import Limits
from tidegate_proof.record.cluster import ClusterEvent
from tidegate_proof.record.folder import Record, read_record
from tidegate_proof.record.requests import ABSENT, ERRORS
from tidegate_proof.verdict.controls import relabelled_refusals, unsent_failures
from tidegate_proof.verdict.outcomes import SECOND
from tidegate_proof.verdict.told_by_cluster import contradicted_by_cluster
from tidegate_proof.verdict.told_by_gateways import contradicted_by_gateways
from tidegate_proof.verdict.told_by_generator import CONNECTIONS, LATE_NS, contradicted_by_generator

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"

Forge = Callable[[Record], Record]


def contradictions(record: Record) -> list[str]:
    """Hold a record's files against each other."""
    found = (
        *contradicted_by_gateways(record),
        *contradicted_by_generator(record),
        *contradicted_by_cluster(record),
    )
    return [str(difference) for difference in found]


@pytest.fixture(scope="module")
def run() -> Record:
    """A run with requests under way and with stamps of the cluster, which are told twice."""
    run = records.record(records.plan(warm_up_s=4, duration_s=80))
    requests = run.requests
    return replace(
        run,
        generator=tuple(
            replace(look, inflight=int(((requests.sent_ns <= look.t_ns) & (requests.answered_ns > look.t_ns)).sum()))
            for look in run.generator
        ),
        cluster=tuple(_stamped(run.cluster)),
    )


def _stamped(events: tuple[ClusterEvent, ...]) -> Iterator[ClusterEvent]:
    """Give events with the API server's stamps, to the second: when objects were made, Ready, scaled."""
    desired: dict[str, object] = {}
    for event in events:
        if event.object is None:
            yield event
            continue
        stamp = (records.STARTED + timedelta(seconds=event.t_ns // SECOND)).strftime("%Y-%m-%dT%H:%M:%SZ")
        found: dict[str, Any] = {**event.object}
        metadata, status = dict(found["metadata"]), dict(found.get("status", {}))
        if event.type == "ADDED":
            metadata["creationTimestamp"] = stamp
        if event.kind == "Pod":
            status["conditions"] = [{**condition, "lastTransitionTime": stamp} for condition in status["conditions"]]
        if event.kind == "HorizontalPodAutoscaler":
            if desired.get(metadata["name"], status["desiredReplicas"]) != status["desiredReplicas"]:
                status["lastScaleTime"] = stamp
            desired[metadata["name"]] = status["desiredReplicas"]
        yield replace(event, object={**found, "metadata": metadata, "status": status})


def test_an_honest_run_holds_no_contradiction(run):
    assert run.requests.is_error("refused").sum() > 10
    assert max(look.inflight for look in run.generator) > 1
    assert contradictions(run) == []


@pytest.mark.parametrize("name", ["proof-serving/step.2", "proof-web/web-ramp-frozen-hpa.1"])
def test_recorded_runs_hold_none(name):
    assert contradictions(read_record(EVIDENCE / name)) == []


# The gateways


def test_refusals_that_are_told_as_right_answers_are_too_many_for_the_gateways(run):
    found = contradictions(relabelled_refusals(run))
    assert len(found) == len(records.GATEWAYS)
    assert all(one.startswith("gateway.jsonl: line ") and one.endswith(", by the answers 200") for one in found)


def test_a_single_refusal_told_as_right_is_one_too_many(run):
    (row, *_) = np.flatnonzero(run.requests.is_error("refused"))
    error, status = run.requests.error.copy(), run.requests.status.copy()
    error[row], status[row] = ERRORS.index(""), 200
    (found,) = contradictions(replace(run, requests=replace(run.requests, error=error, status=status)))
    assert "by the answers 200" in found


def test_a_gateway_does_not_forget_whom_it_turned_away(run):
    forgetful = tuple(replace(look, shed=0) for look in run.gateway)
    found = contradictions(replace(run, gateway=forgetful))
    assert len(found) == len(records.GATEWAYS)
    assert all("by the answers 429" in one for one in found)


def test_refusals_before_the_run_are_others(run):
    busy = tuple(replace(look, shed=None if look.shed is None else look.shed + 1000) for look in run.gateway)
    assert contradictions(replace(run, gateway=busy)) == []


@pytest.mark.parametrize("seconds", [-10, 10])
def test_answers_are_counted_when_they_are_given(run, seconds):
    moved = tuple(replace(look, t_ns=look.t_ns + seconds * SECOND) for look in run.gateway)
    (found, *_) = map(str, contradicted_by_gateways(replace(run, gateway=moved)))
    assert found.startswith("requests.csv.gz: row ")
    assert "a look " in found


def test_a_look_may_be_on_its_way_for_a_while(run):
    slow = tuple(look if look.final else replace(look, t_ns=look.t_ns + 2 * SECOND) for look in run.gateway)
    assert list(contradicted_by_gateways(replace(run, gateway=slow))) == []


def test_answers_to_somebody_else_may_have_no_number(run):
    others = tuple(replace(look, answered=look.answered + (3 if look.t_ns > 0 else 0)) for look in run.gateway)
    assert list(contradicted_by_gateways(replace(run, gateway=others))) == []


def test_a_gateway_that_was_started_again_counts_anew(run):
    anew = tuple(replace(look, answered=look.answered % 150) for look in run.gateway)
    assert list(contradicted_by_gateways(replace(run, gateway=anew))) == []


# The generator


def test_the_causes_for_which_nothing_is_sent_are_the_engines():
    assert (Limits().late_s * SECOND, Limits().connections) == (LATE_NS, CONNECTIONS)


def _left_out(run: Record, row: int) -> Record:
    for column in ("sent_ns", "answered_ns", "status", "pod", "backend", "seq"):
        run = with_value(column, row, ABSENT)(run)
    return replace(with_value("error", row, ERRORS.index("undispatched"))(run), generator=())


def test_failures_that_are_told_as_never_sent_have_no_cause(run):
    (found, *_) = map(str, contradicted_by_generator(unsent_failures(run)))
    assert "error: recorded undispatched, recomputed sent, since " in found


def test_an_arrival_that_the_generator_came_to_too_late_is_never_sent(run):
    row = len(run.requests) // 2
    skipped = _left_out(run, row)
    assert list(contradicted_by_generator(skipped))
    stalled = np.where(np.arange(len(run.requests)) > row, LATE_NS + SECOND, 0)
    requests = replace(skipped.requests, sent_ns=skipped.requests.sent_ns + stalled)
    assert list(contradicted_by_generator(replace(skipped, requests=requests))) == []


def test_an_arrival_for_which_every_connection_was_taken_is_never_sent(run):
    row = len(run.requests) - 2
    skipped = _left_out(run, row)
    assert list(contradicted_by_generator(skipped))
    assert row > CONNECTIONS
    held = np.where(skipped.requests.answered_ns >= 0, 10**12, ABSENT)
    waiting = replace(skipped, requests=replace(skipped.requests, answered_ns=held))
    assert list(contradicted_by_generator(waiting)) == []


def test_what_was_under_way_is_in_the_rows(run):
    faster = replace(
        run.requests, answered_ns=run.requests.sent_ns + (run.requests.answered_ns - run.requests.sent_ns) // 10
    )
    (found,) = map(str, contradicted_by_generator(replace(run, requests=faster)))
    assert found.startswith("generator.jsonl: line ")
    assert found.endswith(", by the rows")


def test_a_run_that_was_broken_off_may_leave_out_what_was_still_to_come(run):
    assert list(contradicted_by_generator(replace(unsent_failures(run), partial="Ctrl-C"))) == []


# The cluster


def _moved(seconds: float, which: Callable[[ClusterEvent], bool] = lambda _: True) -> Forge:
    def forge(run: Record) -> Record:
        moved = [
            replace(event, t_ns=event.t_ns + round(seconds * SECOND)) if which(event) else event
            for event in run.cluster
        ]
        return replace(run, cluster=tuple(sorted(moved, key=lambda event: event.t_ns)))

    return forge


def _decision(event: ClusterEvent) -> bool:
    return event.type == "MODIFIED" and event.kind in {"HorizontalPodAutoscaler", "Deployment"}


def _came(event: ClusterEvent) -> bool:
    return event.t_ns > 0 and event.kind == "Pod"


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (_moved(-10), "cluster.jsonl: line 1 t_ns: recorded -11000000000, recomputed at least -5000000000"),
        (_moved(10), "gateway.jsonl: line 1 t_ns: recorded -999000000, recomputed at least 9000000000"),
        (_moved(-7, lambda event: event.type == "CLOCK"), "cluster.jsonl: the last CLOCK line's t_ns: "),
        (_moved(2, lambda event: event.type == "CLOCK"), "generator.jsonl: line 1 t_ns: recorded 0, recomputed at"),
        (_moved(-5, _decision), " after its lastScaleTime"),
        (_moved(-5, _came), " after its creationTimestamp"),
        (_moved(12, _came), " after its creationTimestamp"),
        (_moved(-4, lambda event: _came(event) and event.type == "MODIFIED"), " after its condition Ready"),
    ],
)
def test_times_of_the_cluster_that_were_moved_are_contradicted(run, forge, says):
    assert says in "\n".join(contradictions(forge(run)))


def test_a_clock_that_is_two_seconds_off_is_none(run):
    early = tuple(
        replace(event, wall=(records.STARTED + timedelta(seconds=2, microseconds=event.t_ns // 1000)).isoformat())
        if event.wall
        else event
        for event in run.cluster
    )
    assert contradictions(replace(run, cluster=early)) == []


def test_a_watch_that_broke_may_tell_late(run):
    gap = ClusterEvent(t_ns=0, type="GAP", kind="Pod", text="it broke")
    late = _moved(12, _came)(replace(run, cluster=(run.cluster[0], gap, *run.cluster[1:])))
    assert not any("creationTimestamp" in found for found in contradictions(late))


def test_pods_answer_while_they_are_there(run):
    def tells(event: ClusterEvent) -> bool:
        return event.kind == "Pod" and records.GATEWAYS[1] in str(event.object)

    late = _moved(20, tells)(run)
    assert any(found.startswith(f"requests.csv.gz: first answer of {records.GATEWAYS[1]}: ")
               for found in contradictions(late))  # fmt: skip
    (there,) = [event for event in run.cluster if tells(event)]
    gone = (*run.cluster, replace(there, t_ns=20 * SECOND, type="DELETED"))
    ended = replace(run, cluster=tuple(sorted(gone, key=lambda event: event.t_ns)))
    assert any(found.startswith(f"requests.csv.gz: last sent to {records.GATEWAYS[1]}: ")
               for found in contradictions(ended))  # fmt: skip


def test_the_plans_autoscaler_is_the_one_that_the_cluster_had(run):
    easier = {**run.plan.autoscaler, "serving": {**run.plan.autoscaler["serving"], "minReplicas": 4}}
    (found,) = contradictions(replace(run, plan=replace(run.plan, autoscaler=easier)))
    assert found == "plan.json: autoscaler.serving.minReplicas: recorded 4, recomputed 1, as cluster.jsonl tells first"


def test_a_plan_is_of_the_day_of_its_run(run):
    (found,) = contradictions(replace(run, plan=replace(run.plan, started="2026-01-01T03:04:05+00:00")))
    assert found.startswith("plan.json: started: recorded 2026-01-01T03:04:05+00:00, ")
