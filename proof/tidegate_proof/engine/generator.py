"""Sends requests at their intended times, whatever the answers do."""

import asyncio
import gc
import resource
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from time import monotonic_ns, process_time

from tidegate_proof.engine.columns import CONNECT, LOST, NONE, Columns
from tidegate_proof.engine.connection import Connection, Traffic
from tidegate_proof.engine.payload import Payload
from tidegate_proof.engine.pool import Address, Pool
from tidegate_proof.engine.target import Target, TargetError
from tidegate_proof.record.telemetry import GeneratorLook

NS = 1_000_000_000

TICK_S = 0.001
"""The loop's timers count in milliseconds; what is due goes out together at each."""

SWEEP_S = 0.05
"""How often deadlines are looked at, and the longest sleep."""

BATCH = 32
"""Requests sent before answers are read again: a burst must not make answers look late."""

OTHER_FILES = 64
"""File descriptors of a process that are no connections of the generator's."""


CONNECTIONS_SPARE = 1.25
"""Seconds of one load have different numbers of arrivals."""

MOST_CONNECTIONS = 24_000
"""A client's address has some 28,000 ports for one server (Linux's `ip_local_port_range`)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a generator goes.

    Attributes:
        connections: Most connections at once, and so most requests under way; an arrival that finds none is not sent.
        spare: Connections kept idle ahead of need.
        timeout_s: From a request's intended time to its deadline.
        late_s: An arrival that is later than this is not sent at all.
        idle_close_s: Some round trips: a connection that is closed so soon after a request was sent may have been
            closed as an idle one. Later it is a loss.
    """

    connections: int = 1024
    spare: int = 16
    timeout_s: float = 10.0
    late_s: float = 0.25
    idle_close_s: float = 0.1

    def for_load(self, most_rps: float) -> "Limits":
        """Return them with connections for all that is under way when nothing is answered until it is given up."""
        under_way = min(ceil(CONNECTIONS_SPARE * most_rps * self.timeout_s), MOST_CONNECTIONS)
        return replace(self, connections=max(self.connections, under_way))


