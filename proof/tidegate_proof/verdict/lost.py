"""Requests without an answer: by id at the client, and by the gateways' own gapless numbers."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tidegate_proof.record.load_figures import Lost, PodAnswers
from tidegate_proof.record.requests import Int, Requests
from tidegate_proof.record.telemetry import GatewayLook
from tidegate_proof.verdict.outcomes import Outcomes

NAMED = 100
"""Lost ids that are listed."""


def lost_requests(outcomes: Outcomes, looks: Sequence[GatewayLook]) -> Lost:
    """Reconcile what the client got with what the gateways gave.

    A gateway numbers its answers from 1 without gaps. Those from before the run are below the count of the last look
    with t_ns <= 0; the final line has the total. A number in between that never arrived is an answer on its way to a
    request that the client saw fail after sending (`lost`, `timeout`), or it is unexplained.

    Args:
        outcomes: Of all requests.
        looks: At the gateways.
    """
    requests = outcomes.requests
    unanswered = (requests.sent_ns >= 0) & (requests.answered_ns < 0)
    names = {*requests.pods, *(look.pod for look in looks)}
    by_pod = {pod: _answers(_received(requests, pod), [look for look in looks if look.pod == pod]) for pod in names}
    missing = sum(answers.missing or 0 for answers in by_pod.values())
    failed = int((requests.is_error("lost") | requests.is_error("timeout")).sum())
    unexplained = max(0, missing - failed)
    told = bool((requests.seq[outcomes.right] > 0).all())
    agreed = all(answers.missing is not None and not answers.twice for answers in by_pod.values())
    return Lost(
        client=int(unanswered.sum()),
        at_client=tuple(requests.id[unanswered][:NAMED].tolist()),
        gateway=missing,
        unexplained=unexplained,
        by_pod=dict(sorted(by_pod.items())),
        reconciled=told and agreed and not unexplained,
    )


def first_count(looks: Sequence[GatewayLook]) -> int:
    """Return how many answers a gateway had given before the run began; 0 for one that was made later.

    Args:
        looks: At this gateway.
    """
    return max((look.answered for look in looks if look.t_ns <= 0 and not look.final), default=0)


def restarted(looks: Sequence[GatewayLook]) -> bool:
    """Whether a gateway began to count anew: its container was started again.

    Args:
        looks: At this gateway, in order.
    """
    return any(later.answered < look.answered for look, later in pairwise(looks))


def _received(requests: Requests, pod: str) -> Int:
    if pod not in requests.pods:
        return np.zeros(0, np.int64)
    mine: Int = requests.seq[(requests.pod == requests.pods.index(pod)) & (requests.seq > 0)]
    return mine


def _answers(received: Int, looks: Sequence[GatewayLook]) -> PodAnswers:
    if restarted(looks):
        return PodAnswers(answered=None, received=len(received), missing=None, twice=0)
    final = next((look for look in looks if look.final and look.clean), None)
    distinct = np.unique(received)
    if final is None:
        return PodAnswers(answered=None, received=len(received), missing=None, twice=len(received) - len(distinct))
    first = first_count(looks)
    within = int(((distinct > first) & (distinct <= final.answered)).sum())
    return PodAnswers(
        answered=final.answered - first,
        received=len(received),
        missing=final.answered - first - within,
        twice=len(received) - within,
    )
