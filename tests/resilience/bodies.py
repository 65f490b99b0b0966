"""Large bodies, which any client may send up to TIDEGATE_MAX_BODY_MB: what they cost everybody else."""

import asyncio
import math
import time

from tests.resilience.load import ANSWER_S, Answer, Load, connect, get, percentile, post
from tests.resilience.processes import Gateway, Stage, static
from tests.resilience.report import Report

MAX_BODY_MB = 8
ROW = b"[1,0]"
JUNK = b"[],"
AT_ONCE = 8
MEMORY_BYTES = 384 * 2**20
"""What a pod of the manifests may gain: its limit is 512 MiB, and an idle gateway has 80."""


async def large_bodies(stage: Stage, report: Report) -> None:
    """Some clients at once send bodies just within the limit: rows that fit, then rows that do not."""
    server = await stage.model_server()
    gateway = await stage.gateway(static(server))
    before = gateway.resident_bytes()
    rows = (MAX_BODY_MB * 2**20 - 100) // (len(ROW) + 1)
    fits = b'{"instances":[' + b",".join([ROW] * rows) + b"]}"
    junk = b'{"instances":[' + JUNK * ((len(fits) - 20) // len(JUNK)) + b"[]]}"
    for name, body, count in (("that fit", fits, 1), ("of junk", junk, AT_ONCE)):
        took: list[float] = []
        memory: list[int] = [0]
        watching = asyncio.create_task(_watch(gateway, took, memory))
        answers = await asyncio.gather(*(_send(gateway, body) for _ in range(count)))
        watching.cancel()
        report.figures[f"answers to rows {name}"] = sorted({answer.status for answer in answers})
        report.check(
            f"health answers within 0.5 s beside {count} x {MAX_BODY_MB} MiB of rows {name}",
            f"p50 {percentile(took, 0.5):.3f} s, longest {max(took, default=math.inf):.3f} s",
            holds=max(took, default=math.inf) <= 0.5,
        )
        growth = max(memory) - before
        report.check(
            f"memory grows by at most {MEMORY_BYTES // 2**20} MiB",
            f"{growth / 2**20:.0f} MiB",
            holds=growth <= MEMORY_BYTES,
        )


async def _send(gateway: Gateway, body: bytes) -> Answer:
    connection = await connect(gateway.http)
    try:
        return await connection.ask(post(Load([]).path, body), 2 * ANSWER_S)
    finally:
        connection.close()


async def _watch(gateway: Gateway, took: list[float], memory: list[int]) -> None:
    connection = await connect(gateway.ops)
    while True:
        started = time.monotonic()
        await connection.ask(get("/healthz"), 2 * ANSWER_S)
        took.append(time.monotonic() - started)
        memory.append(gateway.resident_bytes())
        await asyncio.sleep(0.01)
