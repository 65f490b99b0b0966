"""What the rows and the generator's looks at itself both tell: what was under way, and why something was not sent."""

from collections.abc import Iterator

import numpy as np

from tidegate_proof.record.folder import GENERATOR, REQUESTS, Record
from tidegate_proof.record.requests import Int
from tidegate_proof.verdict.differences import Difference
from tidegate_proof.verdict.outcomes import SECOND

LATE_NS = 250_000_000
"""An arrival that could not be sent for so long is left `undispatched`; the engine's `Limits.late_s`."""

CONNECTIONS = 1024
"""The least connections that a run has, and the other cause: that all are taken; the engine's `Limits.connections`."""

ENDS_S = 1.0
"""Within which a request that is past its deadline is given up; the engine looks twenty times a second."""


def contradicted_by_generator(record: Record) -> Iterator[Difference]:
    """Find arrivals that were left out without a cause, and requests under way that no row tells of.

    The engine takes arrivals in their order. It leaves one out when it comes to it too late, and then it sends all
    later ones later still; or when all its connections are taken.

    Args:
        record: Raw data.
    """
    if record.partial is not None:
        return  # one that was broken off lacks rows, and leaves out what was still to come
    starts, ends = _under_way(record)
    yield from _left_out(record, starts, ends)
    for line, look in enumerate(record.generator, 1):
        rows = int(np.searchsorted(starts, look.t_ns, side="right") - np.searchsorted(ends, look.t_ns))
        if look.inflight > rows:
            yield Difference(GENERATOR, f"line {line} inflight", look.inflight, f"at most {rows}, by the rows")
            return


def _under_way(record: Record) -> tuple[Int, Int]:
    """Return when requests were sent and when they ended at the latest, each in order."""
    requests, plan = record.requests, record.plan
    sent = requests.sent_ns >= 0
    given_up = requests.intended_ns + round((plan.timeout_s + ENDS_S) * SECOND)
    ended = np.where(requests.answered_ns >= 0, requests.answered_ns, given_up)
    return np.sort(requests.sent_ns[sent]), np.sort(ended[sent])


def _left_out(record: Record, starts: Int, ends: Int) -> Iterator[Difference]:
    requests = record.requests
    sent = np.where(requests.sent_ns >= 0, requests.sent_ns, np.iinfo(np.int64).max)
    next_sent = np.minimum.accumulate(sent[::-1])[::-1]
    due = requests.intended_ns
    in_time = requests.is_error("undispatched") & (next_sent < due + LATE_NS)
    until = np.minimum(next_sent, due + LATE_NS)
    taken = np.searchsorted(starts, until, side="right") - np.searchsorted(ends, due)  # at some time in between
    causeless = np.flatnonzero(in_time & (taken < CONNECTIONS))
    if len(causeless):
        row = int(causeless[0])
        after_ms = (next_sent[row] - due[row]) // 10**6
        yield Difference(
            REQUESTS,
            f"row {row} error",
            "undispatched",
            f"sent, since {taken[row]} were under way and a later one was sent {after_ms} ms after it was due",
        )
