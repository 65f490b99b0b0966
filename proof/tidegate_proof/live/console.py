"""The person who started a run: what they see, and how they end it."""

from dataclasses import dataclass

from tidegate_proof.live.progress import Progress
from tidegate_proof.live.stop import Stop


@dataclass(frozen=True, slots=True)
class Console:
    """A person's side of a run.

    Attributes:
        progress: What they see.
        stop: How they, or what goes wrong, end it.
    """

    progress: Progress
    stop: Stop

    def say(self, text: str) -> None:
        """Write a line."""
        self.progress.say(text)
