from dataclasses import replace

import numpy as np
import pytest

from tests.proof import records
from tidegate_proof.record.cluster import ClusterEvent, Kind
from tidegate_proof.record.documents import Object
from tidegate_proof.record.plan import Slo
from tidegate_proof.record.requests import Requests, Row
from tidegate_proof.record.scaling_figures import Replicas
from tidegate_proof.record.telemetry import GatewayLook
from tidegate_proof.verdict.efficiency import efficiency_of
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.lost import lost_requests
from tidegate_proof.verdict.outcomes import Outcomes, Windows
from tidegate_proof.verdict.pods import Pod, pods_of, replicas_of
from tidegate_proof.verdict.provisioning import Supply, elasticity_of, oracle_of, start_delay_s, supply_of
from tidegate_proof.verdict.scale_events import changes_of, scale_events_of
from tidegate_proof.verdict.spread import answered_by
from tidegate_proof.verdict.steps import at, steps_of

SECOND = 10**9
STEP = records.plan(warm_up_s=0, duration_s=30)
ENDS = {"warm-up": (0, 0), "low": (0, 10), "high": (10, 20), "low again": (20, 30)}
PLAN = replace(STEP, phases=tuple(replace(p, start_s=ENDS[p.name][0], end_s=ENDS[p.name][1]) for p in STEP.phases))
NOTHING = Replicas(desired=(), existing=(), ready=())


@pytest.fixture(scope="module")
def figures():
    run = records.record()
    return judge(run, rates_of(run.plan)).figures


def event(t_s: float, verb: records.Verb, kind: Kind, what: Object) -> ClusterEvent:
    return ClusterEvent(t_ns=round(t_s * SECOND), type=verb, kind=kind, object=what)


