"""Overload, deadlines, cancellation, and the budget of retries."""

import asyncio
import math
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

from tests.resilience.load import Load, Outcome, connect, failures, get, percentile, post, tally
from tests.resilience.processes import Gateway, ModelServer, Stage, ask, static
from tests.resilience.report import Report

ROW_MS = 5.0
CAPACITY = 1e3 / ROW_MS
"""Rows a second of the bottleneck: one at a time, ROW_MS each, whatever the batch."""

OPS_PATHS = ("/healthz", "/readyz", "/metrics", "/status.json")
OPS_INTERVAL_S = 0.05

ROUNDING_S = 0.05
"""gRPC writes a deadline as a duration, rounded up; 1.5 s was seen to arrive as 1.51."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What overload may cost. The short form runs beside other tests, whose noise is not the gateway's."""

    goodput: float
    at_once_s: float


FULL = Promise(goodput=0.95, at_once_s=0.050)
SHORT = Promise(goodput=0.75, at_once_s=0.5)


async def overload(stage: Stage, report: Report) -> None:
    """Three times what a serial model server can do, open loop, with a limit and queue that fit it."""
    await _overload(stage, report, {"max_inflight": "32", "max_queue": "64"})


async def overload_defaults(stage: Stage, report: Report) -> None:
    """The same with the settings as they come."""
    await _overload(stage, report, {})


async def _overload(stage: Stage, report: Report, settings: dict[str, str]) -> None:
    promise = FULL if report.full else SHORT
    server = await stage.model_server("--serial", "--row-ms", str(ROW_MS))
    gateway = await stage.gateway(static(server), None, **settings)
    step_s = 10.0 if report.full else 1.5
    peak = 0.0
    for share in (0.8, 1.0, 1.2) if report.full else (1.2,):
        load = Load([gateway.http])
        outcomes = await load.open(share * CAPACITY, step_s)
        load.close()
        peak = max(peak, _goodput(outcomes))
    ops: dict[str, list[float]] = defaultdict(list)
    sampling = asyncio.create_task(_sample(gateway, ops))
    load = Load([gateway.http])
    outcomes = await load.open(3 * CAPACITY, 6 * step_s if report.full else 2 * step_s)
    load.close()
    sampling.cancel()
    goodput = _goodput(outcomes)
    refused = [outcome for outcome in outcomes if outcome.status == 429]
    report.figures["requests"] = tally(outcomes)
    report.figures["peak and overloaded goodput, 1/s"] = (round(peak, 1), round(goodput, 1))
    report.check(
        f"goodput at 3x is at least {promise.goodput:.0%} of peak",
        f"{goodput / peak:.1%}",
        holds=goodput >= promise.goodput * peak,
    )
    others = Counter(outcome.status or outcome.kind for outcome in failures(outcomes) if outcome.status != 429)
    report.check("what is not answered is 429 and nothing else", dict(others) or "429", holds=not others)
    bare = sum(not outcome.retry_after for outcome in refused)
    report.check("every 429 has Retry-After", f"{bare} of {len(refused)} have not", holds=not bare)
    took = [outcome.took_s for outcome in refused]
    if took:
        slowest = percentile(took, 0.99)
        words = f"p50 {percentile(took, 0.5) * 1e3:.1f} ms, p99 {slowest * 1e3:.1f} ms"
        report.check(f"429 comes within {promise.at_once_s} s (p99)", words, holds=slowest <= promise.at_once_s)
    for path, seen in ops.items():
        p99 = percentile(seen, 0.99)
        words = f"p50 {percentile(seen, 0.5) * 1e3:.1f}, p99 {p99 * 1e3:.1f}, longest {max(seen) * 1e3:.1f} ms"
        holds = p99 <= promise.at_once_s
        report.check(f"{path} answers within {promise.at_once_s} s (p99)", f"{words} of {len(seen)}", holds=holds)
    report.figures["the generator itself was late by, p99"] = f"{load.lateness_s(0.99) * 1e3:.1f} ms"


def _goodput(outcomes: list[Outcome]) -> float:
    """Right answers a second, over the time in which answers came."""
    good = [outcome.answered for outcome in outcomes if outcome.kind == "ok"]
    if not good:
        return 0.0
    began = min(outcome.intended for outcome in outcomes)
    return len(good) / (max(good) - began)


async def _sample(gateway: Gateway, ops: dict[str, list[float]]) -> None:
    """Ask the ops port for as long as the load lasts."""
    connection = await connect(gateway.ops)
    while True:
        for path in OPS_PATHS:
            started = time.monotonic()
            answer = await connection.ask(get(path))
            took = time.monotonic() - started
            ops[path].append(took if answer.status == 200 else math.inf)
        await asyncio.sleep(OPS_INTERVAL_S)


