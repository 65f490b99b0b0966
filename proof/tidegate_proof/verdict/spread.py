"""Which pod answered what: whether new pods were used, and how evenly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_proof.record.plan import Tier
from tidegate_proof.record.requests import ABSENT, Int, Requests
from tidegate_proof.record.scaling_figures import PodShare, Replicas, Spread
from tidegate_proof.verdict.outcomes import SECOND, Mask
from tidegate_proof.verdict.pods import Pod
from tidegate_proof.verdict.steps import at

LEAST_READY_S: Mapping[Tier, int] = {"web": 60, "serving": 20}
"""A pod that was Ready for less is not held against its fair share: gateways find a new model server at once, clients a
new gateway as their connections age, which are closed after 30 s, give or take a fifth."""


def answered_by(pods: Sequence[Pod], requests: Requests) -> dict[str, Mask]:
    """Return the rows that each pod answered.

    A gateway is known by its name, a model server by its address: by the last pod of that address that was made before
    the request was answered, since addresses are used again.
    """
    found: dict[str, Mask] = {}
    for pod in pods:
        if pod.tier == "web":
            code = requests.pods.index(pod.name) if pod.name in requests.pods else ABSENT
            found[pod.name] = (requests.pod == code) & (requests.pod != ABSENT)
            continue
        codes = [place for place, backend in enumerate(requests.backends) if backend.rpartition(":")[0] == pod.ip]
        later = [other.created_ns for other in pods if other.ip == pod.ip and other.created_ns > pod.created_ns]
        found[pod.name] = (
            np.isin(requests.backend, codes)
            & (requests.answered_ns >= pod.created_ns)
            & (requests.answered_ns < min(later, default=np.iinfo(np.int64).max))
        )
    return found


def first_answers(answered: Mapping[str, Mask], requests: Requests, right: Mask) -> dict[str, int]:
    """Return when the first right answer of each pod arrived."""
    times = {pod: requests.answered_ns[mask & right] for pod, mask in answered.items()}
    return {pod: int(answers.min()) for pod, answers in times.items() if len(answers)}


@dataclass(frozen=True, slots=True)
class TierLoad:
    """What a tier's pods shared.

    Attributes:
        requests: Of the run.
        answered: Rows that any pod of the tier answered.
        replicas: Of the tier.
        duration_s: Of the run.
    """

    requests: Requests
    answered: Mask
    replicas: Replicas
    duration_s: int


def share_of(pod: Pod, mask: Mask, load: TierLoad) -> PodShare:
    """Return what a pod got.

    Args:
        pod: Which one.
        mask: Rows that it answered.
        load: Of its tier.
    """
    end_ns = load.duration_s * SECOND
    spans = [(max(0, start), min(end_ns, end_ns if end is None else end)) for start, end in pod.ready]
    sent = load.requests.sent_ns
    while_ready = np.zeros(len(sent), np.bool_)
    for start, end in spans:
        while_ready |= (sent >= start) & (sent < end)
    while_ready &= load.answered
    times: Int = load.requests.answered_ns[mask]
    asked = int(while_ready.sum())
    ready = np.maximum(1, at(load.replicas.ready, sent[while_ready]))
    return PodShare(
        tier=pod.tier,
        requests=int(mask.sum()),
        first_ns=int(times.min()) if len(times) else None,
        last_ns=int(times.max()) if len(times) else None,
        ready_s=sum(max(0, end - start) for start, end in spans) / SECOND,
        share_while_ready=int((mask & while_ready).sum()) / asked if asked else 0.0,
        fair_share=float((1 / ready).sum() / asked) if asked else 0.0,
    )


def spread_of(tier: Tier, shares: Mapping[str, PodShare]) -> Spread:
    """Return the extremes of a tier's pods relative to their fair shares."""
    ratios = [
        share.share_while_ready / share.fair_share
        for share in shares.values()
        if share.tier == tier and share.ready_s >= LEAST_READY_S[tier] and share.fair_share
    ]
    return Spread(least=min(ratios, default=None), most=max(ratios, default=None), pods=len(ratios))
