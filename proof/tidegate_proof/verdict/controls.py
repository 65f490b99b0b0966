"""Negative controls on a record: falsified copies of a run that passed, each of which has to be found out.

A proof that cannot fail shows nothing. Each control is a pure function from raw data to raw data. Where the forger is
assumed to be thorough, verdict and manifest are made again over the falsified data, so that hashes do not help.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np

from tidegate_proof.record.folder import Record
from tidegate_proof.record.requests import ABSENT, ERRORS, Code, Int, Requests
from tidegate_proof.record.telemetry import GatewayLook
from tidegate_proof.verdict.outcomes import OK, SECOND
from tidegate_proof.verdict.pods import pods_of
from tidegate_proof.verdict.spread import LEAST_READY_S

FAST_NS = 1_000_000
FAILING = 500
FAST_ERRORS = 20
"""All but one of so many are fast errors: 95 %."""

STALL_S = 2
STALL_EVERY_S = 20
HIDDEN = 5
"""Requests whose loss is hidden."""

EARLY_S = 10


class NotTriedError(Exception):
    """A control that this record gives no occasion for; the text says why."""


@dataclass(frozen=True, slots=True)
class Control:
    """A way to falsify a record.

    Attributes:
        name: For the command line.
        title: What is pretended.
        falsify: Raises NotTriedError where the record gives no occasion.
        sealed: Whether verdict and manifest are made again; else an edited file stands under the old ones.
    """

    name: str
    title: str
    falsify: Callable[[Record], Record]
    sealed: bool = True


def fast_errors(record: Record) -> Record:
    """Answer 95 % of the requests at once, with an error: latencies become splendid."""
    requests = record.requests
    chosen = (requests.answered_ns >= 0) & (requests.id % FAST_ERRORS != 0)
    return _with(
        record,
        answered_ns=np.where(chosen, requests.sent_ns + FAST_NS, requests.answered_ns),
        status=np.where(chosen, FAILING, requests.status),
        error=np.where(chosen, ERRORS.index("refused"), requests.error).astype(np.int32),
    )


def stalled_generator(record: Record) -> Record:
    """Let the generator sleep now and then, and send late what was due: service times stay as good as they were."""
    requests = record.requests
    period = STALL_EVERY_S * SECOND
    into = requests.intended_ns % period
    late = np.where((into < STALL_S * SECOND) & (requests.sent_ns >= 0), STALL_S * SECOND - into, 0)
    answered = np.where(requests.answered_ns >= 0, requests.answered_ns + late, requests.answered_ns)
    return _with(record, sent_ns=requests.sent_ns + late, answered_ns=answered)


def idle_replicas(record: Record) -> Record:
    """Let the pods that came in the run do nothing, and the first ones all the work as fast as before."""
    requests = record.requests
    pods = [pod for pod in pods_of(record.cluster) if pod.tier == record.plan.tier and pod.ready_ns is not None]
    end_ns = record.plan.duration_s * SECOND
    if not any(
        (pod.ready_ns or 0) > 0 and end_ns - (pod.ready_ns or 0) >= LEAST_READY_S[pod.tier] * SECOND for pod in pods
    ):
        raise NotTriedError(f"no pod of {record.plan.tier} became Ready in the run, long enough before its end")
    if record.plan.tier == "serving":
        return _with(record, backend=np.where(requests.backend >= 0, 0, requests.backend).astype(np.int32))
    return _to_first_gateway(record)


def _to_first_gateway(record: Record) -> Record:
    """Give one gateway all answers, with numbers and totals that agree, and without its count of refusals."""
    requests, first = record.requests, record.requests.pods[0]
    told = requests.seq > 0
    base = max((look.answered for look in record.gateway if look.pod == first and look.t_ns <= 0), default=0)
    order = np.lexsort((requests.id, requests.answered_ns))
    order = order[told[order]]
    seq: Int = requests.seq.copy()
    seq[order] = base + 1 + np.arange(len(order))
    looks = tuple(_relabelled(look, first, base, requests.answered_ns[order]) for look in record.gateway)
    found = _with(record, pod=np.where(told, 0, requests.pod).astype(np.int32), seq=seq)
    return replace(found, gateway=looks)


def _relabelled(look: GatewayLook, first: str, base: int, answered_ns: Int) -> GatewayLook:
    if look.pod != first:
        return replace(look, answered=0, shed=None)
    until = len(answered_ns) if look.final else int(np.searchsorted(answered_ns, look.t_ns, side="right"))
    return replace(look, answered=base + until, shed=None)


def edited_file(record: Record) -> Record:
    """Take a millisecond off one answer's time, in an editor."""
    requests = record.requests
    slow = np.flatnonzero(requests.answered_ns - requests.sent_ns > FAST_NS)
    if not len(slow):
        raise NotTriedError("no answer took a millisecond")
    answered: Int = requests.answered_ns.copy()
    answered[slow[0]] -= FAST_NS
    return _with(record, answered_ns=answered)


