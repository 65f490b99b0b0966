"""What the watches tell, beside the cluster's own stamps, the plan, the looks and the answers."""

from collections.abc import Iterator
from datetime import datetime

from tidegate_proof.record.cluster import ClusterEvent, desired_seen, part, text
from tidegate_proof.record.documents import Object
from tidegate_proof.record.folder import CLUSTER, GATEWAY, GENERATOR, PLAN, REQUESTS, Record
from tidegate_proof.verdict.differences import Difference
from tidegate_proof.verdict.outcomes import SECOND, Outcomes
from tidegate_proof.verdict.pods import pods_of
from tidegate_proof.verdict.spread import answered_by, first_answers

OPENING_S = 5.0
"""The longest from the first line of a record to the first request is believed to be; in eleven runs 3 s."""

EARLY_S = 3.0
"""How long before the cluster's own stamp a watch may seem to tell: clocks may be 2 s apart, else no run begins."""

TOLD_S = 8.0
"""How long after it a watch may tell; in eleven runs up to 1.05 s, one of which is the stamp's, to the second."""

PLANNED_S = 300.0
"""How long a plan may wait for its run; in eleven runs up to 6.1 s."""


def contradicted_by_cluster(record: Record) -> Iterator[Difference]:
    """Find what the watches tell and the rest of the record does not bear out: times, and the autoscalers' terms.

    Args:
        record: Raw data.
    """
    yield from _out_of_order(record)
    yield from _other_autoscalers(record)
    clock = next((event for event in record.cluster if event.type == "CLOCK" and event.wall), None)
    if clock is None or any(event.type == "GAP" for event in record.cluster):
        return  # without a clock, or where watches told late, the run is not valid
    yield from _on_another_day(record, clock)
    yield from _misdated(record, clock)
    yield from _before_it_was_there(record)


def _out_of_order(record: Record) -> Iterator[Difference]:
    """Hold the files' ends against each other.

    A run first asks for what there is, then looks at the gateways, ties the clocks, and starts the generator; after the
    gateways' last words it ties the clocks once more.
    """
    clocks = [event.t_ns for event in record.cluster if event.type == "CLOCK"]
    if record.cluster and (first := record.cluster[0].t_ns) < -OPENING_S * SECOND:
        yield Difference(CLUSTER, "line 1 t_ns", first, f"at least {round(-OPENING_S * SECOND)}")
    if record.cluster and record.gateway and record.gateway[0].t_ns < (first := record.cluster[0].t_ns):
        yield Difference(GATEWAY, "line 1 t_ns", record.gateway[0].t_ns, f"at least {first}, when a pod was seen first")
    if clocks and record.generator and record.generator[0].t_ns < clocks[0]:
        started = record.generator[0].t_ns
        yield Difference(GENERATOR, "line 1 t_ns", started, f"at least {clocks[0]}, when the clocks were tied first")
    if record.partial is None and clocks and record.gateway and record.gateway[-1].t_ns > clocks[-1]:
        last = record.gateway[-1].t_ns
        yield Difference(CLUSTER, "the last CLOCK line's t_ns", clocks[-1], f"at least {last}, of the last look")


def _other_autoscalers(record: Record) -> Iterator[Difference]:
    """Find an HPA that was seen first with other terms than the plan has."""
    seen: set[str] = set()
    for event in record.cluster:
        wanted = desired_seen(event)
        if event.object is None or wanted is None or not wanted.autoscaler or wanted.tier is None:
            continue
        planned = record.plan.autoscaler.get(wanted.tier, {})
        for field, value in part(event.object, "spec").items() if wanted.tier not in seen else ():
            if (told := planned.get(field)) != value:
                yield Difference(PLAN, f"autoscaler.{wanted.tier}.{field}", told, f"{value}, as {CLUSTER} tells first")
        seen.add(wanted.tier)


def _on_another_day(record: Record, clock: ClusterEvent) -> Iterator[Difference]:
    planned = _stamp_s(record.plan.started)
    began = _stamp_s(clock.wall)
    if planned is not None and began is not None and not -1 <= began - planned <= PLANNED_S:
        yield Difference(PLAN, "started", record.plan.started, f"up to {PLANNED_S:g} s before {clock.wall}")


def _misdated(record: Record, clock: ClusterEvent) -> Iterator[Difference]:
    """Find events of the run that were told at another time than the API server or the kubelet stamped them with."""
    origin_s = (_stamp_s(clock.wall) or 0.0) - clock.t_ns / SECOND
    known: dict[str, str] = {}
    for line, event in enumerate(record.cluster, 1):
        for field, stamp in _stamps(event, known):
            at_s = _stamp_s(stamp)
            told_s = origin_s + event.t_ns / SECOND
            if event.t_ns > 0 and at_s is not None and not -EARLY_S <= told_s - at_s <= TOLD_S:
                told = f"{round((told_s - at_s) * SECOND)} after its {field}"
                yield Difference(CLUSTER, f"line {line} t_ns", told, f"at most {round(TOLD_S * SECOND)}, not before")
                return


def _stamps(event: ClusterEvent, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Give the stamps of what an event tells for the first time.

    Args:
        event: Of a watch.
        known: Stamps that were told before, by field and object; is kept up.
    """
    if event.object is None:
        return
    metadata = part(event.object, "metadata")
    if event.type == "ADDED":
        yield "creationTimestamp", text(metadata, "creationTimestamp")
    told: dict[str, str] = {}
    if event.kind == "Pod":
        told["condition Ready"] = _ready_turned(event.object)
    elif event.kind == "HorizontalPodAutoscaler":
        told["lastScaleTime"] = text(part(event.object, "status"), "lastScaleTime")
    for field, stamp in told.items():
        key = f"{event.kind} {text(metadata, 'name')} {field}"
        if stamp and known.get(key) != stamp:
            known[key] = stamp
            yield field, stamp


def _ready_turned(pod: Object) -> str:
    conditions = part(pod, "status").get("conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, dict) and condition.get("type") == "Ready":
            return text(condition, "lastTransitionTime")
    return ""


def _stamp_s(stamp: str | None) -> float | None:
    """Return a time in s since 1970; None where it is none."""
    try:
        return datetime.fromisoformat(stamp).timestamp() if stamp else None
    except ValueError:
        return None


def _before_it_was_there(record: Record) -> Iterator[Difference]:
    """Find a pod that gave answers long before it was Ready, or to requests that were sent when it was gone."""
    requests, pods = record.requests, pods_of(record.cluster)
    answered = answered_by(pods, requests)
    firsts = first_answers(answered, requests, Outcomes.of(requests, record.plan.slo).right)
    for pod in pods:
        first = firsts.get(pod.name)
        if first is not None and pod.ready_ns is not None and first < pod.ready_ns - TOLD_S * SECOND:
            yield Difference(REQUESTS, f"first answer of {pod.name}", first, f"after {pod.ready_ns}, when it was Ready")
        if pod.gone_ns is not None and (sent := requests.sent_ns[answered[pod.name]]).size and sent.max() > pod.gone_ns:
            yield Difference(REQUESTS, f"last sent to {pod.name}", int(sent.max()), f"before {pod.gone_ns}, its end")
