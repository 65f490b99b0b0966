"""Connections: a bounded number, some of them ready before they are asked for, spread over the addresses of a host."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

from tidegate_proof.engine.connection import Connection

Address = tuple[str, int]

CONNECT_S = 5.0
"""How long a connection may take to come about."""

SHUNNED_S = 1.0
"""How long an address that refused a connection is passed over where there are others, and none is opened to spare."""


class Pool:
    """Opens connections and keeps those that are idle; the one that has been idle longest goes out first.

    So all of them stay in use, and with them all pods behind the address.

    Args:
        addresses: Where to connect: to the one with the fewest connections of ours.
        limit: Most connections at once.
        spare: How many are kept idle, so that a request need not wait for one.
        make: Makes a connection to an address.
        failed: Called when a connection did not come about.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        limit: int,
        spare: int,
        make: Callable[[Address], Connection],
        failed: Callable[[], None],
    ) -> None:
        self._addresses = addresses
        self._limit = limit
        self.spare = spare
        self._make = make
        self._failed = failed
        self.idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._per_address: Counter[Address] = Counter()
        self._shunned: dict[Address, float] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def opening(self) -> int:
        """How many connections are coming about."""
        return len(self._opening)

    def open_one(self) -> bool:
        """Begin to open a connection; False where there are as many as there may be."""
        if len(self._open) + len(self._opening) >= self._limit:
            return False
        address = self._choose()
        self._per_address[address] += 1
        task = self._loop.create_task(self._connect(address))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    def top_up(self) -> None:
        """Open connections until enough are idle or coming; none for a while after one failed."""
        if any(until > self._loop.time() for until in self._shunned.values()):
            return
        while len(self.idle) + len(self._opening) < self.spare and self.open_one():
            pass

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed; nothing happens for one forgotten already."""
        if connection in self._open:
            self._open.remove(connection)
            self._per_address[connection.address] -= 1
            if connection in self.idle:
                self.idle.remove(connection)

    def keep_reachable(self) -> None:
        """Use no more those addresses that refused the first connections; all stay where all did.

        A name may have an address of a family that nobody listens on.
        """
        self._addresses = [one for one in self._addresses if one not in self._shunned] or self._addresses

    async def settled(self) -> None:
        """Wait until every connection that is coming has come or failed."""
        if self._opening:
            await asyncio.wait(set(self._opening))

    async def close(self) -> None:
        """Close everything."""
        for task in self._opening:
            task.cancel()
        await self.settled()
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # transports close in the loop's next turn

    def _choose(self) -> Address:
        now_s = self._loop.time()
        wanted = [address for address in self._addresses if self._shunned.get(address, 0.0) <= now_s]
        return min(wanted or self._addresses, key=self._per_address.__getitem__)

    async def _connect(self, address: Address) -> None:
        connection = self._make(address)
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._loop.create_connection(lambda: connection, *address)
            if not connection.usable:
                raise ConnectionResetError  # closed as soon as it was accepted
        except (OSError, TimeoutError):
            self._per_address[address] -= 1
            self._shunned[address] = self._loop.time() + SHUNNED_S
            self._opening.discard(asyncio.current_task())
            self._failed()
        except asyncio.CancelledError:
            self._per_address[address] -= 1
            connection.abort()
            raise
        else:
            self._shunned.pop(address, None)
            self._open.add(connection)
            connection.ready()
