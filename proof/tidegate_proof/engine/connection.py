"""The hot path: all that is done once for each request, but for the choice of its connection."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic_ns
from typing import Protocol, cast

from tidegate_proof.engine.columns import LOST, NONE, REFUSED, TIMEOUT, WRONG, Columns
from tidegate_proof.engine.http_answer import MalformedError, closes, field, parse
from tidegate_proof.engine.payload import Payload
from tidegate_proof.record.requests import ABSENT

OK = 200


SEQ_DIGITS = 18
"""What fits into 64 bits."""


class Keeper(Protocol):
    """Who owns connections."""

    def freed(self, connection: "Connection") -> None:
        """Take back a connection whose answer is complete."""

    def closed(self, connection: "Connection") -> None:
        """Forget a connection."""

    def ended(self, index: int) -> None:
        """Forget a request: its row is complete."""

    def again(self, index: int) -> None:
        """Send a request once more, on another connection."""


@dataclass(slots=True)
class Traffic:
    """What all connections of a run share.

    Attributes:
        columns: Where rows are written.
        requests: What is sent, in turn: a head up to the id, what follows the id, and the judge of the answer.
        start_ns: Start of the run on the monotonic clock.
        timeout_ns: From a request's intended time to its deadline.
        idle_close_ns: From sending a request to a close that may have been on its way then.
    """

    columns: Columns
    requests: Sequence[tuple[bytes, bytes, Payload]]
    start_ns: int
    timeout_ns: int
    idle_close_ns: int


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    __slots__ = ("_columns", "_id", "_keeper", "_payload", "_received", "_sent_ns", "_served", "_traffic", "_transport",
                 "_wanted", "address", "index")  # fmt: skip

    def __init__(self, traffic: Traffic, keeper: Keeper, address: tuple[str, int]) -> None:
        self._traffic = traffic
        self._columns = traffic.columns
        self._keeper = keeper
        self._transport: asyncio.Transport | None = None
        self._payload = traffic.requests[0][2]
        self._id = b""
        self._sent_ns = 0
        self._served = False
        self._received: bytearray | None = None
        self._wanted = 0
        self.address = address
        self.index = ABSENT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    @property
    def usable(self) -> bool:
        """Whether nobody has closed it."""
        return self._transport is not None and not self._transport.is_closing()

    def ready(self) -> None:
        """Be there for the next request."""
        self._keeper.freed(self)

    def send(self, index: int) -> None:
        """Send a request; its time is taken just before it is written."""
        traffic, columns = self._traffic, self._columns
        before, after, self._payload = traffic.requests[index % len(traffic.requests)]
        self.index = index
        self._id = columns.id_format % index
        self._sent_ns = now_ns = monotonic_ns() - traffic.start_ns
        self._transport.write(before + self._id + after)  # type: ignore[union-attr]  # it is connected
        columns.error[index] = NONE
        if columns.sent_ns[index] == ABSENT:  # the first time counts, and waiting for a connection is the server's time
            columns.sent_ns[index] = now_ns

    def data_received(self, data: bytes) -> None:
        """Read an answer, whole or in pieces, and write its row."""
        now_ns = monotonic_ns() - self._traffic.start_ns
        received: bytes | bytearray = data
        if self._received is not None:
            self._received += data
            if len(self._received) < self._wanted:
                return
            received = self._received
        if self.index < 0:
            self.abort()
            return
        try:
            found = parse(received)
        except MalformedError:
            self._end(WRONG)
            self.abort()
            return
        if isinstance(found, int):
            self._wanted = found
            if self._received is None:
                self._received = bytearray(data)
            return
        self._received = None
        self._answered(now_ns, *found)

    def _answered(self, now_ns: int, status: int, head: bytes, body: bytes) -> None:
        columns, index = self._columns, self.index
        if now_ns - columns.intended_ns[index] > self._traffic.timeout_ns:
            self._end(TIMEOUT)
        else:
            columns.answered_ns[index] = now_ns
            columns.status[index] = status
            if pod := field(head, b"\r\ntidegate-pod:"):
                columns.pod[index] = columns.pods.number(pod)
                seq = field(head, b"\r\ntidegate-seq:")
                columns.seq[index] = int(seq) if seq.isdigit() and len(seq) <= SEQ_DIGITS else ABSENT
                if backend := field(head, b"\r\ntidegate-backend:"):
                    columns.backend[index] = columns.backends.number(backend)
            self._end(self._judged(status, head, body))
        self._served = True
        if closes(head):
            self._transport.close()  # type: ignore[union-attr]  # it is connected
            self._keeper.closed(self)
        else:
            self._keeper.freed(self)

    def _judged(self, status: int, head: bytes, body: bytes) -> int:
        if (answers := field(head, b"\r\nx-request-id:")) and answers != self._id:
            return WRONG
        if status == OK:
            return WRONG if self._payload.wrong(body) else NONE
        return REFUSED

    def _end(self, error: int) -> None:
        index, self.index = self.index, ABSENT
        self._columns.error[index] = error
        self._keeper.ended(index)

    def eof_received(self) -> None:
        """Use it no more: the server has closed it."""
        self._keeper.closed(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Write the row of a request under way, or have it sent again where the server had not seen it.

        It had not where the connection had answered before, and ended as soon as the request was sent, without a byte
        of an answer: the server closed it while it was idle (RFC 9112, 9.3.1). That is believed once.
        """
        index = self.index
        self._keeper.closed(self)
        if index < 0:
            return
        since_ns = monotonic_ns() - self._traffic.start_ns - self._sent_ns
        raced = self._served and self._received is None and since_ns < self._traffic.idle_close_ns
        if raced and not self._columns.idle_closes[index]:
            self._columns.idle_closes[index] = 1
            self.index = ABSENT
            self._keeper.again(index)
        else:
            self._end(LOST)

    def expire(self) -> None:
        """Give up the request under way."""
        self._end(TIMEOUT)
        self.abort()

    def abort(self) -> None:
        """Close at once; a request under way stays what its row says."""
        self.index = ABSENT
        self._keeper.closed(self)
        if self._transport is not None:
            self._transport.abort()
