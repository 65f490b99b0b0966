"""Whether this replica lives, and whether it wants traffic."""

import asyncio
import time
from dataclasses import dataclass, field

BEAT_S = 1.0
"""How often the gateway's event loop shows that it turns."""

STUCK_S = 30.0
"""A loop that has not turned for so long will not do so again: no request may take longer by default than a third."""


@dataclass(slots=True)
class Lifecycle:
    """The facts from which health is computed. Other threads may read them.

    Attributes:
        listening: The HTTP port is open.
        discovered: The first discovery has finished.
        draining: SIGTERM has come.
        turned: Monotonic seconds at which the event loop last showed that it turns.
    """

    listening: bool = False
    discovered: bool = False
    draining: bool = False
    turned: float = field(default_factory=time.monotonic)

    async def beat(self) -> None:
        """Show again and again that the event loop turns, until cancelled."""
        while True:
            self.turned = time.monotonic()
            await asyncio.sleep(BEAT_S)

    def stuck(self) -> bool:
        """Whether the event loop has stopped turning, so that only a restart helps."""
        return time.monotonic() - self.turned > STUCK_S

    def reasons_not_ready(self) -> list[str]:
        """Say what is in the way; empty when ready. Backends do not count: an outage must not hide its error page."""
        reasons = {
            "not listening yet": not self.listening,
            "first discovery not finished": not self.discovered,
            "draining": self.draining,
        }
        return [reason for reason, holds in reasons.items() if holds]
