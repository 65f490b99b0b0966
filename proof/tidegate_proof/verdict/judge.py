"""The verdict of a record, from its raw data alone."""

import json
from collections.abc import Sequence
from pathlib import Path

from tidegate_proof.record.documents import parse, plain, text_of
from tidegate_proof.record.folder import VERDICT, Record
from tidegate_proof.record.plan import Tier
from tidegate_proof.record.scaling_figures import Elasticity, Oracle, Replicas, ScaleEvent
from tidegate_proof.record.verdict import Figures, Verdict
from tidegate_proof.verdict.efficiency import efficiency_of
from tidegate_proof.verdict.foresight import agreements_of
from tidegate_proof.verdict.load import generator_figures, heat, phase_figures, total_figures
from tidegate_proof.verdict.lost import lost_requests
from tidegate_proof.verdict.outcomes import SECOND, Outcomes, Windows
from tidegate_proof.verdict.pods import Pod, pods_of, replicas_of, tiers_of
from tidegate_proof.verdict.provisioning import elasticity_of, oracle_of, start_delay_s, supply_of
from tidegate_proof.verdict.scale_events import changes_of, reaction_of, scale_events_of
from tidegate_proof.verdict.spread import TierLoad, answered_by, first_answers, share_of, spread_of
from tidegate_proof.verdict.thresholds import judged
from tidegate_proof.verdict.validity import validity_of

DIGITS = 6
"""Significant ones of every float: another machine's arithmetic may differ in later ones."""


def judge(record: Record, rates: Sequence[float]) -> Verdict:
    """Compute a verdict.

    Args:
        record: Raw data.
        rates: Intended requests/s in each second of the plan, without the noise of their arrival.
    """
    figures = figures_of(record, rates)
    validity = validity_of(record, figures)
    document = plain(figures)
    thresholds = tuple(judged(threshold, document) for threshold in record.plan.thresholds)
    valid = all(check.passed for check in validity)
    decided = valid and record.partial is None
    return rounded(
        Verdict(
            plan_sha256=record.plan.sha256(),
            state="complete" if record.partial is None else "partial",
            reason=record.partial,
            valid=valid,
            validity=validity,
            figures=figures,
            thresholds=thresholds,
            passed=bool(thresholds) and all(found.passed for found in thresholds) if decided else None,
        )
    )


def figures_of(record: Record, rates: Sequence[float]) -> Figures:
    """Compute all figures; see `judge`."""
    plan, requests = record.plan, record.requests
    outcomes = Outcomes.of(requests, plan.slo)
    windows = Windows.of(outcomes, plan.duration_s)
    phases = tuple(phase_figures(phase, outcomes, windows) for phase in plan.phases)
    lost = lost_requests(outcomes, record.gateway)
    pods = pods_of(record.cluster)
    replicas = {tier: replicas_of(tier, pods, record.cluster) for tier in tiers_of(pods)}
    answered = answered_by(pods, requests)
    changes = changes_of(plan, windows)
    firsts = first_answers(answered, requests, outcomes.right)
    events = {tier: scale_events_of(tier, found, pods, changes, firsts) for tier, found in replicas.items()}
    told = {"web": requests.pod >= 0, "serving": requests.backend >= 0}
    loads = {tier: TierLoad(requests, told[tier], found, plan.duration_s) for tier, found in replicas.items()}
    shares = {pod.name: share_of(pod, answered[pod.name], loads[pod.tier]) for pod in pods}
    oracle, elasticity = _provisioning(record, rates, pods, replicas, events)
    nothing = Replicas(desired=(), existing=(), ready=())
    return Figures(
        phases=phases,
        violations=windows.starts_s(),
        total=total_figures(phases, outcomes, lost.client + lost.unexplained),
        replicas=replicas,
        scale_events=tuple(
            sorted((e for found in events.values() for e in found), key=lambda e: (e.decided_ns, e.tier))
        ),
        reaction={tier: reaction_of(found, changes, plan) for tier, found in events.items()},
        efficiency=efficiency_of(plan, replicas.get(plan.tier, nothing), outcomes, windows),
        oracle=oracle,
        elasticity=elasticity,
        forecast=agreements_of(plan, replicas),
        lost=lost,
        pods=shares,
        spread={tier: spread_of(tier, shares) for tier in replicas},
        heat=heat(outcomes, plan),
        generator=generator_figures(requests, record.generator, plan),
    )


def _provisioning(
    record: Record,
    rates: Sequence[float],
    pods: Sequence[Pod],
    replicas: dict[Tier, Replicas],
    events: dict[Tier, list[ScaleEvent]],
) -> tuple[dict[Tier, Oracle], dict[Tier, Elasticity]]:
    """Return oracle and elasticity of the tier whose capacity is known, the plan's; of none without a knee."""
    plan = record.plan
    if plan.knee is None or plan.tier not in replicas:
        return {}, {}
    capacity, delay = plan.knee.capacity_rps, start_delay_s(plan.tier, pods)
    supply = supply_of(plan, rates, capacity, replicas[plan.tier], delay)
    spans = [(phase.start_s * SECOND, phase.end_s * SECOND) for phase in plan.phases if phase.measured]
    adaptations = sum(start <= event.decided_ns < end for event in events[plan.tier] for start, end in spans)
    elasticity = elasticity_of(supply, adaptations)
    return {plan.tier: oracle_of(supply, capacity, delay)}, {} if elasticity is None else {plan.tier: elasticity}


def rounded(verdict: Verdict) -> Verdict:
    """Return a verdict with its floats at six significant digits."""
    document = json.loads(text_of(verdict), parse_float=lambda text: float(f"{float(text):.{DIGITS}g}"))
    return parse(json.dumps(document).encode(), Verdict, Path(VERDICT))
