"""Weights between labels: the share that comes out, who stays where, and a change while it runs."""

import asyncio
import time
from collections import defaultdict

from tests.resilience.load import Load, Outcome
from tests.resilience.processes import Stage, static
from tests.resilience.report import Report

STABLE, CANARY = 1, 2
WEIGHTS = "and_gate: {stable: 90, canary: 10}\n"
RELOADED = "and_gate: {stable: 50, canary: 50}\n"
RELOAD_S = 10.0


async def canary(stage: Stage, report: Report) -> None:
    """Nine to one by client; then half and half, without a restart."""
    labels = ("--label", "and_gate:stable=1", "--label", "and_gate:canary=2")
    server = await stage.model_server("--model", "and_gate=1,2", *labels)
    routes = stage.folder / "routes.yaml"
    routes.write_text(WEIGHTS)
    gateway = await stage.gateway(static(server), routes_file=str(routes))
    # Within 1 % is for 10^5 requests; the short form's share may stray by four standard deviations
    count, tolerance = (100_000, 0.01) if report.full else (1_600, 0.03)

    load = Load([gateway.http], headers=lambda number: {"X-Client-ID": f"client-{number}"})
    outcomes = await load.closed(count, clients=32)
    report.no_failures(outcomes)
    share = _share(outcomes)
    words = f"{share:.2%} of {count} clients"
    report.check(f"10 % go to the canary, within {tolerance:.1%}", words, holds=abs(share - 0.1) <= tolerance)

    anonymous = Load([gateway.http])
    share = _share(await anonymous.closed(count // 2, clients=32))
    words = f"{share:.2%} of {count // 2} requests"
    report.check("so do 10 % of requests without a client's name", words, holds=abs(share - 0.1) <= 1.5 * tolerance)

    few = Load([gateway.http], headers=lambda number: {"X-Client-ID": f"client-{number % 40}"})
    versions: dict[int, set[int]] = defaultdict(set)
    for outcome in await few.closed(400, clients=8):
        versions[outcome.number % 40].add(outcome.version)
    moved = sum(len(seen) > 1 for seen in versions.values())
    report.check("a client stays where it is", f"{moved} of {len(versions)} moved", holds=not moved)

    routes.write_text(RELOADED)
    changed = time.monotonic()
    share = 0.0
    while abs(share - 0.5) > 0.1 and time.monotonic() - changed < RELOAD_S:
        await asyncio.sleep(0.1)
        share = _share(await load.closed(200, clients=8))
    took_s = time.monotonic() - changed
    words = f"{share:.1%} after {took_s:.1f} s"
    report.check("a new file counts within 10 s, without a restart", words, holds=abs(share - 0.5) <= 0.1)

    routes.write_text("and_gate: {stable: [}\n")
    await asyncio.sleep(2.5)
    outcomes = await load.closed(200, clients=8)
    broken = f"{_share(outcomes):.1%}, {sum(outcome.kind == 'ok' for outcome in outcomes)} of 200 answered"
    kept = all(outcome.kind == "ok" for outcome in outcomes) and abs(_share(outcomes) - 0.5) <= 0.1
    report.check("a file that cannot be read leaves the weights as they were", broken, holds=kept)
    for one in (load, anonymous, few):
        one.close()


def _share(outcomes: list[Outcome]) -> float:
    return sum(outcome.version == CANARY for outcome in outcomes) / len(outcomes)
