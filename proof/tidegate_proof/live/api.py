"""The cluster's API, as `kubectl proxy` passes it on."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp

LONGEST_LINE = 4 * 2**20
"""An object larger than what etcd stores (1.5 MiB) does not come."""

ANSWER_S = 10.0
SILENCE_S = 75.0
"""Longer than a watch lasts."""

Object = Mapping[str, Any]


class ApiError(Exception):
    """The API refused something.

    Attributes:
        status: HTTP's.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(Exception):
    """The API did not answer, or broke off."""


class Api(Protocol):
    """What is asked of a cluster's API."""

    async def get(self, path: str) -> Object:
        """Read an object or a list.

        Raises:
            ApiError: The API refused.
            UnreachableError: It did not answer.
        """

    async def text(self, path: str) -> str:
        """Read a text, such as a pod's metrics. Raises the same."""

    async def date(self) -> datetime:
        """Read the cluster's clock, to the second. Raises the same."""

    def lines(self, path: str, silence_s: float | None = SILENCE_S) -> AsyncIterator[bytes]:
        """Read lines as they come until the API ends them. Raises the same, and after so long without a line."""


class ProxiedApi:
    """The API behind a socket of `kubectl proxy`.

    Args:
        socket: Of the proxy.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            "http://localhost",
            connector=aiohttp.UnixConnector(str(self._socket), limit=0),
            read_bufsize=LONGEST_LINE,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> Object:
        """Read an object or a list."""
        found = json.loads(await self.text(path))
        if not isinstance(found, dict):
            raise UnreachableError(f"{path}: expected an object, came {str(found)[:80]}")
        return found

    async def text(self, path: str) -> str:
        """Read a text."""
        async with self._answer(path, aiohttp.ClientTimeout(total=ANSWER_S)) as answer:
            return await answer.text()

    async def date(self) -> datetime:
        """Read the cluster's clock."""
        async with self._answer("/version", aiohttp.ClientTimeout(total=ANSWER_S)) as answer:
            return parsedate_to_datetime(answer.headers["Date"])

    async def lines(self, path: str, silence_s: float | None = SILENCE_S) -> AsyncIterator[bytes]:
        """Read lines as they come."""
        patience = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_S, sock_read=silence_s)
        async with self._answer(path, patience) as answer:
            async for line in answer.content:
                yield line

    @contextlib.asynccontextmanager
    async def _answer(self, path: str, patience: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.get(path, timeout=patience) as answer:
                if not answer.ok:
                    raise ApiError(answer.status, f"{path}: {answer.status} {(await answer.text())[:300]}")
                yield answer
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise UnreachableError(f"{path}: {error or type(error).__name__}") from error
