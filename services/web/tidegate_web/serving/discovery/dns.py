"""`dns:host:port`: every address of a name, such as a headless Service's."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from tidegate_web.serving.discovery.address import join, split
from tidegate_web.serving.discovery.trouble import Trouble

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
"""How often the name is asked for."""

TIMEOUT_S = 5.0
"""How long one question may take."""

_NO_ADDRESS = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

Resolve = Callable[[str], Awaitable[frozenset[str]]]


async def resolve(host: str) -> frozenset[str]:
    """Ask the system for a name's addresses.

    Raises:
        socket.gaierror: There are none, or nobody answered.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return frozenset(str(sockaddr[0]) for *_, sockaddr in found)


class DnsDiscovery:
    """All addresses of a name.

    Args:
        rest: `host:port`.
        resolver: Asks for a name's addresses.
        interval_s: Seconds between two questions.

    Raises:
        SettingsError: `rest` is something else.
    """

    def __init__(self, rest: str, resolver: Resolve = resolve, interval_s: float = INTERVAL_S) -> None:
        self._host, self._port = split(rest)
        self._resolve = resolver
        self._interval_s = interval_s
        self._trouble = Trouble()

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        """Yield the addresses when they change. A resolver that does not answer changes nothing."""
        known: frozenset[str] | None = None
        while True:
            addresses = await self._addresses()
            if addresses is not None and addresses != known:
                known = addresses
                yield addresses
            await asyncio.sleep(self._interval_s)

    async def _addresses(self) -> frozenset[str] | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                hosts = await self._resolve(self._host)
        except socket.gaierror as error:
            if error.errno not in _NO_ADDRESS:
                self._complain(str(error.strerror))
                return None
            hosts = frozenset()  # a headless Service without ready pods
        except TimeoutError:
            self._complain(f"no answer in {TIMEOUT_S} s")
            return None
        if self._trouble.is_over():
            log.info("name resolved again", extra={"host": self._host})
        return frozenset(join(host, self._port) for host in hosts)

    def _complain(self, reason: str) -> None:
        if self._trouble.is_news(reason):
            log.warning("name not resolved", extra={"host": self._host, "reason": reason})
