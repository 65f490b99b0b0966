"""An event loop of its own for what must answer while the gateway's loop is busy.

One turn of a busy loop serves every connection that has something to say: with hundreds of them it takes longer than a
probe should wait. A thread of its own gets Python's lock every few milliseconds, however long those turns are.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import uvloop

T = TypeVar("T")


@contextlib.asynccontextmanager
async def apart(context: Callable[[], AbstractAsyncContextManager[T]], name: str) -> AsyncIterator[T]:
    """Enter a context in a thread with an event loop of its own, and leave it there.

    Args:
        context: Makes the context; called in the thread.
        name: Of the thread.

    Raises:
        Exception: Whatever entering it raised.
    """
    entered: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def stay() -> None:
        leave = asyncio.Event()
        async with context() as given:
            entered.set_result((given, asyncio.get_running_loop(), leave))
            await leave.wait()

    def run() -> None:
        try:
            uvloop.run(stay())
        except Exception as error:
            if entered.done():
                raise  # while leaving: whoever waits for the thread sees it
            entered.set_exception(error)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix=name) as pool:
        done = asyncio.get_running_loop().run_in_executor(pool, run)
        given, loop, leave = await asyncio.wrap_future(entered)
        try:
            yield given
        finally:
            loop.call_soon_threadsafe(leave.set)
            await done
