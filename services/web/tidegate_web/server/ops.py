"""The ops port: metrics, health, readiness and status, apart from what clients may reach.

It has an event loop of its own, so all it reads of the gateway are plain values and what may be read by other threads.
"""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from tidegate_web.metrics import Metrics
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.peers import Peers
from tidegate_web.server.status import LiveStatus


def make_ops_app(metrics: Metrics, lifecycle: Lifecycle, status: LiveStatus, peers: Peers) -> web.Application:
    """Put the ops side together."""

    async def show_metrics(request: web.Request) -> web.Response:
        # Away from the event loop: writing many series takes milliseconds
        body, content_type = await asyncio.to_thread(metrics.render, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def healthz(_: web.Request) -> web.Response:
        if lifecycle.stuck():
            return web.Response(status=503, text="the event loop is stuck\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reasons = lifecycle.reasons_not_ready()
        if reasons:
            return web.Response(status=503, text="".join(f"{reason}\n" for reason in reasons))
        return web.Response(text="ready\n")

    async def following(_: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (status.sample(), peers.follow())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def front(_: web.Request) -> web.Response:
        raise web.HTTPFound("/status")

    app = web.Application()
    app.cleanup_ctx.append(following)
    app.add_routes(
        [
            web.get("/", front),
            web.get("/metrics", show_metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            *status.routes(),
        ]
    )
    return app
