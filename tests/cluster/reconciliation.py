"""Holds what clients know of their requests against what the gateways tell of theirs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.load import Request

Lines = Sequence[Mapping[str, Any]]


def reconcile(requests: Sequence[Request], told: Mapping[str, Lines]) -> dict[str, int]:
    """Find every answer on both ends; gives the answers of each gateway.

    Every request id is in the log of the gateway that answered it, once, and in no other; the numbers of each gateway's
    answers have no gap, and its last line tells the same total.

    Args:
        requests: Of all clients, none of which failed.
        told: The log lines of each gateway from its start to its end, with a line for every request.
    """
    assert len({request.id for request in requests}) == len(requests), "an id was used twice"
    logged = Counter(
        (pod, line["request_id"]) for pod, lines in told.items() for line in lines if line["message"] == "request"
    )
    answered = Counter((request.pod, request.id) for request in requests)
    assert not answered - logged, f"answers that no gateway tells of: {list(answered - logged)[:5]}"
    assert not logged - answered, f"answers that no client got: {list(logged - answered)[:5]}"
    totals = {}
    for pod, lines in told.items():
        numbers = sorted(request.seq for request in requests if request.pod == pod)
        assert numbers == list(range(1, len(numbers) + 1)), f"{pod} numbered answers that no client got"
        last = lines[-1]
        assert last["message"] == "stopped", f"{pod} did not end by itself: {last}"
        assert last["answered"] == len(numbers), f"{pod} answered {last['answered']}, clients got {len(numbers)}"
        totals[pod] = len(numbers)
    return totals
