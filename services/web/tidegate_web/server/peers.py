"""What the other gateways of the web tier say of themselves, asked from pod to pod while somebody looks."""

import asyncio
from collections.abc import Callable

import aiohttp
import orjson

from tidegate_web.server.web_tier import WebTier
from tidegate_web.status.reading import Peer

INTERVAL_S = 2.0

TIMEOUT_S = 0.5
"""A pod that takes longer is shown without figures: the others must not wait for it."""

MOST_PEERS = 32
"""Every gateway that is watched asks every other one; past this many the page would not show them either."""

MOST_BYTES = 2**16


class Peers:
    """The web tier's last seconds, by pod; this one is among them.

    Args:
        web_tier: Knows where they are.
        watched: Whether somebody looks; nobody is asked otherwise.

    Attributes:
        figures: What they said last; empty while nobody looks or where the tier is not known.
    """

    def __init__(self, web_tier: WebTier, watched: Callable[[], bool]) -> None:
        self._web_tier = web_tier
        self._watched = watched
        self.figures: tuple[Peer, ...] = ()

    async def follow(self) -> None:
        """Ask again and again, until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            while True:
                addresses = sorted(self._web_tier.addresses or ())[:MOST_PEERS] if self._watched() else []
                self.figures = tuple(await asyncio.gather(*(_ask(session, address) for address in addresses)))
                await asyncio.sleep(INTERVAL_S)


async def _ask(session: aiohttp.ClientSession, address: str) -> Peer:
    """Ask one; a pod that is leaving, or another version's, may answer anything."""
    try:
        async with session.get(f"http://{address}/status.json", params={"history": "0"}) as response:
            said = orjson.loads(await response.content.read(MOST_BYTES))
        now = said["now"]
        return Peer(
            address=address,
            pod=str(said["pod"]),
            rate=float(now["rate"]),
            failure_rate=float(now["failure_rate"]),
            p99_ms=None if now["p99_ms"] is None else float(now["p99_ms"]),
            pending=int(now["pending"]),
        )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return Peer(address)
