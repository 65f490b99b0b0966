"""Figures of a verdict about replicas: when they came, what they did, how many too many or too few."""

from dataclasses import dataclass

from tidegate_proof.record.documents import Real
from tidegate_proof.record.plan import Tier

Steps = tuple[tuple[int, int], ...]
"""(t_ns, replicas from then on)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """A tier's replicas over the run.

    Attributes:
        desired: By its autoscaler.
        existing: Pods, from the first sight of each until it is gone.
        ready: Pods that are Ready and not being deleted.
    """

    desired: Steps
    existing: Steps
    ready: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleEvent:
    """One decision of an autoscaler and what came of it; all times in ns of the run.

    Attributes:
        tier: Which one.
        replicas_from: Desired before.
        replicas_to: Desired from then on.
        load_change_ns: The latest change of the load before it; None where there was none.
        decided_ns: The first watch event with the new number.
        pods: Made until the next decision; for a decision downwards, those that went.
        created_ns: When each was first seen.
        ready_ns: When each became Ready; None where it never did.
        first_answer_ns: When the first right answer of each arrived; None where there was none.
        gone_ns: When each was gone; None where it lives.
        slo_back_ns: When the SLO was kept again; None where it was not before the load changed again.
    """

    tier: Tier
    replicas_from: int
    replicas_to: int
    load_change_ns: int | None
    decided_ns: int
    pods: tuple[str, ...]
    created_ns: tuple[int, ...]
    ready_ns: tuple[int | None, ...]
    first_answer_ns: tuple[int | None, ...]
    gone_ns: tuple[int | None, ...]
    slo_back_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """The slowest reaction of a tier to a change of the load, in s since that change, over the measured phases.

    Attributes:
        ups: Decisions upwards.
        downs: Decisions downwards.
        decided_s: Until the first decision upwards, over changes that made the tier grow; None without any.
        ready_s: Until a new pod was Ready, over the same; None where none ever was.
        first_answer_s: Until a new pod answered, the same.
        slo_back_s: Until the SLO was kept again, over all changes; None where it never was, or without a change.
    """

    ups: int
    downs: int
    decided_s: Real | None
    ready_s: Real | None
    first_answer_s: Real | None
    slo_back_s: Real | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficiencyPoint:
    """What so many replicas did.

    Attributes:
        n: Replicas that were Ready all the time.
        throughput_rps: The most right answers a second over one stretch.
        efficiency: throughput_rps / (n * that of one).
        saturated: Whether more was asked of them than they did; else they may be able to do more.
    """

    n: int
    throughput_rps: Real
    efficiency: Real | None
    saturated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Usl:
    """Gunther's universal scalability law X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).

    Attributes:
        lambda_rps: What one does.
        sigma: Contention.
        kappa: Coherence.
        r2: Share of the variance that it explains.
    """

    lambda_rps: Real
    sigma: Real
    kappa: Real
    r2: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """How throughput grows with the replicas of the plan's tier.

    Attributes:
        points: By n.
        one_rps: What one does, that efficiency is relative to; None where nobody measured it.
        least: The lowest efficiency of several saturated replicas; None without any.
        usl: None where it could not be fitted.
        reason: Why not.
    """

    points: tuple[EfficiencyPoint, ...]
    one_rps: Real | None
    least: Real | None
    usl: Usl | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Beside a scaler that knows the future, in the measured phases.

    Attributes:
        capacity_rps: Of one pod.
        start_delay_s: Of a pod, median of those that started in the run, rounded up; the oracle's too.
        pod_seconds: That existed.
        oracle_pod_seconds: That the oracle would have had.
        over_pod_seconds: More than the oracle, summed over seconds with more.
        under_pod_seconds: Pods that were needed and not ready, summed over seconds.
        pods: The oracle's.
    """

    capacity_rps: Real
    start_delay_s: int
    pod_seconds: int
    oracle_pod_seconds: int
    over_pod_seconds: int
    under_pod_seconds: int
    pods: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The plan's forecast of a tier's desired replicas beside what came, over the seconds of the measured phases.

    Attributes:
        same_share: Of the seconds, with the very number that was forecast.
        near_share: Of the seconds, with a number that lies within the forecast's of one period of the controller before
            until one after: nobody knows beforehand when in its period the controller looks.
        mean_difference: Replicas more than were forecast, on average.
    """

    same_share: Real
    near_share: Real
    mean_difference: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Elasticity:
    """SPEC Research Group's metrics, in the measured phases.

    Attributes:
        theta_u: Accuracy of under-provisioning, % of the demand.
        theta_o: Accuracy of over-provisioning, % of the demand.
        tau_u: % of the time under-provisioned.
        tau_o: % of the time over-provisioned.
        adaptations_per_hour: Decisions an hour.
    """

    theta_u: Real
    theta_o: Real
    tau_u: Real
    tau_o: Real
    adaptations_per_hour: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class PodShare:
    """What a pod got of the load.

    Attributes:
        tier: Which one.
        requests: Answered by it.
        first_ns: The first answer's arrival; None without any.
        last_ns: The last one's.
        ready_s: Seconds of the run with arrivals in which it was ready.
        share_while_ready: Of the answered requests that were sent in those.
        fair_share: What an even spread over the ready pods would have given it.
    """

    tier: Tier
    requests: int
    first_ns: int | None
    last_ns: int | None
    ready_s: Real
    share_while_ready: Real
    fair_share: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How evenly a tier's pods were used.

    Attributes:
        least: The smallest share_while_ready / fair_share among pods that were ready for some time; None without any.
        most: The largest.
        pods: How many those are.
    """

    least: Real | None
    most: Real | None
    pods: int
