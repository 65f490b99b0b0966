"""Log lines as JSON objects, one a line, on standard error; complaints are bounded, or clients could flood the log."""

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

from aiohttp.http_exceptions import HttpProcessingError
from pythonjsonlogger.json import JsonFormatter

COMPLAINTS_PER_S = 50
"""Lines from WARNING on that one second may have; the rest is counted."""


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes every line but, of each second, only the first complaints; the next line after them tells how many more.

    Args:
        stream: Where to write.
        complaints_per_s: Lines from WARNING on that a second may have.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        complaints_per_s: int = COMPLAINTS_PER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(stream)
        self._complaints_per_s = complaints_per_s
        self._clock = clock
        self._second = int(clock())
        self._complaints = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it. The logging module calls this with the handler's lock held."""
        second = int(self._clock())
        if second != self._second:
            self._tell_suppressed()
            self._second, self._complaints = second, 0
        if record.levelno >= logging.WARNING:
            self._complaints += 1
            if self._complaints > self._complaints_per_s:
                return
        super().emit(record)

    def _tell_suppressed(self) -> None:
        if self._complaints > self._complaints_per_s:
            fields = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": "lines suppressed"}
            record = logging.makeLogRecord({**fields, "suppressed": self._complaints - self._complaints_per_s})
            super().emit(record)


def set_up() -> None:
    """Send records to standard error as JSON, with whatever `extra` they carry."""
    handler = BoundedHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out what aiohttp says of bytes that are no HTTP: any client could fill the log with tracebacks."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