async def deadlines(stage: Stage, report: Report) -> None:
    """The header or the setting reaches the model server; past it there is a 504, and the call ends."""
    server = await stage.model_server()
    gateway = await stage.gateway(static(server), request_timeout_s="3")
    load = Load([gateway.http], headers=lambda number: {"X-Request-Timeout": "1.5"} if number <= 20 else {})
    outcomes = [await load.one() for _ in range(40)]
    load.close()
    report.no_failures(outcomes)
    remaining = (await server.counts())["remaining_s"]
    asked, default = remaining[:20], remaining[20:]
    report.check(
        "X-Request-Timeout: 1.5 reaches the model server",
        f"{min(asked)} to {max(asked)} s left",
        holds=all(1 < left <= 1.5 + ROUNDING_S for left in asked),
    )
    report.check(
        "TIDEGATE_REQUEST_TIMEOUT_S=3 reaches it without",
        f"{min(default)} to {max(default)} s left",
        holds=all(2 < left <= 3 + ROUNDING_S for left in default),
    )
    hanging = await stage.model_server("--hang")
    gateway = await stage.gateway(static(hanging))
    started = time.monotonic()
    body = post(load.path, b'{"instances":[[1,0]]}', {"X-Request-Timeout": "0.5"})
    answer = await ask(gateway.http, body)
    took_s = time.monotonic() - started
    report.check(
        "a model that hangs is 504 at the deadline of 0.5 s",
        f"{answer.status} after {took_s:.3f} s",
        holds=answer.status == 504 and 0.5 <= took_s < 1.5,
    )
    cancelled = await _eventually(hanging, "cancelled")
    report.check("and its call is cancelled there", cancelled, holds=cancelled == 1)


async def cancellation(stage: Stage, report: Report) -> None:
    """Clients that leave: a call under way is cancelled, a row that waits is not sent."""
    hanging = await stage.model_server("--hang")
    gateway = await stage.gateway(static(hanging))
    leaving = await connect(gateway.http)
    asked = asyncio.create_task(leaving.ask(post(Load([]).path, b'{"instances":[[1,0]]}')))
    while not (await hanging.counts())["calls"].get("predict"):
        await asyncio.sleep(0.02)
    started = time.monotonic()
    leaving.close()
    cancelled = await _eventually(hanging, "cancelled")
    words = f"{cancelled} call cancelled after {time.monotonic() - started:.3f} s"
    report.check("a call whose client left is cancelled within 1 s", words, holds=cancelled == 1)
    await asyncio.gather(asked, return_exceptions=True)

    busy = await stage.model_server("--serial", "--fixed-ms", "300")
    gateway = await stage.gateway(static(busy), max_inflight="1", max_batch_rows="1", calls_per_backend="1")
    connections = [await connect(gateway.http) for _ in range(3)]
    tasks = []
    for number, connection in enumerate(connections, 1):
        tasks.append(asyncio.create_task(connection.ask(post(Load([]).path, b'{"instances":[[%d,0]]}' % number))))
        await asyncio.sleep(0.05)
    connections[1].close()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for connection in connections:
        connection.close()
    seen = (await busy.counts())["first_values"]
    answered = [not isinstance(answer, BaseException) and answer.status for answer in answers]
    report.check("a waiting row whose client left reaches no model server", f"rows {seen}", holds=seen == [1, 3])
    report.check("its neighbours are answered", answered, holds=answered[::2] == [200, 200])


async def retry_budget(stage: Stage, report: Report) -> None:
    """Every model server fails: retries must not multiply the load."""
    failing = ("--fail", "UNAVAILABLE", "--fail-calls", "1e9")
    servers = await asyncio.gather(*(stage.model_server(*failing) for _ in range(3)))
    gateway = await stage.gateway(static(*servers))
    load = Load([gateway.http])
    outcomes = await load.open(200, 15 if report.full else 2.5)
    load.close()
    calls = sum([(await server.counts())["calls"].get("predict", 0) for server in servers])
    limit = len(outcomes) + max(10, 0.1 * len(outcomes))
    report.figures["requests"] = tally(outcomes)
    report.check(
        "calls are at most requests + max(10, 10 %)",
        f"{calls} calls for {len(outcomes)} requests, limit {limit:.0f}",
        holds=calls <= limit,
    )
    statuses = sorted({outcome.status for outcome in outcomes})
    report.check("clients hear 503", statuses, holds=statuses == [503])
    slowest = percentile([outcome.took_s for outcome in outcomes], 0.99)
    report.check("at once: p99 within 0.5 s", f"{slowest * 1e3:.0f} ms", holds=slowest < 0.5)


async def _eventually(server: ModelServer, what: str, patience_s: float = 1.0) -> int:
    """Wait until a model server has counted something; gives the count."""
    deadline = time.monotonic() + patience_s
    while not (found := (await server.counts())[what]) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return int(found)
