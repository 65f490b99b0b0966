"""Writes a record while a run goes on, so that any end leaves one that can be read."""

import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic_ns
from types import TracebackType
from typing import Self

from tidegate_proof.engine.columns import ABSENT, WORDS, Columns
from tidegate_proof.live.api import Object
from tidegate_proof.live.objects import trimmed
from tidegate_proof.record.arrivals import write_arrivals
from tidegate_proof.record.cluster import ClusterEvent
from tidegate_proof.record.documents import write_document
from tidegate_proof.record.folder import ARRIVALS, CLUSTER, GATEWAY, GENERATOR, PLAN, REQUESTS
from tidegate_proof.record.lines import LineWriter
from tidegate_proof.record.manifest import PARTIAL, Partial
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.requests import RequestWriter, Row
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

    Raises:
        OSError: The folder is there already, or the disk is full. Every method raises it when the disk is full.
    """

    def __init__(self, folder: Path, plan: Plan, counts: Sequence[int], clock: Clock) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._clock = clock
        self._written = 0
        with (folder / RESERVE).open("wb") as reserve:
            os.posix_fallocate(reserve.fileno(), 0, RESERVE_BYTES)
        write_document(folder / PLAN, plan)
        write_arrivals(folder / ARRIVALS, counts)
        self._requests = RequestWriter(folder / REQUESTS)
        self._cluster = LineWriter[ClusterEvent](folder / CLUSTER)
        self._gateway = LineWriter[GatewayLook](folder / GATEWAY)
        self._generator = LineWriter[GeneratorLook](folder / GENERATOR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def tie_clocks(self) -> None:
        """Note both clocks at once."""
        wall = datetime.now(UTC).isoformat(timespec="microseconds")
        self._cluster.write(ClusterEvent(t_ns=self._clock(), type="CLOCK", wall=wall))

    def change(self, change: str, kind: str, found: Object) -> None:
        """Note what a watch told."""
        self._cluster.write(
            ClusterEvent(t_ns=self._clock(), type=change, kind=kind, object=trimmed(kind, found))  # type: ignore[arg-type]  # both are Kubernetes' words
        )

    def gap(self, kind: str, missing: str) -> None:
        """Note that a watch broke."""
        self._cluster.write(ClusterEvent(t_ns=self._clock(), type="GAP", kind=kind, text=missing))  # type: ignore[arg-type]  # as above

    def gateway(self, look: GatewayLook) -> None:
        """Note a look at a gateway."""
        self._gateway.write(look)

    def generator(self, cpu_s: float, inflight: int) -> None:
        """Note a look at the generator."""
        self._generator.write(GeneratorLook(t_ns=self._clock(), cpu_s=cpu_s, inflight=inflight))

    def requests(self, columns: Columns, stop: int) -> None:
        """Write the rows up to one, all of which have ended."""
        if stop > self._written:
            self._requests.write(rows(columns, self._written, stop))
            self._requests.flush()
            self._written = stop

    def break_off(self, reason: str, columns: Columns) -> None:
        """Write what else there is and why there is not more, in the room that was held back."""
        (self.folder / RESERVE).unlink(missing_ok=True)
        write_document(self.folder / PARTIAL, Partial(reason=reason, t_ns=self._clock()))
        with contextlib.suppress(OSError):  # then the file is cut off, which its reader tells
            self.requests(columns, len(columns))

    def close(self) -> None:
        """End all files."""
        (self.folder / RESERVE).unlink(missing_ok=True)
        for file in (self._requests, self._cluster, self._gateway, self._generator):
            with contextlib.suppress(OSError):
                file.close()


def rows(columns: Columns, start: int, stop: int) -> list[Row]:
    """Turn the generator's columns into a record's rows."""
    pods, backends = [*columns.pods.listed(), ""], [*columns.backends.listed(), ""]  # -1 is the last
    taken = (
        columns.intended_ns, columns.sent_ns, columns.answered_ns, columns.status, columns.pod, columns.backend,
        columns.seq, columns.idle_closes, columns.error,
    )  # fmt: skip
    return [
        Row(
            id=index,
            intended_ns=intended,
            sent_ns=_present(sent),
            answered_ns=_present(answered),
            status=_present(status),
            pod=pods[pod],
            backend=backends[backend],
            seq=_present(seq),
            idle_closes=idle_closes,
            error=WORDS[error],  # type: ignore[arg-type]  # the record's words
        )
        for index, (intended, sent, answered, status, pod, backend, seq, idle_closes, error) in enumerate(
            zip(*(column[start:stop] for column in taken), strict=True), start
        )
    ]


def _present(value: int) -> int | None:
    return None if value == ABSENT else value
