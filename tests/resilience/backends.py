"""Which model servers are used, how soon, and how much each of them gets."""

import asyncio
import signal
import time
from collections.abc import Callable

from tests.doubles.kubernetes_api import READY, TERMINATING, KubernetesApi
from tests.ports import free_port
from tests.resilience.load import Load, failures, tally
from tests.resilience.processes import Gateway, ModelServer, Stage, loaded, static
from tests.resilience.report import Report

PER_SECOND = 200.0

SPREAD_FULL, SPREAD_SHORT = 0.10, 0.50
"""How far from the mean one of equal servers may be. In the short form they are not quite equal: other tests take the
processor from one or the other. tests/unit/test_web_balancer.py holds the 10 % on a clock of its own.
"""

SLOW_FULL, SLOW_SHORT = 0.5, 1.0
"""Share of an equal's rows that one five times as slow stays below; for the same reason."""


async def spread(stage: Stage, report: Report) -> None:
    """Four equal model servers, then the same with one of them five times as slow."""
    count = 20_000 if report.full else 1_000
    for slow_ms in ("2", "10"):
        servers = await asyncio.gather(
            *(stage.model_server("--serial", "--row-ms", ms) for ms in ("2", "2", "2", slow_ms))
        )
        gateway = await stage.gateway(static(*servers))
        load = Load([gateway.http])
        outcomes = await load.closed(count, clients=16)
        load.close()
        rows = [(await server.counts())["rows"] for server in servers]
        if slow_ms == "2":
            report.no_failures(outcomes)
            mean = sum(rows) / len(rows)
            widest = max(abs(got - mean) / mean for got in rows)
            limit = SPREAD_FULL if report.full else SPREAD_SHORT
            report.check(f"equal ones within {limit:.0%} of their mean", f"{widest:.1%} {rows}", holds=widest <= limit)
        else:
            share = SLOW_FULL if report.full else SLOW_SHORT
            promise = f"a slow one gets less than {share:g} of an equal's share"
            report.check(promise, rows, holds=rows[3] < share * min(rows[:3]))
        await gateway.kill()


async def discovery(stage: Stage, report: Report) -> None:
    """A model server that comes and goes by EndpointSlice."""
    port = free_port()
    async with KubernetesApi().listening() as api:
        stays, comes = await asyncio.gather(*(stage.model_server(address=f"127.0.0.{host}:{port}") for host in (2, 3)))
        api.set("127.0.0.2", READY)
        gateway = await stage.gateway(f"endpointslice:tidegate-serving:{port}", {"POD_API_SERVER": api.url})
        await _comes_and_goes(
            gateway,
            comes,
            join=lambda: api.set("127.0.0.3", READY),
            leave=lambda: api.set("127.0.0.3", TERMINATING),
            report=report,
            limits_s=(2.0, 1.0),
        )
        assert stays.process.poll() is None


async def discovery_dns(stage: Stage, report: Report) -> None:
    """A model server that comes and goes by a name's addresses."""
    port = free_port()
    addresses = stage.folder / "addresses"
    addresses.write_text("127.0.0.2")
    servers = await asyncio.gather(*(stage.model_server(address=f"127.0.0.{host}:{port}") for host in (2, 3)))
    pod = {"POD_ADDRESSES": str(addresses)}
    gateway = await stage.gateway(f"dns:serving:{port}", pod)
    await _comes_and_goes(
        gateway,
        servers[1],
        join=lambda: addresses.write_text("127.0.0.2 127.0.0.3"),
        leave=lambda: addresses.write_text("127.0.0.2"),
        report=report,
        limits_s=(7.0, 7.0),
    )


async def _comes_and_goes(
    gateway: Gateway,
    server: ModelServer,
    join: Callable[[], object],
    leave: Callable[[], object],
    report: Report,
    limits_s: tuple[float, float],
) -> None:
    used: list[float] = []
    left: list[float] = []
    load = Load([gateway.http])
    async with loaded(load, PER_SECOND):
        for _ in range(10 if report.full else 1):
            await asyncio.sleep(0.2)
            told = time.monotonic()
            join()
            used.append(await load.first_use(server.address, told) - told)
            told = time.monotonic()
            leave()
            await asyncio.sleep(limits_s[1] + 0.2 if report.full else 2)
            left.append(max(0.0, (await server.counts())["last_call_at"] - told))
    report.no_failures(load.outcomes)
    report.check(f"used within {limits_s[0]:g} s", f"{max(used):.3f} s", holds=max(used) <= limits_s[0])
    report.check(f"left within {limits_s[1]:g} s", f"{max(left):.3f} s", holds=max(left) <= limits_s[1])


