"""What is sent, and whether what comes back is right."""

from collections.abc import Callable
from dataclasses import dataclass, field

REMEMBERED = 8
"""Right answers kept of a payload: joined calls of other sizes may differ in a float's last digit, but in few ways."""

Judge = Callable[[bytes], str]
"""Says what is wrong with an answer's body; empty when nothing is."""


@dataclass(slots=True)
class Payload:
    """A body to post and the judge of its answers.

    Attributes:
        body: As it is sent.
        judge: Parses and compares; too slow to be asked of every answer.
        right: Bodies that the judge found right. A body is in here or the judge is asked, so that an answer is judged
            as the judge would.
    """

    body: bytes
    judge: Judge
    right: set[bytes] = field(default_factory=set)

    def wrong(self, answer: bytes) -> str:
        """Say what is wrong with an answer; empty when nothing is."""
        if answer in self.right:
            return ""
        problem = self.judge(answer)
        if not problem and len(self.right) < REMEMBERED:
            self.right.add(answer)
        return problem
