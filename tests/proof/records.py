"""A made-up run: what a run on a cluster would have recorded, from a queueing model, the same each time.

Two gateways that never fail stand before model servers that answer one request after another, each in 1 / CAPACITY_RPS.
An HPA looks every SYNC_S, wants as many pods as the arrivals of the last sync need at 80 %, and shrinks only after what
it wanted was less for STABLE_S. `record()` is a run that reaches its thresholds; arguments make others.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count, groupby
from typing import Literal

from arrivals import Process, rates
from tidegate_proof.record.cluster import ClusterEvent, Kind
from tidegate_proof.record.documents import Object
from tidegate_proof.record.folder import Record
from tidegate_proof.record.knee import Knee, KneeRecord
from tidegate_proof.record.plan import (
    Cluster,
    Forecast,
    GeneratorLimits,
    KneeUsed,
    Node,
    Phase,
    Plan,
    Shape,
    Slo,
    Threshold,
    Tier,
)
from tidegate_proof.record.requests import Requests, Row
from tidegate_proof.record.telemetry import GatewayLook, GeneratorLook
from tidegate_proof.verdict.intended import counts_of, intended_of, rates_of

Verb = Literal["ADDED", "MODIFIED", "DELETED"]

SECOND = 10**9
CAPACITY_RPS = 20
GATEWAYS = ("tidegate-web-6d4f-aaaaa", "tidegate-web-6d4f-bbbbb")
SYNC_S = 5
STABLE_S = 15
START_S = 3
LOOK_NS = 1_000_000
"""What a look at a gateway takes."""
QUEUE_S = 1.5
"""Gateways refuse what would have to wait longer."""
UTILISATION = 0.8
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

THRESHOLDS = (
    Threshold(name="none-lost", metric="lost.client", op="<=", limit=0, why="a drain loses nothing"),
    Threshold(name="reconciled", metric="lost.unexplained", op="<=", limit=0, why="both ends agree"),
    Threshold(name="good", metric="total.good_share", op=">=", limit=0.6, why="most of a step is served well"),
    Threshold(name="slo-back", metric="reaction.serving.slo_back_s", op="<=", limit=20, why="the point of scaling"),
    Threshold(name="high-end", metric="phases.high.goodput_rps", op=">=", limit=24, why="more than one pod can do"),
    Threshold(name="no-idle-pod", metric="spread.serving.least", op=">=", limit=0.5, why="a new pod is used"),
    Threshold(name="no-idle-gateway", metric="spread.web.least", op=">=", limit=0.5, why="the same for gateways"),
)


def plan(
    *, warm_up_s: int = 2, duration_s: int = 90, base: float = 8, peak: float = 48, process: Process = "paced"
) -> Plan:
    """A step: low, high, low again."""
    levels = rates("step", base=base, peak=peak, duration_s=duration_s)
    ends = list(accumulate((len(list(level)) for _, level in groupby(levels)), initial=warm_up_s))
    return Plan(
        scenario="step",
        hypothesis="A step to 2.4 knees is served within the SLO again after at most 20 s.",
        control=None,
        tier="serving",
        model="work",
        rows=1,
        work_iterations=50,
        seed=7,
        process=process,
        shape=Shape(name="step", base=base, peak=peak, duration_s=duration_s),
        warm_up_s=warm_up_s,
        phases=(
            Phase(name="warm-up", start_s=0, end_s=ends[0], measured=False, change=False),
            Phase(name="low", start_s=ends[0], end_s=ends[1], measured=True, change=False),
            Phase(name="high", start_s=ends[1], end_s=ends[2], measured=True, change=True),
            Phase(name="low again", start_s=ends[2], end_s=ends[3], measured=True, change=True),
        ),
        slo=Slo(latency_ms=400),
        timeout_s=5,
        thresholds=THRESHOLDS,
        generator=GeneratorLimits(),
        knee=KneeUsed(sha256="00" * 32, capacity_rps=CAPACITY_RPS, folder="../knee-serving"),
        autoscaler={
            "serving": {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": _target("serving")},
            "web": {"minReplicas": 2, "maxReplicas": 2, "scaleTargetRef": _target("web")},
        },
        forecast=Forecast(
            replicas={"serving": ((0, 1), (float(ends[1] + 6), 4), (float(ends[2] + 20), 1))}, source="made up"
        ),
        cluster=Cluster(
            kubernetes="v1.35.0",
            nodes=(Node(name="node-1", cpu="2", memory="8Gi"),),
            namespace="tidegate-proof-7",
            images={"web": "tidegate/web:0.1.0", "serving": "tidegate/serving:0.1.0"},
        ),
        versions={"tidegate": "0.1.0", "python": "3.11"},
        started=STARTED.isoformat(),
    )


def knee(capacity_rps: float = CAPACITY_RPS) -> KneeRecord:
    """A model server's knee, found without trouble."""
    of = plan()
    return KneeRecord(
        tier="serving",
        target="http://10.0.0.1:8080/v1/models/work:predict",
        model=of.model,
        rows=of.rows,
        work_iterations=of.work_iterations,
        process="poisson",
        seed=of.seed,
        slo=of.slo,
        warm_up_s=2,
        generator=of.generator,
        steps=(),
        knee=Knee(capacity_rps=capacity_rps, low=capacity_rps, high=21, p99_ns=200, mean_pending=None, cores_used=None),
        refusal=None,
        cluster=of.cluster,
        versions=of.versions,
        started=of.started,
    )


