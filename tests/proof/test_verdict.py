from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proof import records
from tidegate_proof.record.cluster import ClusterEvent
from tidegate_proof.record.documents import plain
from tidegate_proof.record.folder import Record
from tidegate_proof.record.plan import Slo, Threshold
from tidegate_proof.record.requests import Requests, Row
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.outcomes import Outcomes, Windows
from tidegate_proof.verdict.quantiles import quantiles, rank
from tidegate_proof.verdict.repeats import intervals
from tidegate_proof.verdict.thresholds import figure, judged

SECOND = 10**9
MS = 10**6
SLO = Slo(latency_ms=100, quantile=0.9, success=0.95)


def judge_record(record: Record) -> Verdict:
    return judge(record, rates_of(record.plan))


@pytest.fixture(scope="module")
def run() -> Record:
    return records.record()


@pytest.fixture(scope="module")
def verdict(run) -> Verdict:
    return judge_record(run)


def answered(number: int, at_ns: int, took_ns: int, **more) -> Row:
    return Row(number, at_ns, at_ns, at_ns + took_ns, 200, "pod", "10.0.0.1:8500", number + 1)._replace(**more)


def windows_of(rows: list[Row], duration_s: int, slo: Slo = SLO) -> Windows:
    return Windows.of(Outcomes.of(Requests.of(rows), slo), duration_s)


# Quantiles