class Generator:
    """One run of a schedule. It never slows the arrivals: what cannot be sent in time is left `undispatched`.

    Args:
        target: Where to post.
        payloads: What to post, in turn.
        columns: The schedule, and where what happens is written; they are consistent whenever they are looked at.
        limits: How far to go.

    Raises:
        ValueError: There is nothing to post.
    """

    def __init__(
        self, target: Target, payloads: Sequence[Payload], columns: Columns, limits: Limits | None = None
    ) -> None:
        if not payloads:
            raise ValueError("expected a payload, came none")
        self._target = target
        self._columns = columns
        self._limits = limits or Limits()
        self._requests = [(target.head(one.body), b"\r\n\r\n" + one.body, one) for one in payloads]
        self._due = columns.intended_ns
        self._stop = len(columns)
        self._timeout_ns = round(self._limits.timeout_s * NS)
        self._late_ns = round(self._limits.late_s * NS)
        self._inflight: dict[int, Connection] = {}
        self._waiting: deque[int] = deque()
        self._timer: asyncio.Handle | None = None
        self.dispatched = 0
        self.looks: list[GeneratorLook] = []

    @property
    def inflight(self) -> int:
        """Requests under way."""
        return len(self._inflight)

    @property
    def settled(self) -> int:
        """The first row that may still change; those before can be written."""
        return min((*self._inflight, *self._waiting), default=self.dispatched)

    def stop(self) -> None:
        """Send no more; `run` ends when what is under way has ended."""
        self._stop = min(self._stop, self.dispatched)

    async def run(self, start_ns: int | None = None) -> None:
        """Run the schedule and wait until every request has ended.

        Cancelled, it drops what is under way, whose rows stay so.

        Args:
            start_ns: Start of the run on `time.monotonic_ns()`; as soon as connections are there without it.

        Raises:
            TargetError: The target has no address, or the system allows too few open files.
        """
        _allow_files(self._limits.connections + OTHER_FILES)
        addresses = await self._target.resolve()
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(
            addresses, self._limits.connections, self._limits.spare, self._connection, self._no_connection
        )
        self._traffic = Traffic(
            self._columns,
            self._requests,
            start_ns or monotonic_ns(),
            self._timeout_ns,
            round(self._limits.idle_close_s * NS),
        )
        self._pool.top_up()
        gc.collect()
        gc.freeze()  # a collection that walks through what was there before takes longer than a tick
        try:
            await self._pool.settled()
            self._pool.keep_reachable()
            await self._ticking(start_ns)
        finally:
            gc.unfreeze()
            for index in self._waiting:
                self._columns.error[index] = NONE
            self._inflight.clear()
            self._waiting.clear()
            await self._pool.close()

    async def _ticking(self, start_ns: int | None) -> None:
        if start_ns is None:
            self._traffic.start_ns = monotonic_ns()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._sweep_ns = self._now_ns()
        self._look(self._sweep_ns)
        self._tick()
        try:
            await self._done
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._look(self._now_ns())

    def _now_ns(self) -> int:
        return monotonic_ns() - self._traffic.start_ns

    def _tick(self) -> None:
        """Send what is due, look after deadlines, and come back when there is more to do."""
        try:
            now_ns = self._dispatch_due()
            if now_ns - self._sweep_ns > SWEEP_S * NS:
                self._sweep(now_ns)
        except Exception as error:  # noqa: BLE001 without its timer the run would never end
            if not self._done.done():
                self._done.set_exception(error)
            return
        if self.dispatched == self._stop and not self._inflight and not self._waiting:
            if not self._done.done():
                self._done.set_result(None)
            return
        ahead_s = (self._due[self.dispatched] - now_ns) / NS if self.dispatched < self._stop else SWEEP_S
        if ahead_s <= 0:
            self._timer = self._loop.call_soon(self._tick)
        else:
            self._timer = self._loop.call_later(min(max(ahead_s, TICK_S), SWEEP_S), self._tick)

    def _dispatch_due(self) -> int:
        """Send at most a batch of what is due; gives the time."""
        due, columns = self._due, self._columns
        index, last = self.dispatched, min(self._stop, self.dispatched + BATCH)
        now_ns = self._now_ns()
        idle = self._pool.idle
        while index < last and due[index] <= now_ns:
            self.dispatched = index + 1
            if now_ns - due[index] <= self._late_ns:
                if idle:
                    connection = idle.popleft()
                    self._inflight[index] = connection
                    connection.send(index)
                elif self._pool.open_one() or self._pool.opening > len(self._waiting):
                    columns.sent_ns[index] = now_ns
                    columns.error[index] = CONNECT  # until a connection is there
                    self._waiting.append(index)
            index += 1
            now_ns = self._now_ns()
        if len(idle) < self._pool.spare:
            self._pool.top_up()
        return now_ns

    def _sweep(self, now_ns: int) -> None:
        """End what is past its deadline."""
        self._sweep_ns = now_ns
        deadline_ns = now_ns - self._timeout_ns
        while self._inflight:
            index, connection = next(iter(self._inflight.items()))
            if self._due[index] > deadline_ns:
                break
            connection.expire()
        while self._waiting and self._due[self._waiting[0]] <= deadline_ns:
            self._never_connected(self._waiting.popleft())
        if now_ns - self.looks[-1].t_ns >= NS:
            self._look(now_ns)

    def _look(self, now_ns: int) -> None:
        self.looks.append(GeneratorLook(t_ns=now_ns, cpu_s=process_time(), inflight=len(self._inflight)))

    def _never_connected(self, index: int) -> None:
        """Leave the row of a request as it is, but for one that was sent before."""
        if self._columns.idle_closes[index]:
            self._columns.error[index] = LOST

    def _connection(self, address: Address) -> Connection:
        return Connection(self._traffic, self, address)

    def _no_connection(self) -> None:
        """Let a request go that nobody will connect for."""
        if len(self._waiting) > self._pool.opening:
            self._never_connected(self._waiting.popleft())

    def freed(self, connection: Connection) -> None:
        """Give a connection to the request that has waited longest, or keep it."""
        if self._waiting:
            index = self._waiting.popleft()
            self._inflight[index] = connection
            connection.send(index)
        else:
            self._pool.idle.append(connection)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._pool.remove(connection)

    def ended(self, index: int) -> None:
        """Forget a request: its row is complete."""
        del self._inflight[index]

    def again(self, index: int) -> None:
        """Send a request once more, on a connection that is new or has just answered."""
        del self._inflight[index]
        if self._pool.open_one() or self._pool.opening > len(self._waiting):
            self._waiting.appendleft(index)
        else:
            self._never_connected(index)


def _allow_files(wanted: int) -> None:
    """Raise the limit on open files as far as it needs to be.

    Raises:
        TargetError: The system does not allow as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise TargetError(
            f"expected a limit of {wanted} open files, came {hard}: raise it (ulimit -n) or use fewer connections"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
