"""Every exchange of request and answer, whichever front reads it: id, deadline, metrics, log, telling headers."""

import asyncio
import contextlib
import itertools
import logging
import math
import os
import random
import time
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from tidegate_web.errors import BadInput, Problem
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import Reply
from tidegate_web.server.access_log import access_fields, exemplar
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.settings import Settings

log = logging.getLogger(__name__)

LONGEST_REQUEST_ID = 128
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that left before its answer; only metrics and logs see it."""

FIRST_FAILURE = 500
"""Statuses from here on are ours or the model servers' doing, and always have a log line."""


@dataclass(slots=True)
class Exchange:
    """One request and what is known of its answer.

    Attributes:
        request_id: The client's, or one of ours.
        started: Monotonic seconds at which its head had been read.
        deadline: Monotonic seconds by which it must be answered.
        reply: The model's answer, once there is one.
        failure: Word of the error table, where it failed.
        traceparent: The client's trace, as its header says.
        bytes_in: Size of the request's body.
        bytes_out: Size of the answer's body.
    """

    request_id: str
    started: float
    deadline: float
    reply: Reply | None = None
    failure: str = ""
    traceparent: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0

    def remaining_s(self) -> float:
        """Return the seconds until the deadline, not below 0."""
        return max(0.0, self.deadline - time.monotonic())

    def shorten(self, wanted: str | None) -> None:
        """Take the client's own time-out into account.

        Args:
            wanted: Its `X-Request-Timeout` header; None where it sent none.

        Raises:
            BadInput: It is no number of seconds above 0.
        """
        if wanted is None:
            return
        try:
            seconds = float(wanted)
        except ValueError:
            seconds = math.nan
        if not seconds > 0:
            raise BadInput(problems=(Problem("X-Request-Timeout", "a number of seconds above 0", repr(wanted[:40])),))
        self.deadline = min(self.deadline, self.started + seconds)


class Exchanges:
    """Begins and ends exchanges.

    Args:
        settings: Time-outs and what to expose.
        metrics: Where answers are counted.
        lifecycle: Whether connections are to be closed.
        pod: Name of this replica.

    Attributes:
        answered: Answers so far.
    """

    def __init__(self, settings: Settings, metrics: Metrics, lifecycle: Lifecycle, pod: str) -> None:
        self._settings = settings
        self._metrics = metrics
        self._lifecycle = lifecycle
        self._pod = pod
        start = os.urandom(8).hex()
        self._ids = (f"{start}{number:016x}" for number in itertools.count())
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._inflight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.answered = 0

    @property
    def draining(self) -> bool:
        """Whether connections are to be closed."""
        return self._lifecycle.draining

    def begin(self, request_id: str | None, traceparent: str | None = None, bytes_in: int = 0) -> Exchange:
        """Begin to answer a request.

        Args:
            request_id: The client's, taken where it is short and printable, so that it can stand in a header and a log.
            traceparent: The client's trace.
            bytes_in: Size of the body, as far as its head says.
        """
        if not request_id or not is_usable_id(request_id):
            request_id = next(self._ids)
        now = time.monotonic()
        if not self._inflight:
            self._idle.clear()
        self._inflight += 1
        self._metrics.inflight.add(1)
        deadline = now + self._settings.request_timeout_s
        return Exchange(request_id, now, deadline, traceparent=traceparent, bytes_in=bytes_in)

    def headers(self, exchange: Exchange) -> dict[str, str]:
        """Count an answer that is about to be sent; gives the headers that tell of it."""
        headers = {"X-Request-ID": exchange.request_id, "Server": "Tidegate"}
        reply = exchange.reply
        self.answered += 1
        if reply is not None:
            headers["Tidegate-Model-Version"] = str(reply.version)
            stages = "".join([f"{name};dur={1e3 * took:.3f}, " for name, took in reply.timings.items()])
            headers["Server-Timing"] = f"{stages}total;dur={1e3 * (time.monotonic() - exchange.started):.3f}"
        if self._settings.expose_route:
            headers["Tidegate-Pod"] = self._pod
            headers["Tidegate-Seq"] = str(self.answered)
            if reply is not None:
                headers["Tidegate-Backend"] = reply.backend
        return headers

    def end(self, exchange: Exchange, route: str, method: str, path: str, status: int) -> None:
        """Tell of an exchange that is over.

        Args:
            exchange: As begun.
            route: Pattern of the path, so that labels stay few.
            method: HTTP's.
            path: As it came, for the log.
            status: Of the answer; 499 where the client left before it.
        """
        took_s = time.monotonic() - exchange.started
        method = method if method in KNOWN_METHODS else "other"
        self._inflight -= 1
        if not self._inflight:
            self._idle.set()
        self._metrics.inflight.add(-1)
        answers, durations = self._series.get((route, method, status)) or self._label(route, method, status)
        answers.inc()
        durations.observe(took_s, None if exchange.traceparent is None else exemplar(exchange.traceparent))
        self._metrics.tally.note(status, took_s)
        failed = status >= FIRST_FAILURE
        if failed or random.random() < self._settings.access_log_share:  # noqa: S311 a sample, no secret
            level = logging.WARNING if failed else logging.INFO
            fields = access_fields(exchange, path, took_s)
            log.log(level, "request", extra={"method": method, "route": route, "status": status, **fields})

    async def finish(self, timeout_s: float) -> None:
        """Wait until no request is being answered, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    def _label(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """Keep the series at hand: looking them up by their labels costs as much as counting."""
        series = self._metrics.requests.labels(route, method, str(status)), self._metrics.duration.labels(route)
        self._series[route, method, status] = series
        return series


def is_usable_id(text: str) -> bool:
    """Whether a client's id can stand in a header and a log."""
    return len(text) <= LONGEST_REQUEST_ID and text.isascii() and text.isprintable()
