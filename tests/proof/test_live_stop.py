"""A run ends once, for the first reason, and nothing goes on behind its back."""

import asyncio
import os
import signal

import pytest

from tidegate_proof.live.stop import Stop, StoppedError


async def test_the_first_reason_stands():
    stop = Stop()
    stop.request("the disk is full")
    stop.request("interrupted")
    assert await stop.wait() == "the disk is full"


async def test_what_is_done_meanwhile_gives_its_result():
    assert await Stop().during(asyncio.sleep(0, "done")) == "done"


async def test_what_is_done_meanwhile_is_cancelled_and_the_reason_told():
    stop, cancelled = Stop(), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    asyncio.get_running_loop().call_soon(stop.request, "interrupted")
    with pytest.raises(StoppedError, match="interrupted"):
        await asyncio.wait_for(stop.during(endless()), 5)
    assert cancelled.is_set()


async def test_nothing_is_begun_after_a_request_to_stop():
    stop = Stop()
    stop.request("interrupted")
    with pytest.raises(StoppedError):
        await asyncio.wait_for(stop.during(asyncio.Event().wait()), 5)


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
async def test_signals_are_requests(number, reason):
    stop = Stop()
    with stop.on_signals():
        os.kill(os.getpid(), number)
        assert reason in await asyncio.wait_for(stop.wait(), 5)


async def test_a_failure_is_the_callers():
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Stop().during(fails())