@given(st.lists(st.integers(0, 2**50), min_size=1), st.integers(0, 20))
def test_quantiles_are_exact_and_count_what_never_came_as_infinite(values, never):
    found = quantiles(np.array(values, np.int64), len(values) + never)
    everything = np.array([*map(float, values), *[np.inf] * never])
    for share, name in ((0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99"), (0.999, "p999")):
        expected = float(np.quantile(everything, share, method="inverted_cdf"))
        value = getattr(found, name)
        assert (float("inf") if value is None else value) == expected
    assert (found.max, found.n) == (max(values), len(values))


@pytest.mark.parametrize(
    ("share", "n", "expected"),
    [(0.07, 100, 7), (0.29, 100, 29), (0.999, 1000, 999), (0.99, 1, 1), (1.0, 7, 7), (0.0, 7, 0)],
)
def test_a_share_means_what_it_says_and_not_what_its_float_is(share, n, expected):
    assert rank(share, n) == expected


def test_no_arrivals_have_no_quantiles():
    found = quantiles(np.zeros(0, np.int64), 0)
    assert (found.p50, found.p999, found.max, found.n) == (None, None, None, 0)


# The SLO


def test_a_second_with_too_few_good_answers_violates_the_slo():
    rows = [answered(n, n * SECOND // 10, 50 * MS) for n in range(20)]
    one_late = [*rows[:10], rows[10]._replace(answered_ns=rows[10].intended_ns + 101 * MS), *rows[11:]]
    two_late = [*one_late[:11], rows[11]._replace(answered_ns=rows[11].intended_ns + 101 * MS), *rows[12:]]
    assert windows_of(rows, 2).starts_s() == ()
    assert windows_of(one_late, 2).starts_s() == ()  # 9 of 10 is the 90 % that are asked for
    assert windows_of(two_late, 2).starts_s() == (1,)


def test_an_answer_in_exactly_the_limit_is_good():
    assert windows_of([answered(0, 0, 100 * MS)], 1).starts_s() == ()
    assert windows_of([answered(0, 0, 100 * MS + 1)], 1).starts_s() == (0,)


@pytest.mark.parametrize(
    "change",
    [
        {"error": "wrong"},
        {"error": "refused", "status": 503},
        {"error": "lost", "status": None, "answered_ns": None},
        {"error": "undispatched", "status": None, "answered_ns": None, "sent_ns": None},
    ],
)
def test_a_second_with_too_few_right_answers_violates_the_slo(change):
    rows = [answered(n, n * SECOND // 10, MS) for n in range(10)]
    rows[3] = rows[3]._replace(**change)
    assert windows_of(rows, 1).starts_s() == (0,)  # 9 of 10 are good, and 95 % have to be right


def test_latency_counts_from_the_intended_start():
    late = answered(0, 0, 100 * MS)._replace(intended_ns=0, sent_ns=50 * MS, answered_ns=120 * MS)
    assert windows_of([late], 1).starts_s() == (0,)


def test_a_second_without_arrivals_violates_nothing():
    assert windows_of([answered(0, 2 * SECOND, MS)], 4).starts_s() == ()


def test_windows_may_be_longer_than_a_second():
    rows = [answered(n, n * SECOND // 10, MS if n < 55 else 200 * MS) for n in range(60)]
    found = windows_of(rows, 6, replace(SLO, window_s=5))
    assert (found.starts_s(), found.violation_s(0, 6), found.violation_s(0, 5)) == ((5,), 1, 0)


# Phases and totals


def test_phases_account_for_every_arrival(run, verdict):
    phases = verdict.figures.phases
    assert sum(phase.arrivals for phase in phases) == sum(run.arrivals) == len(run.requests)
    for phase in phases:
        assert phase.arrivals == phase.right + sum(phase.errors.values())
        assert phase.good <= phase.right <= phase.answered <= phase.sent <= phase.arrivals
    assert sum(phase.violation_s for phase in phases) == len(verdict.figures.violations)


def test_warm_up_is_in_no_total(verdict):
    warm_up, *measured = verdict.figures.phases
    total = verdict.figures.total
    assert not warm_up.measured
    assert total.arrivals == sum(phase.arrivals for phase in measured)
    assert total.good == sum(phase.good for phase in measured)
    assert total.duration_s == 90


def test_the_heat_map_has_every_arrival_once(run, verdict):
    heat = verdict.figures.heat
    assert sum(map(sum, heat.counts)) + sum(heat.never) == len(run.requests)
    assert {len(row) for row in heat.counts} == {len(heat.bounds_ns) + 1}
    assert heat.bounds_ns[0] == MS
    assert heat.bounds_ns[-1] >= run.plan.timeout_s * SECOND


# Thresholds


@pytest.mark.parametrize(
    ("op", "limit", "margin", "passed"),
    [
        ("<=", 5, 1, True),
        ("<=", 4, 0, True),
        ("<=", 3, -1, False),
        (">=", 3, 1, True),
        (">=", 5, -1, False),
        ("==", 4, 0, True),
        ("==", 5, -1, False),
    ],
)
def test_a_threshold_tells_by_how_much(op, limit, margin, passed):
    found = judged(Threshold(name="a", metric="total.n", op=op, limit=limit, why=""), {"total": {"n": 4}})
    assert (found.value, found.margin, found.passed) == (4, margin, passed)


@pytest.mark.parametrize(
    "metric", ["total.m", "total", "other.n", "total.n.n", "phases.c.n", "phases.0.n", "phases.b.n"]
)
def test_a_figure_that_is_not_there_does_not_pass(metric):
    figures = {"total": {"n": 4}, "phases": [{"name": "a", "n": 1}, {"name": "b", "n": None}]}
    found = judged(Threshold(name="a", metric=metric, op="<=", limit=9, why=""), figures)
    assert (found.value, found.margin, found.passed) == (None, None, False)


def test_a_figure_of_a_list_is_found_by_name():
    assert figure({"phases": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}, "phases.b.n") == 2


# The verdict


def test_a_run_that_scales_passes(verdict):
    assert (verdict.state, verdict.valid, verdict.passed) == ("complete", True, True)


def test_a_run_whose_autoscaler_is_frozen_fails():
    verdict = judge_record(records.record(frozen=True))
    assert (verdict.valid, verdict.passed) == (True, False)
    assert {judged.name for judged in verdict.thresholds if not judged.passed} == {"good", "slo-back", "high-end"}


def test_a_partial_run_neither_passes_nor_fails(run):
    verdict = judge_record(replace(run, partial="Ctrl-C"))
    assert (verdict.state, verdict.reason, verdict.passed) == ("partial", "Ctrl-C", None)


def test_a_plan_without_thresholds_does_not_pass(run):
    assert judge_record(replace(run, plan=replace(run.plan, thresholds=()))).passed is False


def test_floats_have_six_digits(verdict):
    def floats(value: object) -> Iterator[float]:
        if isinstance(value, float):
            yield value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from floats(inner)

    found = list(floats(plain(verdict)))
    assert len(found) > 50
    assert all(number == float(f"{number:.6g}") for number in found)


def test_a_verdict_is_the_same_each_time(run, verdict):
    assert judge_record(run) == verdict


def test_a_run_of_nothing_is_judged_too(run):
    nothing = replace(run, requests=Requests.of([]), cluster=(), gateway=(), generator=())
    verdict = judge_record(replace(nothing, partial="the cluster went away"))
    assert (verdict.passed, verdict.valid, verdict.figures.total.arrivals) == (None, False, 0)


# Validity


def failed(record: Record) -> list[str]:
    verdict = judge_record(record)
    assert verdict.passed is None or verdict.valid
    return [check.name for check in verdict.validity if not check.passed]


def test_a_generator_that_lags_makes_the_run_invalid(run):
    late = replace(
        run.requests, sent_ns=np.where(run.requests.id % 50 == 0, run.requests.sent_ns + 6 * MS, run.requests.sent_ns)
    )
    assert failed(replace(run, requests=late)) == ["generator lag p99, ms"]


def test_a_generator_that_is_busy_makes_the_run_invalid(run):
    busy = tuple(replace(look, cpu_s=look.cpu_s * 6) for look in run.generator)
    assert failed(replace(run, generator=busy)) == ["generator busy, share of a core"]


def test_a_generator_that_nobody_looked_at_makes_the_run_invalid(run):
    unseen = tuple(look for look in run.generator if look.t_ns < 40 * SECOND)
    assert failed(replace(run, generator=unseen)) == ["generator busy, share of a core"]


def test_a_gap_in_a_watch_makes_the_run_invalid(run):
    gap = ClusterEvent(t_ns=200 * SECOND, type="GAP", kind="Pod", text="resource version too old")
    assert failed(replace(run, cluster=(*run.cluster, gap))) == ["gaps in watches"]


def test_a_clock_that_steps_makes_the_run_invalid(run):
    def late(event: ClusterEvent) -> ClusterEvent:
        if event.wall is None or event.t_ns < 50 * SECOND:
            return event
        return replace(event, wall=(datetime.fromisoformat(event.wall) + timedelta(seconds=1)).isoformat())

    assert failed(replace(run, cluster=tuple(map(late, run.cluster)))) == ["clocks parted, ms"]


def test_clocks_that_nobody_compared_make_the_run_invalid(run):
    silent = tuple(event for event in run.cluster if event.type != "CLOCK" or event.t_ns == 0)
    assert failed(replace(run, cluster=silent)) == ["without a CLOCK line, s"]


def test_a_gateway_that_nobody_looked_at_makes_the_run_invalid(run):
    unseen = tuple(look for look in run.gateway if look.pod != records.GATEWAYS[1])
    assert failed(replace(run, gateway=unseen)) == ["gateways without an exact total", "gateways not looked at"]


def test_a_gateway_whose_last_word_nobody_heard_makes_the_run_invalid(run):
    unclean = tuple(replace(look, clean=False) for look in run.gateway)
    assert failed(replace(run, gateway=unclean)) == ["gateways without an exact total"]


def test_a_right_answer_without_a_gateways_number_makes_the_run_invalid(run):
    seq = run.requests.seq.copy()
    seq[np.flatnonzero(run.requests.error == 0)[:3]] = -1
    unsigned = replace(run, requests=replace(run.requests, seq=seq))
    assert failed(unsigned) == ["right answers without a gateway's number"]


def test_an_answer_of_a_pod_that_no_watch_saw_makes_the_run_invalid(run):
    unwatched = tuple(event for event in run.cluster if "10.0.1.1" not in str(event.object))
    assert failed(replace(run, cluster=unwatched)) == ["answers of pods that no watch saw"]


def test_a_number_that_came_twice_makes_the_run_invalid(run):
    seq = run.requests.seq.copy()
    seq[50] = seq[48]
    assert failed(replace(run, requests=replace(run.requests, seq=seq))) == ["answers that no gateway counts"]


def test_arrivals_that_were_not_sent_make_the_run_invalid(run):
    rows = list(run.requests.rows())
    rows[::50] = [Row(row.id, row.intended_ns, error="undispatched") for row in rows[::50]]
    assert failed(replace(run, requests=Requests.of(rows))) == ["undispatched, share of arrivals"]


# Repeats


def test_repeats_give_students_interval(verdict):
    figures = verdict.figures
    three = [
        replace(verdict, figures=replace(figures, total=replace(figures.total, violation_s=seconds)))
        for seconds in (8, 10, 15)
    ]
    (found,) = intervals("step", three, ["total.violation_s"])
    assert (found.n, found.mean) == (3, 11)
    assert found.low == pytest.approx(11 - 4.302653 * 3.605551 / 3**0.5, rel=1e-6)  # t(0.975, 2), by the table
    assert found.high == pytest.approx(11 + 4.302653 * 3.605551 / 3**0.5, rel=1e-6)


def test_a_single_run_has_no_interval(verdict):
    (found,) = intervals("step", [verdict], ["total.violation_s"])
    assert (found.mean, found.low, found.high) == (8, None, None)


def test_a_figure_that_no_run_has_is_left_out(verdict):
    assert intervals("step", [verdict], ["reaction.web.decided_s"]) == ()
