"""`static:host:port,…`: addresses that never change."""

import asyncio
from collections.abc import AsyncIterator

from tidegate_web.serving.discovery.address import join, split


class StaticDiscovery:
    """These addresses, always.

    Args:
        rest: `host:port,host:port`.

    Raises:
        SettingsError: Not that.
    """

    def __init__(self, rest: str) -> None:
        self._addresses = frozenset(join(*split(part.strip())) for part in rest.split(","))

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        """Yield them once."""
        yield self._addresses
        await asyncio.Event().wait()
