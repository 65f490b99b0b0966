"""Restarts and deaths under load: of gateways, and of the model servers behind one."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

from tests.doubles.kubernetes_api import READY, TERMINATING, KubernetesApi
from tests.ports import free_port
from tests.resilience.load import Load
from tests.resilience.processes import Gateway, ModelServer, Stage, loaded, static
from tests.resilience.report import Report

PER_SECOND = 200.0
WORK = ("--fixed-ms", "10")
"""Long enough that some calls are always under way when a process is told to stop."""

LEARNS_S = 0.2
"""How long clients still send to a gateway after its SIGTERM: a Service's rules follow a pod's end."""

SETTLES_S = 0.3
"""Between two restarts, so that each meets a steady load."""


async def gateway_restarts(stage: Stage, report: Report) -> None:
    """Two gateways restarted in turn, while clients learn of it a moment late."""
    backend = await stage.model_server(*WORK)
    drain_s = "1" if report.full else "0.5"

    async def start() -> Gateway:
        return await stage.gateway(static(backend), drain_s=drain_s)

    gateways = list(await asyncio.gather(start(), start()))
    load = Load([gateway.http for gateway in gateways])
    exit_codes: list[int] = []
    async with loaded(load, PER_SECOND):
        for _ in range(50 if report.full else 2):
            leaving = gateways.pop(0)
            leaving.send(signal.SIGTERM)
            await asyncio.sleep(LEARNS_S)
            load.targets.remove(leaving.http)
            exit_codes.append(await leaving.ended())
            gateways.append(await start())
            load.targets.append(gateways[-1].http)
            await asyncio.sleep(SETTLES_S)
    report.figures["restarts"] = len(exit_codes)
    report.no_failures(load.outcomes)
    report.check("every gateway exits 0", sorted(set(exit_codes)), holds=set(exit_codes) == {0})
    idle_closes = sum(outcome.idle_closes for outcome in load.outcomes)
    # Each leaving gateway closes the connections that are idle at its end, at most one for each client that had it
    report.figures["idle closes, sent again once as RFC 9112 9.3.1 allows"] = idle_closes


async def model_restarts(stage: Stage, report: Report) -> None:
    """Two model servers restarted in turn as Kubernetes does: out of the EndpointSlice, then SIGTERM."""
    port = free_port()
    async with KubernetesApi().listening() as api:
        servers = await asyncio.gather(
            *(stage.model_server(*WORK, address=f"127.0.0.{host}:{port}") for host in (2, 3))
        )
        for server in servers:
            api.set(_host(server), READY)
        gateway = await stage.gateway(f"endpointslice:tidegate-serving:{port}", {"POD_API_SERVER": api.url})

        async def restart(server: ModelServer) -> ModelServer:
            api.set(_host(server), TERMINATING)
            await asyncio.sleep(LEARNS_S)  # the preStop hook
            await server.stop()
            started = await stage.again(server)
            api.set(_host(server), READY)
            return started

        await _restarted(gateway, servers, restart, report, 50 if report.full else 2)


async def model_restarts_static(stage: Stage, report: Report) -> None:
    """The same without an orchestrator: SIGTERM, and nobody tells the gateway."""

    async def restart(server: ModelServer) -> ModelServer:
        await server.stop()
        return await stage.again(server)

    servers = await asyncio.gather(*(stage.model_server(*WORK) for _ in range(2)))
    gateway = await stage.gateway(static(*servers))
    await _restarted(gateway, servers, restart, report, 50 if report.full else 2)


async def model_kill(stage: Stage, report: Report) -> None:
    """Kill -9 of one of two model servers, again and again."""

    async def restart(server: ModelServer) -> ModelServer:
        await server.kill()
        await asyncio.sleep(LEARNS_S)
        return await stage.again(server)

    servers = await asyncio.gather(*(stage.model_server(*WORK) for _ in range(2)))
    gateway = await stage.gateway(static(*servers))
    await _restarted(gateway, servers, restart, report, 50 if report.full else 2)


async def _restarted(
    gateway: Gateway,
    servers: list[ModelServer],
    restart: Callable[[ModelServer], Awaitable[ModelServer]],
    report: Report,
    times: int,
) -> None:
    """Restart model servers in turn under load; each must serve again afterwards."""
    load = Load([gateway.http])
    back_s: list[float] = []
    async with loaded(load, PER_SECOND):
        await asyncio.sleep(SETTLES_S)
        for _ in range(times):
            started = await restart(servers.pop(0))
            servers.append(started)
            listening = time.monotonic()
            back_s.append(await load.first_use(started.address, listening) - listening)
            await asyncio.sleep(SETTLES_S)
    report.figures["restarts"] = times
    report.no_failures(load.outcomes)
    report.check("each serves again within 2 s", f"{max(back_s):.3f} s at most", holds=max(back_s) <= 2)


def _host(server: ModelServer) -> str:
    return server.address.rpartition(":")[0]
