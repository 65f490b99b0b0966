"""The ops port answers from a thread of its own, whatever the gateway's event loop does."""

import asyncio
import contextlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiohttp import web

from tidegate_web.metrics import Metrics
from tidegate_web.server.apart import apart
from tidegate_web.server.audience import Audience
from tidegate_web.server.lifecycle import STUCK_S, Lifecycle
from tidegate_web.server.ops import make_ops_app
from tidegate_web.server.peers import Peers
from tidegate_web.server.status import LiveStatus
from tidegate_web.server.web_tier import WebTier
from tidegate_web.status.reading import About, Limits, Reading
from tidegate_web.tally import BUCKETS


def read() -> Reading:
    now = time.monotonic()
    return Reading(now, now, 0, 0, 0, (0,) * BUCKETS, 0, 0, 0.0, 0, (), None)


@contextlib.asynccontextmanager
async def listening(lifecycle: Lifecycle) -> AsyncIterator[str]:
    audience = Audience()
    live = LiveStatus(About("a", "1", Limits(1, 1), "static:a:1"), read, lifecycle, audience)
    runner = web.AppRunner(make_ops_app(Metrics(), lifecycle, live, Peers(WebTier(None), audience.present)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0])
    await runner.cleanup()


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def test_health_metrics_and_status_answer_while_the_gateways_loop_is_blocked():
    lifecycle = Lifecycle(listening=True, discovered=True)
    async with apart(lambda: listening(lifecycle), "ops") as base:
        with ThreadPoolExecutor(1) as probe:
            answers = probe.submit(
                lambda: [ask(base + path)[0] for path in ("/healthz", "/readyz", "/metrics", "/status")]
            )
            deadline = time.monotonic() + 20
            while not answers.done() and time.monotonic() < deadline:
                time.sleep(0.01)  # noqa: ASYNC251 blocks the loop on purpose
            assert answers.done()
            assert answers.result() == [200, 200, 200, 200]


async def test_a_loop_that_has_not_turned_for_long_is_told_to_whoever_may_restart_the_pod():
    lifecycle = Lifecycle(listening=True, discovered=True)
    async with apart(lambda: listening(lifecycle), "ops") as base:
        assert await asyncio.to_thread(ask, f"{base}/healthz") == (200, "ok\n")
        lifecycle.turned -= STUCK_S + 1
        assert await asyncio.to_thread(ask, f"{base}/healthz") == (503, "the event loop is stuck\n")
        beating = asyncio.create_task(lifecycle.beat())
        await asyncio.sleep(0)
        assert not lifecycle.stuck()
        beating.cancel()


async def test_what_entering_or_leaving_raises_comes_back_and_no_thread_stays():
    @contextlib.asynccontextmanager
    async def failing(*, at_once: bool) -> AsyncIterator[None]:
        if at_once:
            raise OSError("taken")
        yield
        raise OSError("stuck")

    with pytest.raises(OSError, match="taken"):
        async with apart(lambda: failing(at_once=True), "trial"):
            raise AssertionError("entered")
    with pytest.raises(OSError, match="stuck"):
        async with apart(lambda: failing(at_once=False), "trial"):
            pass
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trial")]


async def test_the_thread_ends_when_the_block_fails():
    lifecycle = Lifecycle()
    with pytest.raises(RuntimeError, match="mine"):
        async with apart(lambda: listening(lifecycle), "trial"):
            raise RuntimeError("mine")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trial")]
