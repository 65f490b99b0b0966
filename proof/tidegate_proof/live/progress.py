"""What a person sees while a run goes on: a line that renews itself on a terminal, a line now and then elsewhere."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from tidegate_proof.engine.columns import NONE, Columns, numbers
from tidegate_proof.record.plan import Phase, Tier

PLAIN_EVERY_S = 10
NS = 1_000_000_000
LOOK_BACK_S = 15
BAR = 20


@dataclass(frozen=True, slots=True)
class Moment:
    """How a run stands.

    Attributes:
        second: Of the run.
        of: Its length.
        phase: Where in the plan it is.
        offered: Requests that were due in the last second.
        good: Right answers within the promised latency that came in it.
        p99_ms: Of the answers that came in it, from the intended time; None without any.
        pods: (ready, desired) by tier.
    """

    second: int
    of: int
    phase: str
    offered: int
    good: int
    p99_ms: float | None
    pods: Mapping[Tier, tuple[int, int]]

    def __str__(self) -> str:
        pods = "  ".join(
            f"{tier} {ready}" if ready == desired else f"{tier} {ready}→{desired}"
            for tier, (ready, desired) in self.pods.items()
        )
        late = "none" if self.p99_ms is None else f"{self.p99_ms:.0f} ms"
        return (
            f"{self.second // 60}:{self.second % 60:02}/{self.of // 60}:{self.of % 60:02}  {self.phase:<8} "
            f"{self.offered:>4} req/s  good {self.good:>4}  p99 {late:>7}  {pods}"
        )


def moment(
    columns: Columns, second: int, planned: Sequence[Phase], latency_ns: int, pods: Mapping[Tier, tuple[int, int]]
) -> Moment:
    """Look at the last whole second.

    Args:
        columns: Of the generator.
        second: Seconds since the start.
        planned: Phases.
        latency_ns: That is promised.
        pods: (ready, desired) by tier.
    """
    end, start = second * NS, (second - 1) * NS
    intended = numbers(columns.intended_ns)
    first, due_from, due_to = np.searchsorted(intended, [end - LOOK_BACK_S * NS, start, end])
    answered = numbers(columns.answered_ns)[first:due_to]
    came = (answered >= start) & (answered < end) & (numbers(columns.error)[first:due_to] == NONE)
    took = (answered - intended[first:due_to])[came]
    return Moment(
        second=second,
        of=planned[-1].end_s,
        phase=next((phase.name for phase in planned if phase.start_s <= second < phase.end_s), "end"),
        offered=int(due_to - due_from),
        good=int(np.sum(took <= latency_ns)),
        p99_ms=float(np.percentile(took, 99)) / 1e6 if took.size else None,
        pods=pods,
    )


class Progress:
    """Shows moments.

    Args:
        out: Where; a terminal gets a bar in one line.
        name: Of the run.
    """

    def __init__(self, out: TextIO, name: str) -> None:
        self._out = out
        self._name = name
        self._live = out.isatty()
        self._drawn = False

    def show(self, now: Moment) -> None:
        """Show a moment."""
        if self._live:
            done = min(BAR, BAR * now.second // max(1, now.of))
            line = f"{self._name} {'█' * done}{'░' * (BAR - done)} {now}"
            self._out.write(f"\r{line[: shutil.get_terminal_size().columns - 1]}\x1b[K")
            self._drawn = True
            self._out.flush()
        elif now.second % PLAIN_EVERY_S == 0:
            self.say(f"{self._name}  {now}")

    def say(self, text: str) -> None:
        """Write a line of its own."""
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._drawn = False
        self._out.write(f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the last state standing."""
        if self._drawn:
            self._out.write("\n")
            self._drawn = False
            self._out.flush()
