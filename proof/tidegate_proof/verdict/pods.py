"""Pods and desired replicas over the run, from what the watches saw."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate_proof.record.cluster import ClusterEvent, PodSeen, desired_seen, pod_seen
from tidegate_proof.record.plan import TIERS, Tier
from tidegate_proof.record.scaling_figures import Replicas, Steps
from tidegate_proof.verdict.steps import steps_of


@dataclass(slots=True)
class Pod:
    """A pod's life; all times in ns of the run.

    Attributes:
        name: Its own.
        tier: Which one.
        created_ns: When it was first seen.
        ip: The last one; empty as long as it has none.
        ready: From when until when; the end is None where it is Ready to the last.
        gone_ns: None where it lives.
    """

    name: str
    tier: Tier
    created_ns: int
    ip: str = ""
    ready: list[tuple[int, int | None]] = field(default_factory=list)
    gone_ns: int | None = None

    def note(self, seen: PodSeen, t_ns: int) -> None:
        """Take in what an event says."""
        self.ip = seen.ip or self.ip
        was_ready = bool(self.ready) and self.ready[-1][1] is None
        if seen.ready and not was_ready:
            self.ready.append((t_ns, None))
        elif was_ready and not seen.ready:
            self.ready[-1] = (self.ready[-1][0], t_ns)
        if seen.gone and self.gone_ns is None:
            self.gone_ns = t_ns

    @property
    def ready_ns(self) -> int | None:
        """When it was Ready first."""
        return self.ready[0][0] if self.ready else None


def pods_of(events: Sequence[ClusterEvent]) -> list[Pod]:
    """Return the pods of both tiers, in order of first sight."""
    pods: dict[str, Pod] = {}
    for event in events:
        seen = pod_seen(event)
        if seen is not None and seen.tier is not None:
            pod = pods.setdefault(seen.name, Pod(seen.name, seen.tier, event.t_ns))
            pod.note(seen, event.t_ns)
    return list(pods.values())


def replicas_of(tier: Tier, pods: Sequence[Pod], events: Sequence[ClusterEvent]) -> Replicas:
    """Return how many pods of a tier were wanted, there and Ready."""
    mine = [pod for pod in pods if pod.tier == tier]
    existing = [(pod.created_ns, 1) for pod in mine]
    existing += [(pod.gone_ns, -1) for pod in mine if pod.gone_ns is not None]
    ready = [(start, 1) for pod in mine for start, _ in pod.ready]
    ready += [(end, -1) for pod in mine for _, end in pod.ready if end is not None]
    return Replicas(desired=_desired(tier, events), existing=steps_of(existing), ready=steps_of(ready))


def tiers_of(pods: Sequence[Pod]) -> list[Tier]:
    """Return the tiers that have pods."""
    return [tier for tier in TIERS if any(pod.tier == tier for pod in pods)]


def _desired(tier: Tier, events: Sequence[ClusterEvent]) -> Steps:
    """Follow the HPA, or the Deployment where there is none.

    The controller scales the Deployment before it writes the HPA's status, so that a decision's time is that of the
    Deployment where it shows the new number already. The two come by different watches, in any order.
    """
    seen = [(event.t_ns, found) for event in events if (found := desired_seen(event)) and found.tier == tier]
    told = [(t_ns, found.replicas, found.autoscaler) for t_ns, found in seen if found.replicas is not None]
    by_hpa = any(autoscaler for *_, autoscaler in told)
    steps: list[tuple[int, int]] = []
    deployed, since_ns = -1, 0
    for t_ns, replicas, autoscaler in told:
        if by_hpa and not autoscaler:
            deployed, since_ns = (deployed, since_ns) if deployed == replicas else (replicas, t_ns)
        elif not steps:
            steps.append((t_ns, replicas))
        elif steps[-1][1] != replicas:
            ahead = deployed == replicas and since_ns > steps[-1][0]
            steps.append((since_ns if ahead else t_ns, replicas))
    return tuple(steps)
