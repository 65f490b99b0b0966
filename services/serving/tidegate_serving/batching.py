"""Joins calls that wait into one run of the graph, by TF Serving's batching parameters.

The thread of a call that comes first runs the batch for all that joined it; no thread waits for it but theirs.
Source of texts and defaults: tensorflow_serving/batching/batching_session.cc,
tensorflow/core/kernels/batching_util/shared_batch_scheduler.h.
"""

import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tidegate_proto.server_config_pb2 import BatchingParameters
from tidegate_serving.errors import FailedPrecondition, InvalidArgument, Unavailable
from tidegate_serving.tensors import Array, Run

Kind = tuple[tuple[int, ...], ...]
"""What tasks of one batch have in common: the shapes of their tensors without the first dimension."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How calls are joined.

    Attributes:
        largest: Rows of a batch.
        wait_s: How long the first task of a batch waits for others.
        most_waiting: Batches that may wait.
        threads: Batches that run at once.
        sizes: Rows that a batch may have, in rising order; any where there are none. One that has fewer is filled up.
        pad: Whether tensors of different shapes are joined, filled up with zeros.
        largest_task: Rows of a call, where one that has more than a batch is split; 0 where none is.
    """

    largest: int = 1000
    wait_s: float = 0.0
    most_waiting: int = 10
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    sizes: tuple[int, ...] = ()
    pad: bool = False
    largest_task: int = 0


def understood(parameters: BatchingParameters) -> Batching:
    """Read TF Serving's parameters.

    Raises:
        InvalidArgument: They contradict each other; TF Serving's words.
    """
    default = Batching()

    def value(name: str, otherwise: int) -> int:
        return int(getattr(parameters, name).value) if parameters.HasField(name) else otherwise

    most = value("max_batch_size", default.largest)
    split = parameters.enable_large_batch_splitting.value
    batching = Batching(
        value("max_execution_batch_size", most) if split else most,
        value("batch_timeout_micros", 0) / 1e6,
        value("max_enqueued_batches", default.most_waiting),
        value("num_batch_threads", default.threads),
        tuple(parameters.allowed_batch_sizes),
        parameters.pad_variable_length_inputs,
        most if split else 0,
    )
    if split and batching.largest > most:
        raise InvalidArgument("max_execution_batch_size must not be more than max_batch_size")
    if batching.largest < 1 or batching.threads < 1 or batching.most_waiting < 1:
        raise InvalidArgument("max_batch_size, num_batch_threads and max_enqueued_batches must be positive")
    if batching.sizes and list(batching.sizes) != sorted(set(batching.sizes)):
        raise InvalidArgument("allowed_batch_sizes entries must be monotonically increasing")
    if batching.sizes and batching.sizes[-1] not in {batching.largest, most}:
        raise InvalidArgument(
            f"Last entry in allowed_batch_sizes must match max_batch_size; last entry was {batching.sizes[-1]}; "
            f"expected {most}"
        )
    return batching


@dataclass(slots=True)
class Task:
    """One call that waits.

    Attributes:
        tensors: Its own.
        rows: Of each of them.
        came: Monotonic seconds.
        done: Set when it has its answer.
        answer: Its tensors, or why there are none.
    """

    tensors: Sequence[Array]
    rows: int
    came: float = field(default_factory=time.monotonic)
    done: bool = False
    answer: list[Array] | BaseException = field(default_factory=list)