async def restart_in_place(stage: Stage, report: Report) -> None:
    """The only model server's container dies and comes back at its address."""
    server = await stage.model_server()
    gateway = await stage.gateway(static(server))
    load = Load([gateway.http])
    back_s: list[float] = []
    away_s = (0.3, 3.0) if report.full else (0.3, 1.5)  # longer away: reconnects have backed off
    async with loaded(load, PER_SECOND / 4):
        for seconds in away_s:
            await asyncio.sleep(0.3)
            await server.kill()
            await asyncio.sleep(seconds)
            server = await stage.again(server)
            listening = time.monotonic()
            back_s.append(await load.first_use(server.address, listening) - listening)
    report.figures["requests"] = tally(load.outcomes)
    report.check("back within 2 s", [f"{back:.3f} s" for back in back_s], holds=max(back_s) <= 2)
    statuses = sorted({outcome.status for outcome in failures(load.outcomes)})
    report.check("meanwhile 503 and nothing else", statuses, holds=statuses == [503])


async def slow_to_connect(stage: Stage, report: Report) -> None:
    """The only model server has no processor time when the gateway first connects, though its port is open."""
    waits_s = 1.5 if report.full else 0.6
    server = await stage.model_server()
    server.send(signal.SIGSTOP)
    gateway = await stage.gateway(static(server))
    load = Load([gateway.http])
    async with loaded(load, PER_SECOND / 4):
        await asyncio.sleep(waits_s)
        server.send(signal.SIGCONT)
        await asyncio.sleep(0.3)
    report.no_failures(load.outcomes)


async def ejection(stage: Stage, report: Report) -> None:
    """One of two model servers answers UNAVAILABLE for a while, then recovers."""
    sick_s = 5.0 if report.full else 2.0
    sick = await stage.model_server("--fixed-ms", "2", "--fail", "UNAVAILABLE", "--fail-s", str(sick_s))
    well = await stage.model_server("--fixed-ms", "2")
    gateway = await stage.gateway(static(sick, well))
    load = Load([gateway.http])
    async with loaded(load, PER_SECOND):
        await asyncio.sleep(sick_s)
        recovered = time.monotonic()
        counts = await sick.counts()
        back_s = await load.first_use(sick.address, recovered) - recovered
        await asyncio.sleep(0.5)
    report.no_failures(load.outcomes)
    share = PER_SECOND * sick_s / 2
    report.check(
        "it is probed, not used, while it fails: at most 5 % of its share",
        f"{counts['failed']} of {share:.0f} calls",
        holds=1 <= counts["failed"] <= 0.05 * share + 5,
    )
    report.check("used again within 5 s of its recovery", f"{back_s:.3f} s", holds=back_s <= 5)


async def versions(stage: Stage, report: Report) -> None:
    """Only one of three model servers has version 2, another is still loading it: a roll-out half-way."""
    old, loading, new = await asyncio.gather(
        stage.model_server("--model", "and_gate=1"),
        stage.model_server("--model", "and_gate=1,2:LOADING"),
        stage.model_server("--model", "and_gate=1,2", "--label", "and_gate:canary=2"),
    )
    gateway = await stage.gateway(static(old, loading, new))
    found = []
    for path in ("/versions/2", "/labels/canary", "/versions/1"):
        load = Load([gateway.http], path=f"/v1/models/and_gate{path}:predict")
        found += await load.closed(3_000 if report.full else 300, clients=8)
        load.close()
    report.no_failures(found, "whoever has the version or label answers")
    refused = sum([(await server.counts())["refused"] for server in (old, loading)])
    asked = 2 * (3_000 if report.full else 300)
    report.check(
        "those without it are hardly asked: at most 1 %, or 20 calls",
        f"{refused} calls refused of {asked}",
        holds=refused <= max(20, asked / 100),
    )
