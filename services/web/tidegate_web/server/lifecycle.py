"""Whether this replica wants traffic."""

from dataclasses import dataclass


@dataclass(slots=True)
class Lifecycle:
    """The facts from which readiness is computed.

    Attributes:
        listening: The HTTP port is open.
        discovered: The first discovery has finished.
        draining: SIGTERM has come.
    """

    listening: bool = False
    discovered: bool = False
    draining: bool = False

    def reasons_not_ready(self) -> list[str]:
        """Say what is in the way; empty when ready. Backends do not count: an outage must not hide its error page."""
        reasons = {
            "not listening yet": not self.listening,
            "first discovery not finished": not self.discovered,
            "draining": self.draining,
        }
        return [reason for reason, holds in reasons.items() if holds]