@dataclass
class Pod:
    """A model server.

    Attributes:
        name: Its own.
        ip: Unique.
        created_ns: When it was made.
        ready_ns: When it takes requests.
        leaving_ns: When it takes no more.
        free_ns: When it has done all that it has.
    """

    name: str
    ip: str
    created_ns: int
    ready_ns: int
    leaving_ns: int | None = None
    free_ns: int = 0


@dataclass
class Scaler:
    """The HPA and the Deployment of the model servers.

    Attributes:
        pods: All that there ever were.
        events: What a watch would have shown.
        desired: Now.
    """

    frozen: bool
    pods: list[Pod] = field(default_factory=list)
    events: list[ClusterEvent] = field(default_factory=list)
    desired: int = 1
    lower_since_ns: int | None = None

    def start(self) -> None:
        """Have one pod that is there already."""
        self._add(-120 * SECOND, ready_ns=-100 * SECOND)
        self._tell(-SECOND, "ADDED")

    def sync(self, now_ns: int, rate_rps: float) -> None:
        """Do what the controller does every few seconds."""
        wanted = 1 if self.frozen else min(5, max(1, math.ceil(rate_rps / (CAPACITY_RPS * UTILISATION))))
        if wanted > self.desired:
            self._scale(now_ns, wanted)
        elif wanted == self.desired:
            self.lower_since_ns = None
        elif self.lower_since_ns is None:
            self.lower_since_ns = now_ns
        elif now_ns - self.lower_since_ns >= STABLE_S * SECOND:
            self._scale(now_ns, wanted)

    def usable(self, now_ns: int) -> list[Pod]:
        """Pods that take requests."""
        return [
            pod for pod in self.pods if pod.ready_ns <= now_ns and (pod.leaving_ns is None or now_ns < pod.leaving_ns)
        ]

    def _scale(self, now_ns: int, wanted: int) -> None:
        before, self.desired, self.lower_since_ns = self.desired, wanted, None
        self._tell(now_ns, "MODIFIED")
        for _ in range(wanted - before):
            self._add(now_ns + 100_000_000, ready_ns=now_ns + START_S * SECOND)
        for pod in [pod for pod in self.pods if pod.leaving_ns is None][wanted:]:
            pod.leaving_ns = now_ns + 100_000_000
            leaving = _pod(pod, "serving", ready=True, leaving=True)
            self.events.append(_event(pod.leaving_ns, "MODIFIED", "Pod", leaving))
            self.events.append(_event(pod.leaving_ns + 2 * SECOND, "DELETED", "Pod", leaving))

    def _add(self, now_ns: int, ready_ns: int) -> None:
        number = len(self.pods) + 1
        pod = Pod(f"tidegate-serving-5c7b-{number:05d}", f"10.0.1.{number}", now_ns, ready_ns)
        self.pods.append(pod)
        if ready_ns < 0:
            self.events.append(_event(-SECOND, "ADDED", "Pod", _pod(pod, "serving", ready=True)))
            return
        self.events.append(_event(now_ns, "ADDED", "Pod", _pod(replace(pod, ip=""), "serving", ready=False)))
        self.events.append(_event(now_ns + SECOND, "MODIFIED", "Pod", _pod(pod, "serving", ready=False)))
        self.events.append(_event(ready_ns, "MODIFIED", "Pod", _pod(pod, "serving", ready=True)))

    def _tell(self, now_ns: int, verb: Verb) -> None:
        hpa: Object = {
            "metadata": {"name": "tidegate-serving"},
            "spec": {"scaleTargetRef": _target("serving"), "minReplicas": 1},
            "status": {"desiredReplicas": self.desired},
        }
        deployment: Object = {"metadata": {"name": "tidegate-serving"}, "spec": {"replicas": self.desired}}
        self.events.append(_event(now_ns, verb, "Deployment", deployment))
        self.events.append(_event(now_ns + 20_000_000, verb, "HorizontalPodAutoscaler", hpa))


def record(of: Plan | None = None, *, frozen: bool = False, partial: str | None = None) -> Record:
    """Make a run up.

    Args:
        of: Its plan; a step without it.
        frozen: The HPA does nothing: a control.
        partial: Why the run stopped, if it did.
    """
    planned = plan() if of is None else of
    counts = tuple(counts_of(planned, rates_of(planned)))
    scaler = Scaler(frozen)
    scaler.start()
    rows = _serve(planned, counts, scaler)
    events = [*_gateway_events(), *scaler.events, *_clocks(planned.duration_s)]
    return Record(
        plan=replace(planned, control="frozen-hpa") if frozen else planned,
        arrivals=counts,
        requests=Requests.of(rows),
        cluster=tuple(sorted(events, key=lambda event: event.t_ns)),
        gateway=_gateway_looks(planned.duration_s, rows),
        generator=tuple(
            GeneratorLook(t_ns=second * SECOND, cpu_s=round(0.12 * second, 3), inflight=0)
            for second in range(planned.duration_s + 1)
        ),
        partial=partial,
    )


