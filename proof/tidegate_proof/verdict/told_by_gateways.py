"""What the client and the gateways both tell: when which answer was given, and how many requests were turned away."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from tidegate_proof.record.folder import GATEWAY, REQUESTS, Record
from tidegate_proof.record.requests import Int, Requests
from tidegate_proof.record.telemetry import GatewayLook
from tidegate_proof.verdict.differences import Difference
from tidegate_proof.verdict.lost import first_count, restarted
from tidegate_proof.verdict.outcomes import OK, SECOND, Mask

LOOK_S = 3.0
"""The longest that a look is believed to have been on its way: in eleven recorded runs up to 0.1 s, on a gateway with
twice the load that it can do."""

TURNED_AWAY = 429

Line = tuple[int, GatewayLook]
"""A look and the number of its line."""


def contradicted_by_gateways(record: Record) -> Iterator[Difference]:
    """Find rows that cannot be true by the looks at the gateways that gave the answers.

    An answer's Tidegate-Seq is its place in the count that a look reads. So it was sent before a look that counts it,
    and was there not before one that does not. Of the answers that a gateway counts, those that the client calls right
    were not turned away, and those that it calls turned away (429) are counted as such by the gateway, too.

    Args:
        record: Raw data.
    """
    requests = record.requests
    nameless = requests.is_error("refused") & (requests.pod < 0)
    untold = int(((requests.sent_ns >= 0) & (requests.answered_ns < 0) | nameless).sum())
    lines = sorted(enumerate(record.gateway, 1), key=lambda line: line[1].pod)
    for pod, group in groupby(lines, key=lambda line: line[1].pod):
        seen = list(group)
        if pod in requests.pods and not restarted([look for _, look in seen]):
            mine = np.flatnonzero((requests.pod == requests.pods.index(pod)) & (requests.seq > 0))
            yield from _at_another_time(requests, mine, seen, untold)
            yield from _not_turned_away(requests, mine, seen, untold)


def _at_another_time(requests: Requests, mine: Int, seen: Sequence[Line], untold: int) -> Iterator[Difference]:
    counts = np.array([look.answered for _, look in seen])
    times = np.array([look.t_ns for _, look in seen])
    seq = requests.seq[mine]
    # An answer whose client had left may have a number and not be counted, and numbers that nobody got (which are lost
    # requests) may be none: each may put the count off by one. Numbers above the last make the run not valid.
    off = untold + max(0, int(counts[-1]) - first_count([look for _, look in seen]) - len(np.unique(seq)))
    counting = np.searchsorted(counts, seq + off)
    late = (counting < len(seen)) & (requests.sent_ns[mine] > times[np.minimum(counting, len(seen) - 1)])
    yield from _first(requests, mine, late, "sent before a look at its gateway that counts it")
    before = np.searchsorted(counts, seq - off) - 1
    known = (before >= 0) & (seq <= counts[-1])
    early = known & (requests.answered_ns[mine] < times[np.maximum(before, 0)] - round(LOOK_S * SECOND))
    yield from _first(requests, mine, early, f"answered {LOOK_S:g} s before a look that does not count it, or later")


def _first(requests: Requests, mine: Int, broken: Mask, rule: str) -> Iterator[Difference]:
    if broken.any():
        row = int(mine[np.flatnonzero(broken)[0]])
        told = f"sent_ns={requests.sent_ns[row]} answered_ns={requests.answered_ns[row]} seq={requests.seq[row]}"
        yield Difference(REQUESTS, f"row {row}", told, rule)


def _not_turned_away(requests: Requests, mine: Int, seen: Sequence[Line], untold: int) -> Iterator[Difference]:
    """Find a look by which more requests were turned away than the client leaves room for, or a total that is less."""
    right = np.sort(requests.seq[mine[requests.status[mine] == OK]])
    before = next((look for _, look in reversed(seen) if look.t_ns <= 0 and look.shed is not None), None)
    first, refused = (0, 0) if before is None else (before.answered, before.shed or 0)
    for line, look in seen:
        if look.shed is None or look.answered < first:
            continue
        kept = int(np.searchsorted(right, look.answered, side="right") - np.searchsorted(right, first, side="right"))
        room = look.answered - first - kept + (look.inflight or 0) + untold
        if look.shed - refused > room:
            yield Difference(GATEWAY, f"line {line} shed", look.shed, f"at most {refused + room}, by the answers 200")
            return
        least = refused + int((requests.status[mine] == TURNED_AWAY).sum())
        if look.clean and look.shed < least:
            yield Difference(GATEWAY, f"line {line} shed", look.shed, f"at least {least}, by the answers 429")