def pod(
    name: str, *, ready: bool = False, leaving: bool = False, ip: str = "10.0.0.1", phase: str = "Running"
) -> Object:
    return {
        "metadata": {"name": name, "labels": {}, **({"deletionTimestamp": "2026-01-02T03:04:05Z"} if leaving else {})},
        "status": {"podIP": ip, "phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def hpa(n: int) -> Object:
    return {"spec": {"scaleTargetRef": {"name": "tidegate-serving"}}, "status": {"desiredReplicas": n}}


def deployment(n: int) -> Object:
    return {"metadata": {"name": "tidegate-serving"}, "spec": {"replicas": n}}


# Replicas and time lines


def test_steps_are_summed_up_at_each_time():
    assert steps_of([(5, 1), (1, 1), (5, 1), (9, -1), (7, 1), (7, -1)]) == ((1, 1), (5, 3), (9, 2))
    assert at(((1, 1), (5, 3)), np.array([0, 1, 4, 5, 9])).tolist() == [0, 1, 1, 3, 3]


def test_a_pod_is_ready_until_it_is_told_to_go():
    events = [
        event(0, "ADDED", "Pod", pod("tidegate-serving-a", ip="")),
        event(2, "MODIFIED", "Pod", pod("tidegate-serving-a", ready=True)),
        event(7, "MODIFIED", "Pod", pod("tidegate-serving-a", ready=True, leaving=True)),
        event(9, "DELETED", "Pod", pod("tidegate-serving-a", leaving=True)),
    ]
    found = replicas_of("serving", pods_of(events), events)
    assert found.existing == ((0, 1), (9 * SECOND, 0))
    assert found.ready == ((2 * SECOND, 1), (7 * SECOND, 0))


def test_a_pod_that_fails_its_probe_for_a_while_is_not_ready_meanwhile():
    events = [
        event(t, "MODIFIED", "Pod", pod("tidegate-web-a", ready=ready))
        for t, ready in ((1, True), (3, False), (4, True))
    ]
    assert replicas_of("web", pods_of(events), events).ready == ((SECOND, 1), (3 * SECOND, 0), (4 * SECOND, 1))


def test_a_decision_is_timed_by_the_first_event_that_shows_it():
    events = [
        event(-1, "ADDED", "HorizontalPodAutoscaler", hpa(1)),
        event(-1, "ADDED", "Deployment", deployment(1)),
        event(14.9, "MODIFIED", "Deployment", deployment(3)),
        event(15, "MODIFIED", "HorizontalPodAutoscaler", hpa(3)),
        event(30, "MODIFIED", "HorizontalPodAutoscaler", hpa(3)),
        event(31, "MODIFIED", "HorizontalPodAutoscaler", hpa(2)),
    ]
    desired = replicas_of("serving", [], events).desired
    assert desired == ((-SECOND, 1), (round(14.9 * SECOND), 3), (31 * SECOND, 2))


def test_a_late_event_of_the_deployment_does_not_date_the_next_decision():
    events = [
        event(-1, "ADDED", "HorizontalPodAutoscaler", hpa(1)),
        event(-1, "ADDED", "Deployment", deployment(1)),
        event(15, "MODIFIED", "HorizontalPodAutoscaler", hpa(3)),
        event(15.1, "MODIFIED", "Deployment", deployment(1)),  # its status, from before
        event(15.2, "MODIFIED", "Deployment", deployment(3)),
        event(60, "MODIFIED", "Deployment", deployment(1)),
        event(60.1, "MODIFIED", "HorizontalPodAutoscaler", hpa(1)),
        event(90, "MODIFIED", "HorizontalPodAutoscaler", hpa(2)),
    ]
    desired = replicas_of("serving", [], events).desired
    assert desired == ((-SECOND, 1), (15 * SECOND, 3), (60 * SECOND, 1), (90 * SECOND, 2))


def test_without_an_autoscaler_the_deployment_tells_what_is_wanted():
    events = [event(0, "ADDED", "Deployment", deployment(1)), event(5, "MODIFIED", "Deployment", deployment(2))]
    assert replicas_of("serving", [], events).desired == ((0, 1), (5 * SECOND, 2))


def test_pods_belong_to_the_decision_before_them():
    pods = [
        Pod("a", "serving", -SECOND, ready=[(-SECOND, None)]),
        Pod("b", "serving", 11 * SECOND, ready=[(13 * SECOND, None)], gone_ns=29 * SECOND),
        Pod("c", "serving", 16 * SECOND),
        Pod("d", "web", 16 * SECOND),
    ]
    replicas = Replicas(
        desired=((-SECOND, 1), (11 * SECOND, 2), (16 * SECOND, 3), (28 * SECOND, 2)), existing=(), ready=()
    )
    quiet = Windows(1, np.zeros(30, np.bool_))
    changes = changes_of(PLAN, quiet)
    found = scale_events_of("serving", replicas, pods, changes, {"b": 14 * SECOND})
    assert [(e.replicas_from, e.replicas_to, e.pods) for e in found] == [(1, 2, ("b",)), (2, 3, ("c",)), (3, 2, ("b",))]
    assert [e.load_change_ns for e in found] == [10 * SECOND, 10 * SECOND, 20 * SECOND]
    assert (found[0].ready_ns, found[0].first_answer_ns) == ((13 * SECOND,), (14 * SECOND,))
    assert (found[1].ready_ns, found[1].first_answer_ns) == ((None,), (None,))
    assert found[2].gone_ns == (29 * SECOND,)


@pytest.mark.parametrize(
    ("violated", "back_s"),
    [
        ([], 10),
        ([10, 11, 12], 13),
        ([11, 12], 13),
        ([10, 13], 14),  # two clean seconds are not yet the SLO kept again
        ([10, 18], 11),  # seven are; what comes later is counted as violation
        ([10, 11, 12, 13, 14, 15, 16, 17, 18], 19),  # few seconds are left before the next change
        ([19], None),
        (list(range(10, 20)), None),
    ],
)
def test_the_slo_is_back_when_it_holds_for_some_seconds(violated, back_s):
    mask = np.zeros(30, np.bool_)
    mask[violated] = True
    first, _ = changes_of(PLAN, Windows(1, mask))
    assert first.slo_back_ns == (None if back_s is None else back_s * SECOND)


def test_a_load_that_never_changes_is_followed_by_nothing():
    steady = replace(PLAN, phases=tuple(replace(phase, change=False) for phase in PLAN.phases))
    quiet = Windows(1, np.zeros(30, np.bool_))
    assert changes_of(steady, quiet) == []


def test_a_step_has_a_time_line_from_load_to_slo(figures):
    up, down = figures.scale_events
    assert (up.tier, up.replicas_from, up.replicas_to) == ("serving", 1, 3)
    assert up.load_change_ns == 20 * SECOND
    line = [up.load_change_ns, up.decided_ns, up.created_ns[0], up.ready_ns[0], up.first_answer_ns[0]]
    assert line == sorted(line)
    assert (down.replicas_from, down.replicas_to) == (3, 1)
    assert set(down.pods) == set(up.pods)
    assert None not in down.gone_ns


def test_a_reaction_is_the_slowest_one_since_the_load_changed(figures):
    found = figures.reaction["serving"]
    up = figures.scale_events[0]
    assert (found.ups, found.downs) == (1, 1)
    assert found.decided_s == pytest.approx((up.decided_ns - 20 * SECOND) / SECOND)
    assert found.first_answer_s == pytest.approx((min(up.first_answer_ns) - 20 * SECOND) / SECOND, rel=1e-5)
    assert found.slo_back_s == pytest.approx((up.slo_back_ns - 20 * SECOND) / SECOND)


def test_a_tier_that_never_grew_has_no_reaction_time(figures):
    found = figures.reaction["web"]
    assert (found.ups, found.decided_s, found.ready_s, found.first_answer_s) == (0, None, None, None)


# Oracle and elasticity


def test_the_oracle_makes_pods_just_early_enough():
    rates = [10.0] * 4 + [45.0] * 3 + [10.0] * 3
    plan = replace(records.plan(warm_up_s=0, duration_s=30), phases=(replace(PLAN.phases[1], start_s=0, end_s=10),))
    replicas = Replicas(desired=(), existing=((-SECOND, 1), (5 * SECOND, 3)), ready=((-SECOND, 1), (6 * SECOND, 3)))
    supply = supply_of(plan, rates, 20, replicas, delay_s=2)
    assert supply.demand.tolist() == [1, 1, 1, 1, 3, 3, 3, 1, 1, 1]
    assert supply.oracle.tolist() == [1, 1, 3, 3, 3, 3, 3, 1, 1, 1]
    assert supply.existing.tolist() == [1, 1, 1, 1, 1, 3, 3, 3, 3, 3]
    found = oracle_of(supply, 20, 2)
    assert (found.pod_seconds, found.oracle_pod_seconds) == (20, 20)
    assert (found.over_pod_seconds, found.under_pod_seconds) == (6, 4)
    assert found.pods == ((0, 1), (2 * SECOND, 3), (7 * SECOND, 1))


def test_the_oracle_keeps_the_autoscalers_minimum():
    plan = replace(PLAN, autoscaler={"serving": {"minReplicas": 2}})
    supply = supply_of(plan, [1.0] * 30, 20, NOTHING, 0)
    assert set(supply.demand.tolist()) == {2}


def test_elasticity_is_relative_to_the_demand():
    demand, ready = np.array([2, 4, 1, 1]), np.array([1, 4, 3, 1])
    supply = Supply(np.arange(4) * SECOND, demand, demand, ready, ready)
    found = elasticity_of(supply, adaptations=2)
    assert found is not None
    assert (found.theta_u, found.theta_o) == (100 * 0.5 / 4, 100 * 2 / 4)
    assert (found.tau_u, found.tau_o, found.adaptations_per_hour) == (25, 25, 1800)


def test_a_start_delay_is_the_median_of_pods_made_in_the_run():
    pods = [
        Pod(name, "serving", created, ready=[(created + round(took * SECOND), None)])
        for name, created, took in (("old", -SECOND, 99), ("a", 1, 2.1), ("b", 2, 3.2), ("c", 3, 9))
    ]
    assert start_delay_s("serving", pods) == 4
    assert start_delay_s("web", pods) == 0


def test_without_a_knee_there_is_no_oracle():
    run = records.record()
    found = judge(replace(run, plan=replace(run.plan, knee=None)), rates_of(run.plan)).figures
    assert (found.oracle, found.elasticity) == ({}, {})


# Efficiency


def _answers(by_second: list[int], *, refused: bool) -> list[Row]:
    rows: list[Row] = []
    for second, n in enumerate(by_second):
        for place in range(n):
            start = second * SECOND + place * SECOND // n
            rows.append(Row(len(rows), start, start, start + 1, 200, "pod", "10.0.0.1:8500", len(rows) + 1))
        if refused:
            start = (second + 1) * SECOND - 1
            rows.append(Row(len(rows), start, start, start + 1, 429, "pod", "", len(rows) + 1, error="refused"))
    return rows


def _efficiency(levels: list[int], *, refused: bool = True, knee: bool = True):
    seconds = 6 * len(levels)
    plan = replace(
        PLAN,
        shape=replace(PLAN.shape, duration_s=seconds),
        phases=(replace(PLAN.phases[1], start_s=0, end_s=seconds),),
        slo=Slo(latency_ms=100, success=1),
        knee=PLAN.knee if knee else None,
    )
    outcomes = Outcomes.of(Requests.of(_answers([n for n in levels for _ in range(6)], refused=refused)), plan.slo)
    ready = tuple((6 * place * SECOND, place + 1) for place in range(len(levels)))
    return efficiency_of(plan, replace(NOTHING, ready=ready), outcomes, Windows.of(outcomes, seconds))


def test_usl_finds_the_law_that_made_the_points():
    def law(n: int) -> float:
        return 1000 * n / (1 + 0.05 * (n - 1) + 0.01 * n * (n - 1))

    found = _efficiency([round(law(n)) for n in range(1, 7)])
    assert [point.n for point in found.points] == [1, 2, 3, 4, 5, 6]
    assert all(point.saturated for point in found.points)
    assert found.usl is not None
    assert (found.usl.lambda_rps, found.usl.sigma, found.usl.kappa) == pytest.approx((1000, 0.05, 0.01), rel=0.05)
    assert found.usl.r2 > 0.999
    assert found.points[3].efficiency == pytest.approx(law(4) / 4000, rel=0.01)
    assert found.least == found.points[-1].efficiency


def test_too_few_points_are_not_fitted():
    found = _efficiency([100, 190, 270])
    assert found.usl is None
    assert found.reason == "numbers of replicas that were saturated: 3, a fit needs 4"


def test_replicas_that_were_not_asked_for_all_they_can_are_not_fitted():
    found = _efficiency([10, 20, 30, 40, 50], refused=False)
    assert not any(point.saturated for point in found.points)
    assert (found.usl, found.least) == (None, None)
    assert found.one_rps == records.CAPACITY_RPS


def test_without_a_knee_and_a_saturated_replica_efficiency_is_unknown():
    found = _efficiency([10, 20], refused=False, knee=False)
    assert (found.one_rps, [point.efficiency for point in found.points]) == (None, [None, None])


# Lost requests


def look(t_s: float, answered: int, **more) -> GatewayLook:
    return GatewayLook(t_ns=round(t_s * SECOND), pod="pod", pod_ip="10.0.0.9", answered=answered, **more)


def lost(rows: list[Row], *looks: GatewayLook):
    return lost_requests(Outcomes.of(Requests.of(rows), PLAN.slo), looks)


ROWS = [Row(n, n * SECOND, n * SECOND, n * SECOND + 5, 200, "pod", "10.0.0.1:8500", 8 + n) for n in range(4)]
LOSS = Row(4, 4 * SECOND, 4 * SECOND, error="lost")


def test_both_ends_agree_when_every_number_arrived():
    found = lost(ROWS, look(-1, 7), look(9, 11, final=True, clean=True))
    assert (found.client, found.gateway, found.unexplained, found.reconciled) == (0, 0, 0, True)
    assert found.by_pod["pod"].answered == 4


def test_an_answer_that_got_lost_is_missing_at_both_ends():
    found = lost([*ROWS, LOSS], look(-1, 7), look(9, 12, final=True, clean=True))
    assert (found.client, found.at_client, found.gateway, found.unexplained) == (1, (4,), 1, 0)
    assert found.reconciled


def test_an_answer_that_nobody_missed_is_not_explained():
    found = lost(ROWS, look(-1, 7), look(9, 12, final=True, clean=True))
    assert (found.client, found.gateway, found.unexplained, found.reconciled) == (0, 1, 1, False)


def test_a_request_that_was_refused_is_not_lost_and_one_without_connection_is():
    refused = Row(4, 4 * SECOND, 4 * SECOND, 4 * SECOND + 1, 429, "pod", "", 12, error="refused")
    unconnected = Row(5, 5 * SECOND, 5 * SECOND, error="connect")
    found = lost([*ROWS, refused, unconnected], look(-1, 7), look(9, 12, final=True, clean=True))
    assert (found.client, found.at_client, found.unexplained) == (1, (5,), 0)


@pytest.mark.parametrize(
    "looks",
    [
        (look(-1, 7),),
        (look(-1, 7), look(9, 11, final=True, clean=False)),
        (look(-1, 7), look(3, 11), look(4, 0), look(9, 2, final=True, clean=True)),
    ],
)
def test_a_gateway_without_a_total_is_not_reconciled(looks):
    found = lost(ROWS, *looks)
    assert (found.by_pod["pod"].missing, found.reconciled) == (None, False)


def test_a_number_that_came_twice_or_is_above_the_total_is_told():
    twice = [*ROWS, ROWS[3]._replace(id=4)]
    assert lost(twice, look(-1, 7), look(9, 11, final=True, clean=True)).by_pod["pod"].twice == 1
    assert lost(ROWS, look(-1, 7), look(9, 10, final=True, clean=True)).by_pod["pod"].twice == 1


def test_requests_sent_again_after_an_idle_close_are_counted_apart():
    run = records.record()
    rows = list(run.requests.rows())
    rows[100] = rows[100]._replace(idle_closes=2)
    found = judge(replace(run, requests=Requests.of(rows)), rates_of(run.plan)).figures.total
    assert (found.idle_closes, found.lost) == (2, 0)


# Spread


def test_an_even_spread_gives_each_pod_its_share(figures):
    for tier, spread in figures.spread.items():
        assert spread.pods == {"web": 2, "serving": 3}[tier]
        assert 0.85 < spread.least <= 1 <= spread.most < 1.15


def test_a_pod_is_known_by_its_address_while_it_lives():
    pods = [Pod("old", "serving", 0, ip="10.0.0.1", gone_ns=10), Pod("new", "serving", 20, ip="10.0.0.1")]
    rows = [Row(n, t, t, t + 1, 200, "pod", "10.0.0.1:8500", n + 1) for n, t in enumerate((3, 5, 30))]
    found = answered_by(pods, Requests.of(rows))
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "old": [True, True, False],
        "new": [False, False, True],
    }