def _serve(plan: Plan, counts: Sequence[int], scaler: Scaler) -> list[Row]:
    source = random.Random(plan.seed)
    rows: list[Row] = []
    next_sync = SYNC_S * SECOND
    for number, intended in enumerate(intended_of(plan, counts)):
        while next_sync <= intended:
            second = next_sync // SECOND
            scaler.sync(next_sync, sum(counts[second - SYNC_S : second]) / SYNC_S)
            next_sync += SYNC_S * SECOND
        sent = intended + source.randrange(50_000, 400_000)
        pod = min(scaler.usable(sent), key=lambda pod: (max(pod.free_ns, sent), pod.name))
        gateway = GATEWAYS[number % 2]
        if pod.free_ns - sent > QUEUE_S * SECOND:
            rows.append(Row(number, intended, sent, sent + 2_000_000, 429, gateway, error="refused"))
            continue
        pod.free_ns = max(pod.free_ns, sent) + SECOND // CAPACITY_RPS
        answered = pod.free_ns + source.randrange(1_000_000, 3_000_000)
        rows.append(Row(number, intended, sent, answered, 200, gateway, f"{pod.ip}:8500"))
    return _numbered(rows)


def _numbered(rows: Sequence[Row]) -> list[Row]:
    """Number each gateway's answers in their order, from 101 and 201: it answered others before the run."""
    numbers = {gateway: count(100 * place + 1) for place, gateway in enumerate(GATEWAYS, 1)}
    order = sorted(rows, key=lambda row: (row.answered_ns or 0, row.id))
    return sorted(row._replace(seq=next(numbers[row.pod])) for row in order)


def _gateway_looks(duration_s: int, rows: Sequence[Row]) -> tuple[GatewayLook, ...]:
    looks: list[GatewayLook] = []
    for place, gateway in enumerate(GATEWAYS, 1):
        answers = sorted(row.answered_ns or 0 for row in rows if row.pod == gateway)
        refusals = sorted(row.answered_ns or 0 for row in rows if row.pod == gateway and row.error == "refused")
        done = 0
        for second in range(-1, duration_s + 1):
            look_ns = second * SECOND + LOOK_NS
            while done < len(answers) and answers[done] <= look_ns:
                done += 1
            look = GatewayLook(
                t_ns=look_ns,
                pod=gateway,
                pod_ip=f"10.0.0.{place}",
                answered=100 * place + done,
                inflight=0,
                shed=10 * place + bisect_right(refusals, look_ns),
            )
            looks.append(look)
        last = 100 * place + len(answers)
        looks.append(replace(look, t_ns=(duration_s + 5) * SECOND, answered=last, final=True, clean=True))
    return tuple(sorted(looks, key=lambda look: (look.t_ns, look.pod)))


def _gateway_events() -> list[ClusterEvent]:
    pods = [Pod(name, f"10.0.0.{place}", -120 * SECOND, 0) for place, name in enumerate(GATEWAYS, 1)]
    hpa: Object = {
        "metadata": {"name": "tidegate-web"},
        "spec": {"scaleTargetRef": _target("web"), "minReplicas": 2},
        "status": {"desiredReplicas": 2},
    }
    return [
        _event(-SECOND, "ADDED", "HorizontalPodAutoscaler", hpa),
        *(_event(-SECOND, "ADDED", "Pod", _pod(pod, "web", ready=True)) for pod in pods),
    ]


def _clocks(duration_s: int) -> list[ClusterEvent]:
    return [
        ClusterEvent(
            t_ns=second * SECOND,
            type="CLOCK",
            wall=(STARTED + timedelta(seconds=second)).isoformat(timespec="microseconds"),
        )
        for second in (*range(0, duration_s - 9, 10), duration_s + 6)
    ]


def _target(tier: Tier) -> Object:
    return {"kind": "Deployment", "name": f"tidegate-{tier}"}


def _pod(pod: Pod, tier: Tier, *, ready: bool, leaving: bool = False) -> Object:
    metadata: Object = {"name": pod.name, "uid": f"uid-{pod.name}", "labels": {"app.kubernetes.io/component": tier}}
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-02T03:05:00Z"
    return {
        "metadata": metadata,
        "status": {
            "phase": "Running" if pod.ip else "Pending",
            "podIP": pod.ip or None,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def _event(t_ns: int, verb: Verb, kind: Kind, what: Object) -> ClusterEvent:
    return ClusterEvent(t_ns=t_ns, type=verb, kind=kind, object=what)