def dropped_losses(record: Record) -> Record:
    """Leave out the rows of requests without a right answer, or of some others, and count arrivals accordingly."""
    requests = record.requests
    gone = requests.error != ERRORS.index("")
    if not gone.any():
        gone = requests.id % max(1, len(requests) // HIDDEN) == 0
    kept = Requests.of(row._replace(id=number) for number, row in enumerate(compress(requests.rows(), ~gone)))
    seconds = kept.intended_ns // SECOND
    return replace(
        record, requests=kept, arrivals=tuple(np.bincount(seconds, minlength=record.plan.duration_s).tolist())
    )


def invented_answers(record: Record) -> Record:
    """Tell of answers that no gateway gave."""
    totals = {look.pod: look.answered - HIDDEN for look in record.gateway if look.final and look.answered > HIDDEN}
    if not totals:
        raise NotTriedError("no gateway told its total")
    looks = tuple(
        replace(look, answered=min(look.answered, totals.get(look.pod, look.answered))) for look in record.gateway
    )
    return replace(record, gateway=looks)


def coordinated_omission(record: Record) -> Record:
    """Count every request from when it was sent, as a closed loop does: waiting in line is forgotten."""
    requests = record.requests
    return _with(record, intended_ns=np.where(requests.sent_ns >= 0, requests.sent_ns, requests.intended_ns))


def relabelled_refusals(record: Record) -> Record:
    """Call what was turned away right answers, by a model server that gave others."""
    requests = record.requests
    refused = requests.is_error("refused") & (requests.pod >= 0)
    if not refused.any() or not requests.backends:
        raise NotTriedError("no gateway turned a request away")
    return _with(
        record,
        status=np.where(refused, OK, requests.status),
        error=np.where(refused, ERRORS.index(""), requests.error).astype(np.int32),
        backend=np.where(refused, 0, requests.backend).astype(np.int32),
    )


def unsent_failures(record: Record) -> Record:
    """Call what failed never sent, as far as the plan allows for that; of a run without failures, some answers."""
    requests = record.requests
    failed = np.flatnonzero(requests.error != ERRORS.index(""))
    chosen = failed if len(failed) else np.arange(0, len(requests), max(1, len(requests) // HIDDEN))
    chosen = chosen[: max(1, int(len(requests) * record.plan.generator.max_undispatched_share))]
    changed: dict[str, Int | Code] = {"error": requests.error.copy(), "idle_closes": requests.idle_closes.copy()}
    changed["error"][chosen], changed["idle_closes"][chosen] = ERRORS.index("undispatched"), 0
    for name in ("sent_ns", "answered_ns", "status", "pod", "backend", "seq"):
        changed[name] = getattr(requests, name).copy()
        changed[name][chosen] = ABSENT
    return _with(record, **changed)


def early_cluster(record: Record) -> Record:
    """Tell everything of the cluster sooner, so that it seems to have reacted faster."""
    return replace(
        record, cluster=tuple(replace(event, t_ns=event.t_ns - EARLY_S * SECOND) for event in record.cluster)
    )


CONTROLS: Sequence[Control] = (
    Control("fast-errors", "95 % of the answers are fast errors", fast_errors),
    Control("stalled-generator", "the generator stalls and sends late", stalled_generator),
    Control("idle-replicas", "new replicas get no requests", idle_replicas),
    Control("edited-file", "one latency is edited, the manifest is not", edited_file, sealed=False),
    Control("dropped-losses", "requests that failed are left out", dropped_losses),
    Control("invented-answers", "answers are told that no gateway gave", invented_answers),
    Control("coordinated-omission", "latency is counted from sending", coordinated_omission),
    Control("relabelled-refusals", "requests that were turned away are told as right", relabelled_refusals),
    Control("unsent-failures", "requests that failed are told as never sent", unsent_failures),
    Control("early-cluster", "the cluster's times are ten seconds early", early_cluster),
)


def _with(record: Record, **columns: Int | Code) -> Record:
    changes: dict[str, Any] = dict(columns)
    return replace(record, requests=replace(record.requests, **changes))
