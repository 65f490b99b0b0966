"""A Kubernetes API of one resource: lists and watches the EndpointSlice of one Service, over plain HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

PATH = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"

READY = {"ready": True, "serving": True, "terminating": False}
TERMINATING = {"ready": False, "serving": True, "terminating": True}
NOT_READY = {"ready": False, "serving": False, "terminating": False}


class KubernetesApi:
    """Serves one EndpointSlice to whoever lists and watches it; `set` tells the watchers of a change.

    Attributes:
        url: Where it listens.
    """

    def __init__(self) -> None:
        self.url = ""
        self._endpoints: dict[str, Mapping[str, bool]] = {}
        self._version = 1
        self._watchers: set[asyncio.Queue[str | None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["KubernetesApi"]:
        app = web.Application()
        app.add_routes([web.get(PATH, self._answer)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = "http://{}:{}".format(*runner.addresses[0][:2])
            yield self
        finally:
            for watcher in self._watchers:
                watcher.put_nowait(None)
            await runner.cleanup()

    def set(self, host: str, conditions: Mapping[str, bool] | None) -> None:
        """Give an endpoint its conditions, or take it out with None."""
        if conditions is None:
            self._endpoints.pop(host, None)
        else:
            self._endpoints[host] = conditions
        self._version += 1
        event = json.dumps({"type": "MODIFIED", "object": self._slice()})
        for watcher in self._watchers:
            watcher.put_nowait(event)

    def _slice(self) -> dict[str, Any]:
        return {
            "metadata": {"name": "tidegate-serving-x", "resourceVersion": str(self._version)},
            "endpoints": [
                {"addresses": [host], "conditions": dict(conditions)} for host, conditions in self._endpoints.items()
            ],
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": [self._slice()]})
        events: asyncio.Queue[str | None] = asyncio.Queue()
        if request.query["resourceVersion"] != str(self._version):  # it changed between list and watch
            events.put_nowait(json.dumps({"type": "MODIFIED", "object": self._slice()}))
        self._watchers.add(events)
        try:
            response = web.StreamResponse()
            await response.prepare(request)
            while (event := await events.get()) is not None:
                await response.write(event.encode() + b"\n")
        finally:
            self._watchers.discard(events)
        return response
