"""Too many pods and too few: against a clairvoyant oracle, and in SPEC's elasticity metrics.

N. Herbst et al., Ready for Rain? A View from SPEC Research on the Future of Cloud Metrics, 2016 (arXiv:1604.03470),
section 4: accuracy theta and timeshare tau of under- and over-provisioning, relative to the demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_proof.record.cluster import count
from tidegate_proof.record.plan import Plan, Tier
from tidegate_proof.record.requests import Int
from tidegate_proof.record.scaling_figures import Elasticity, Oracle, Replicas
from tidegate_proof.verdict.outcomes import SECOND
from tidegate_proof.verdict.pods import Pod
from tidegate_proof.verdict.steps import at, measured_seconds, sampled

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Supply:
    """Pods in each second of the measured phases, by their number at its start.

    Attributes:
        starts_ns: Of each second.
        demand: Whole pods that the second's intended load needs, at least the autoscaler's minimum.
        oracle: Pods that the oracle has: those that any second within a pod's start delay from here needs, since that
            is when it has to make them.
        ready: That took requests.
        existing: That were there, Ready or not.
    """

    starts_ns: Int
    demand: Int
    oracle: Int
    ready: Int
    existing: Int


def start_delay_s(tier: Tier, pods: Sequence[Pod]) -> int:
    """Return the median time from first sight to Ready of the pods made in the run, rounded up; 0 without any."""
    delays = sorted(
        pod.ready_ns - pod.created_ns
        for pod in pods
        if pod.tier == tier and pod.created_ns >= 0 and pod.ready_ns is not None
    )
    return -(-delays[(len(delays) - 1) // 2] // SECOND) if delays else 0


def supply_of(plan: Plan, rates: Sequence[float], capacity_rps: float, replicas: Replicas, delay_s: int) -> Supply:
    """Hold the pods that there were against those that were needed.

    Args:
        plan: Of the run.
        rates: Intended requests/s in each second, without the noise of their arrival.
        capacity_rps: Of one pod.
        replicas: Of the plan's tier.
        delay_s: A pod's from made to Ready.
    """
    least = count(plan.autoscaler.get(plan.tier, {}), "minReplicas") or 1
    needed = np.maximum(least, np.ceil(np.array(rates, np.float64) / capacity_rps).astype(np.int64))
    ahead = np.array([needed[second : second + delay_s + 1].max() for second in range(len(needed))], np.int64)
    seconds = measured_seconds(plan)
    starts_ns = seconds * SECOND
    ready, existing = at(replicas.ready, starts_ns), at(replicas.existing, starts_ns)
    return Supply(starts_ns, needed[seconds], ahead[seconds], ready, existing)


def oracle_of(supply: Supply, capacity_rps: float, delay_s: int) -> Oracle:
    """Sum pod-seconds up."""
    return Oracle(
        capacity_rps=capacity_rps,
        start_delay_s=delay_s,
        pod_seconds=int(supply.existing.sum()),
        oracle_pod_seconds=int(supply.oracle.sum()),
        over_pod_seconds=int(np.maximum(0, supply.existing - supply.oracle).sum()),
        under_pod_seconds=int(np.maximum(0, supply.demand - supply.ready).sum()),
        pods=sampled(supply.starts_ns, supply.oracle),
    )


def elasticity_of(supply: Supply, adaptations: int) -> Elasticity | None:
    """Return SPEC's metrics, with the demand in whole pods and Ready pods as the supply; None for no time at all.

    Args:
        supply: Second by second.
        adaptations: Decisions in the same time.
    """
    seconds = len(supply.demand)
    if not seconds:
        return None
    short = np.maximum(0, supply.demand - supply.ready)
    spare = np.maximum(0, supply.ready - supply.demand)
    return Elasticity(
        theta_u=float(100 * (short / supply.demand).sum() / seconds),
        theta_o=float(100 * (spare / supply.demand).sum() / seconds),
        tau_u=100 * int((short > 0).sum()) / seconds,
        tau_o=100 * int((spare > 0).sum()) / seconds,
        adaptations_per_hour=adaptations * HOUR_S / seconds,
    )