class Joined:
    """A run of the graph that is joined with others of its kind.

    Args:
        run: Runs the graph.
        batching: How to join.
        slots: One for each batch that may run at once, shared by all models.
    """

    def __init__(self, run: Run, batching: Batching, slots: threading.Semaphore) -> None:
        self._run = run
        self._batching = batching
        self._slots = slots
        self._changed = threading.Condition()
        self._waiting: defaultdict[Kind, deque[Task]] = defaultdict(deque)

    def __call__(self, *tensors: Array) -> list[Array]:
        """Run the graph on tensors of this call, maybe together with others'.

        Raises:
            InvalidArgument: Tensors without rows, of different numbers of rows, or of too many.
            Unavailable: Too many tasks wait.
            FailedPrecondition: The graph gave tensors that are no rows of these.
            tf.errors.OpError: The graph failed.
        """
        rows, largest = self._rows(tensors), self._batching.largest
        if rows <= largest:
            return self._joined(tensors, rows)
        pieces = [
            self._joined([tensor[at : at + largest] for tensor in tensors], min(largest, rows - at))
            for at in range(0, rows, largest)
        ]
        return [np.concatenate(outputs) for outputs in zip(*pieces, strict=True)]

    def _joined(self, tensors: Sequence[Array], rows: int) -> list[Array]:
        task = Task(tensors, rows)
        kind = self._kind(tensors)
        with self._changed:
            waiting = self._waiting[kind]
            if sum(other.rows for other in waiting) + task.rows > self._batching.most_waiting * self._batching.largest:
                raise Unavailable("The batch scheduling queue to which this task was submitted is full")
            waiting.append(task)
            self._changed.notify_all()
        while not task.done:
            with self._slots:
                batch = self._gather(kind, task)
                if batch:
                    self._answer(batch)
            if not batch:  # another thread runs it
                with self._changed:
                    self._changed.wait_for(lambda: task.done)
        if isinstance(task.answer, BaseException):
            raise task.answer
        return task.answer

    def _rows(self, tensors: Sequence[Array]) -> int:
        if not all(tensor.ndim for tensor in tensors):
            raise InvalidArgument("Batching Run() input tensors must have at least one dimension")
        sizes = {len(tensor) for tensor in tensors}
        if len(sizes) > 1:
            raise InvalidArgument("Batching Run() input tensors must have equal 0th-dimension size")
        (rows,) = sizes or {1}
        most = max(self._batching.largest, self._batching.largest_task)
        if rows > most:
            raise InvalidArgument(f"Task size {rows} is larger than maximum input batch size {most}")
        return rows

    def _kind(self, tensors: Sequence[Array]) -> Kind:
        if self._batching.pad:
            return tuple((tensor.ndim,) for tensor in tensors)
        return tuple(tensor.shape[1:] for tensor in tensors)

    def _gather(self, kind: Kind, task: Task) -> list[Task]:
        """Take the tasks of a batch: those that wait, and those that come while its first one may wait."""
        with self._changed:
            waiting = self._waiting[kind]
            while not task.done and waiting:
                full = sum(other.rows for other in waiting) >= self._batching.largest
                left_s = waiting[0].came + self._batching.wait_s - time.monotonic()
                if full or left_s <= 0:
                    break
                self._changed.wait(left_s)
            batch: list[Task] = []
            rows = 0
            while not task.done and waiting and rows + waiting[0].rows <= self._batching.largest:
                rows += waiting[0].rows
                batch.append(waiting.popleft())
            if not waiting and self._waiting.get(kind) is waiting:  # another queue may have begun meanwhile
                del self._waiting[kind]
            return batch

    def _answer(self, batch: Sequence[Task]) -> None:
        rows = sum(task.rows for task in batch)
        try:
            outputs = self._run(*self._together(batch, rows))
            for output in outputs:
                self._check(output, rows)
        except Exception as error:  # noqa: BLE001 each task of the batch raises it
            for task in batch:
                task.answer = error
        else:
            at = 0
            for task in batch:
                task.answer = [output[at : at + task.rows] for output in outputs]
                at += task.rows
        with self._changed:
            for task in batch:
                task.done = True
            self._changed.notify_all()

    def _size(self, rows: int) -> int:
        return next((size for size in self._batching.sizes if size >= rows), rows)

    def _together(self, batch: Sequence[Task], rows: int) -> list[Array]:
        missing = self._size(rows) - rows
        joined = []
        for position in range(len(batch[0].tensors)):
            parts = [task.tensors[position] for task in batch]
            if self._batching.pad:
                parts = _padded(parts)
            if missing:
                parts.append(np.repeat(parts[0][:1], missing, axis=0))
            joined.append(np.concatenate(parts) if len(parts) > 1 else parts[0])
        return joined

    def _check(self, output: Array, rows: int) -> None:
        if not output.ndim:
            raise FailedPrecondition("Batched output tensor has 0 dimensions")
        if len(output) != self._size(rows):
            raise FailedPrecondition(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors"
            )


def _padded(parts: Sequence[Array]) -> list[Array]:
    """Fill up with zeros, or empty strings, to the largest size of each dimension but the first."""
    sizes = np.max([part.shape[1:] for part in parts], axis=0)
    return [_filled(part, sizes.tolist()) for part in parts]


def _filled(part: Array, sizes: Sequence[int]) -> Array:
    fill = b"" if part.dtype == object else part.dtype.type(0)
    whole = np.full((len(part), *sizes), fill, part.dtype)
    whole[tuple(slice(size) for size in part.shape)] = part
    return whole
