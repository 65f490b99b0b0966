"""`/status` of the ops port: a page, its live stream, and the same as JSON."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from aiohttp import web

from tidegate_web.codec.json_text import dumps
from tidegate_web.server.audience import MOST_STREAMS, Audience
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.status.board import CONTENT_SECURITY_POLICY, Board
from tidegate_web.status.history import History
from tidegate_web.status.reading import About, LoadedVersion, Reading

log = logging.getLogger(__name__)

INTERVAL_S = 1.0

SLOWEST_S = 5.0
"""A watcher that has not taken a sample after so long is left."""


class LiveStatus:
    """Samples the gateway each second, and shows its history.

    Args:
        about: What does not change.
        read: Takes a reading.
        lifecycle: Whether the gateway is ready, and when it leaves.
        audience: Who looks.
    """

    def __init__(self, about: About, read: Callable[[], Reading], lifecycle: Lifecycle, audience: Audience) -> None:
        self._about = about
        self._read = read
        self._lifecycle = lifecycle
        self._audience = audience
        self._history = History()
        self._history.take(read())
        self._board = Board(about, self._history)
        self._sampled = asyncio.Event()
        self._message = b""

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount."""
        return [
            web.get("/status", self.page),
            web.get("/status/events", self.events),
            web.get("/status.json", self.document),
            web.get("/status/assets/status.css", self.stylesheet),
            web.get("/status/assets/status.js", self.script),
        ]

    async def sample(self) -> None:
        """Take a sample each second. One that fails is left out: the page must not cost the gateway its life."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                self._history.take(self._read())
            except Exception:
                log.exception("no sample of the status")
                continue
            self._message = b""
            self._sampled.set()
            self._sampled = asyncio.Event()

    async def page(self, _: web.Request) -> web.Response:
        """Show the page as of the last sample."""
        self._audience.looked()
        return web.Response(
            text=self._board.page(self._lifecycle.reasons_not_ready()),
            content_type="text/html",
            headers={
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def document(self, request: web.Request) -> web.Response:
        """Give all that is known, as JSON; without the past when asked for `history=0`."""
        history, reading = self._history, self._read()
        document: dict[str, object] = {
            "pod": self._about.pod,
            "version": self._about.version,
            "not_ready": self._lifecycle.reasons_not_ready(),
            "limits": self._about.limits,
            "backends": [
                {
                    "address": backend.address,
                    "state": backend.state,
                    "outstanding": backend.outstanding,
                    "models": _by_model(backend.versions),
                }
                for backend in reading.backends
            ],
            "routes": reading.routes,
            "gateways": None if history.gateways is None else sorted(history.gateways),
            "now": history.samples[-1],
        }
        if request.query.get("history") != "0":
            document |= {"history": list(history.samples), "events": list(history.events), "peers": history.peers}
        return web.Response(body=dumps(document), content_type="application/json")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the parts of the page that changed, each second, until the gateway drains; 503 when many watch."""
        if self._audience.full or self._lifecycle.draining:
            why = "this pod is leaving" if self._lifecycle.draining else f"{MOST_STREAMS} others watch already"
            return web.Response(status=503, text=f"No stream: {why}\n", headers={"Retry-After": "5"})
        with self._audience.stream():
            return await self._stream(request)

    async def stylesheet(self, _: web.Request) -> web.Response:
        """Give the page's style."""
        return _asset(self._board.stylesheet, "text/css")

    async def script(self, _: web.Request) -> web.Response:
        """Give the page's script."""
        return _asset(self._board.script, "text/javascript")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        response.force_close()
        await response.prepare(request)
        last = False
        while not last:
            last = self._lifecycle.draining  # one more sample tells of it
            try:
                async with asyncio.timeout(SLOWEST_S):
                    await response.write(self._news())
                    await self._sampled.wait()
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
                break
        return response

    def _news(self) -> bytes:
        """Write the event of the last sample, once for all that watch."""
        if not self._message:
            news = {
                "sample": self._history.samples[-1],
                "not_ready": self._lifecycle.reasons_not_ready(),
                "clock": self._board.clock(),
                "parts": self._board.parts(),
            }
            self._message = b"event: sample\ndata: " + dumps(news) + b"\n\n"
        return self._message


def _by_model(versions: Iterable[LoadedVersion]) -> dict[str, dict[str, str]]:
    models: dict[str, dict[str, str]] = {}
    for one in versions:
        models.setdefault(one.model, {})[str(one.version)] = one.state
    return models


def _asset(body: bytes, content_type: str) -> web.Response:
    return web.Response(
        body=body,
        content_type=content_type,
        charset="utf-8",
        headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
    )
