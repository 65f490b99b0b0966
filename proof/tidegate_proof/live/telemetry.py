"""What the gateways tell of themselves: read off every pod each second, and from the last line of its log."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tidegate_proof.live.api import Api, ApiError, Object, UnreachableError
from tidegate_proof.live.journal import Clock
from tidegate_proof.live.objects import tier_of
from tidegate_proof.record.telemetry import GatewayLook

LOOK_S = 1.0
AGAIN_S = 1.0
CLIENT_LEFT = "499"
STOPPED = "stopped"
LAST_WORDS = 20
"""Lines of a log that hold the last one, when a log is read again after its stream broke."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a gateway's metrics say.

    Attributes:
        answered: Requests answered since its start.
        inflight: Requests.
        pending: Rows queued or with a model server.
        shed: Requests refused since its start.
    """

    answered: int
    inflight: int
    pending: int
    shed: int


def read_metrics(text: str) -> Figures:
    """Read a gateway's metrics.

    Raises:
        ValueError: They are not in Prometheus' text format.
    """
    totals: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(_only_ours(text)):
        for sample in family.samples:
            if sample.labels.get("status") != CLIENT_LEFT:
                totals[sample.name] += sample.value
    return Figures(
        answered=int(totals["tidegate_requests_total"]),
        inflight=int(totals["tidegate_inflight_requests"]),
        pending=int(totals["tidegate_serving_pending_predictions"]),
        shed=int(totals["tidegate_shed_total"]),
    )


READ = ("tidegate_requests_total", "tidegate_inflight_requests ", "tidegate_serving_pending_predictions ",
        "tidegate_shed_total")  # fmt: skip


def _only_ours(text: str) -> str:
    """Leave out what is not read, which is most of it: histograms."""
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith(READ))


def last_total(line: bytes) -> int | None:
    """Read the total of answers off a gateway's last log line; None where the line is another."""
    try:
        said: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("message") != STOPPED:
        return None
    answered = said.get("answered")
    return answered if isinstance(answered, int) else None


@dataclass(slots=True)
class _Gateway:
    """A gateway that was seen."""

    name: str
    ip: str
    log: "asyncio.Task[None]"
    answered: int = 0
    total: int | None = None
    gone: bool = False


@dataclass(slots=True)
class Telemetry:
    """Looks at every gateway, from its first address to its last word.

    Attributes:
        api: Of the cluster.
        namespace: Where.
        note: Takes looks.
        clock: Of the run.
    """

    api: Api
    namespace: str
    note: Callable[[GatewayLook], None]
    clock: Clock
    _gateways: dict[str, _Gateway] = field(default_factory=dict)

    def change(self, change: str, found: Object) -> None:
        """Learn of a pod by the watch."""
        name, ip = found["metadata"]["name"], found.get("status", {}).get("podIP", "")
        known = self._gateways.get(name)
        if known is None and ip and change != "DELETED" and tier_of(found) == "web":
            log = asyncio.get_running_loop().create_task(self._follow_log(name))
            self._gateways[name] = _Gateway(name, ip, log)
        elif known is not None and change == "DELETED":
            known.gone = True

    async def follow(self) -> None:
        """Look at every gateway each second; never returns."""
        while True:
            began = asyncio.get_running_loop().time()
            await self.look()
            await asyncio.sleep(max(0.0, LOOK_S - (asyncio.get_running_loop().time() - began)))

    async def look(self) -> None:
        """Look at every gateway once."""
        await asyncio.gather(*(self._look_at(one) for one in self._gateways.values() if not one.gone))

    async def finish(self) -> None:
        """Note every gateway's total, from its last log line or, where it lives, from one more look."""
        for one in self._gateways.values():
            if one.total is None and not one.gone:
                await self._look_at(one, final=True)
            if one.total is None:
                self._note(one, one.answered, final=True)
        await self.close()

    async def close(self) -> None:
        """Look at nothing any more."""
        for one in self._gateways.values():
            one.log.cancel()
        await asyncio.gather(*(one.log for one in self._gateways.values()), return_exceptions=True)

    def _pod(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{name}"

    async def _look_at(self, one: _Gateway, *, final: bool = False) -> None:
        try:
            figures = read_metrics(await self.api.text(f"{self._pod(one.name)}:8081/proxy/metrics"))
        except (ApiError, UnreachableError, ValueError):
            return  # one that starts or leaves does not answer; its log has the last word
        one.answered = max(one.answered, figures.answered)
        if final:
            one.total = figures.answered
        self.note(
            GatewayLook(
                t_ns=self.clock(),
                pod=one.name,
                pod_ip=one.ip,
                answered=figures.answered,
                final=final,
                clean=final,
                inflight=figures.inflight,
                pending=figures.pending,
                shed=figures.shed,
            )
        )

    async def _follow_log(self, name: str) -> None:
        """Read a gateway's log from its start until its last line, however often the stream breaks."""
        begin = ""
        while True:
            with contextlib.suppress(ApiError, UnreachableError):
                async for line in self.api.lines(f"{self._pod(name)}/log?follow=true{begin}", silence_s=None):
                    total = last_total(line)
                    if total is not None:
                        one = self._gateways[name]
                        one.total = total
                        self._note(one, total, final=True, clean=True)
                        return
            if self._gateways[name].gone:
                return
            begin = f"&tailLines={LAST_WORDS}"
            await asyncio.sleep(AGAIN_S)

    def _note(self, one: _Gateway, answered: int, *, final: bool, clean: bool = False) -> None:
        self.note(
            GatewayLook(t_ns=self.clock(), pod=one.name, pod_ip=one.ip, answered=answered, final=final, clean=clean)
        )
