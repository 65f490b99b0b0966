"""The ops port: metrics, health, readiness and status, apart from what clients may reach."""

import asyncio

from aiohttp import web

from tidegate_web.codec.json_text import dumps
from tidegate_web.metrics import Metrics
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.serving.balancer import Balancer


def make_ops_app(metrics: Metrics, lifecycle: Lifecycle, balancer: Balancer, pod: str, version: str) -> web.Application:
    """Put the ops side together."""

    async def show_metrics(request: web.Request) -> web.Response:
        # Away from the event loop: writing many series takes milliseconds
        body, content_type = await asyncio.to_thread(metrics.render, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reasons = lifecycle.reasons_not_ready()
        if reasons:
            return web.Response(status=503, text="".join(f"{reason}\n" for reason in reasons))
        return web.Response(text="ready\n")

    async def status(_: web.Request) -> web.Response:
        document = {
            "pod": pod,
            "version": version,
            "not_ready": lifecycle.reasons_not_ready(),
            "backends": [
                {
                    "address": backend.address,
                    "outstanding": backend.outstanding,
                    "state": backend.state.value,
                    "models": {
                        name: {str(status.version): status.state for status in statuses}
                        for name, statuses in backend.models.items()
                    },
                }
                for backend in balancer.backends
            ],
        }
        return web.Response(body=dumps(document), content_type="application/json")

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", show_metrics),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/status.json", status),
        ]
    )
    return app
