"""Writes a record while a run goes on, so that any end leaves one that can be read."""

import contextlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic_ns
from typing import Any

from tidegate_proof.engine.columns import Columns
from tidegate_proof.live.api import Object
from tidegate_proof.live.objects import trimmed
from tidegate_proof.record.arrivals import write_arrivals
from tidegate_proof.record.cluster import ClusterEvent
from tidegate_proof.record.documents import write_document
from tidegate_proof.record.folder import ARRIVALS, CLUSTER, GATEWAY, GENERATOR, PLAN, REQUESTS
from tidegate_proof.record.lines import LineWriter
from tidegate_proof.record.manifest import PARTIAL, Partial
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.requests import RequestWriter
from tidegate_proof.record.telemetry import GatewayLook, GeneratorLook

RESERVE = ".reserve"
RESERVE_BYTES = 4 * 2**20
"""Held back on the disk, so that a run that fills it can still say so."""


class Clock:
    """The run's own: ns since its start, below 0 before."""

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns

    def __call__(self) -> int:
        """Return the time."""
        return monotonic_ns() - self.start_ns


class Journal:
    """The raw files of a record.

    Args:
        folder: To be made.
        plan: Written first.
        counts: Arrivals in each second.
        clock: Of the run.
        fail: Told once, when something cannot be written any more.

    Raises:
        OSError: The folder is there already, or the disk is full.
    """

    def __init__(
        self, folder: Path, plan: Plan, counts: Sequence[int], clock: Clock, fail: Callable[[str], None]
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._clock = clock
        self._fail = fail
        self._cut: set[object] = set()
        self._written = 0
        self._looks = 0
        with (folder / RESERVE).open("wb") as reserve:
            os.posix_fallocate(reserve.fileno(), 0, RESERVE_BYTES)
        write_document(folder / PLAN, plan)
        write_arrivals(folder / ARRIVALS, counts)
        self._requests = RequestWriter(folder / REQUESTS)
        self._cluster = LineWriter[ClusterEvent](folder / CLUSTER)
        self._gateway = LineWriter[GatewayLook](folder / GATEWAY)
        self._generator = LineWriter[GeneratorLook](folder / GENERATOR)

    def tie_clocks(self) -> None:
        """Note both clocks at once."""
        wall = datetime.now(UTC).isoformat(timespec="microseconds")
        self._put(self._cluster, ClusterEvent(t_ns=self._clock(), type="CLOCK", wall=wall))

    def change(self, change: str, kind: str, found: Object) -> None:
        """Note what a watch told."""
        event = ClusterEvent(t_ns=self._clock(), type=change, kind=kind, object=trimmed(kind, found))  # type: ignore[arg-type]  # both are Kubernetes' words
        self._put(self._cluster, event)

    def gap(self, kind: str, missing: str) -> None:
        """Note that a watch broke."""
        self._put(self._cluster, ClusterEvent(t_ns=self._clock(), type="GAP", kind=kind, text=missing))  # type: ignore[arg-type]  # as above

    def gateway(self, look: GatewayLook) -> None:
        """Note a look at a gateway."""
        self._put(self._gateway, look)

    def generator(self, looks: Sequence[GeneratorLook]) -> None:
        """Note the generator's looks at itself, of which the first so many are noted already."""
        for look in looks[self._looks :]:
            self._put(self._generator, look)
        self._looks = len(looks)

    def requests(self, columns: Columns, stop: int) -> None:
        """Write the rows up to one, all of which have ended."""
        if stop <= self._written or self._requests in self._cut:
            return
        try:
            self._requests.write(columns.rows(self._written, stop))
            self._requests.flush()
        except OSError as error:
            self._give_up(self._requests, error)
        self._written = stop

    def break_off(self, reason: str) -> None:
        """Write why there is not more, in the room that was held back."""
        (self.folder / RESERVE).unlink(missing_ok=True)
        write_document(self.folder / PARTIAL, Partial(reason=reason, t_ns=self._clock()))
        if self._requests in self._cut:  # what it compressed last may be lost: begin again
            with contextlib.suppress(OSError):
                self._requests.close()
            (self.folder / REQUESTS).unlink()
            self._requests = RequestWriter(self.folder / REQUESTS)
            self._written = 0

    def close(self) -> None:
        """End all files."""
        (self.folder / RESERVE).unlink(missing_ok=True)
        for file in (self._requests, self._cluster, self._gateway, self._generator):
            with contextlib.suppress(OSError):
                file.close()

    def _put(self, file: LineWriter[Any], item: object) -> None:
        """Write a line, but none after one that could not be written whole."""
        if file in self._cut:
            return
        try:
            file.write(item)
        except OSError as error:
            self._give_up(file, error)

    def _give_up(self, file: object, error: OSError) -> None:
        self._cut.add(file)
        self._fail(f"the record cannot be written: {error.strerror or error}")
