"""How a run is broken off: by a signal, a full disk, a cluster that is gone; once, with the reason."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class StoppedError(Exception):
    """The run was broken off before there was anything to record; the text is the reason."""


class Stop:
    """A request to stop, and why."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._requested = asyncio.Event()

    def request(self, reason: str) -> None:
        """Ask to stop; the first reason stands."""
        if self.reason is None:
            self.reason = reason
            self._requested.set()

    async def wait(self) -> str:
        """Wait until somebody asks; gives the reason."""
        await self._requested.wait()
        return self.reason or ""

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something unless asked to stop, which cancels it.

        Raises:
            StoppedError: Somebody asked.
        """
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise StoppedError(self.reason)
        finally:
            for one in (task, asked):
                one.cancel()
            await asyncio.gather(task, asked, return_exceptions=True)

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as requests."""
        loop = asyncio.get_running_loop()
        reasons = {signal.SIGINT: "interrupted (Ctrl-C)", signal.SIGTERM: "terminated (SIGTERM)"}
        for number, reason in reasons.items():
            loop.add_signal_handler(number, self.request, reason)
        try:
            yield
        finally:
            for number in reasons:
                loop.remove_signal_handler(number)
