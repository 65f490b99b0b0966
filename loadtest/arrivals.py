"""When requests arrive: shapes of load by name, counts for each second, and the intended start of every request.

All of it is worked out before the first request is sent, from a seed: the same plan gives the same arrivals on any
machine, and a slow server does not slow them. Standard library only: Locust and the proof use it alike.
"""

import csv
import gzip
import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal, TextIO, cast

Counts = Sequence[int]
"""Requests in each second of a run."""

Process = Literal["paced", "poisson"]
"""How arrivals lie within their second: evenly, or independent of one another (a Poisson process)."""

PROCESSES: tuple[Process, ...] = ("paced", "poisson")
SECOND_NS = 1_000_000_000
HEADER = ["offset_s", "requests"]

STEP = (0.2, 0.7)
SPIKE = (0.5, 0.6)
SOAK_EDGE = 0.1
FEW = 10
"""Below this mean a Poisson number is drawn by multiplication, above by rejection."""


class ArrivalError(ValueError):
    """A shape, process, number or file that makes no arrivals; the text says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A course of load between a base and a peak.

    Attributes:
        title: What it does, in a few words.
        share: From the place in a period (0 to 1) to how far the load is on its way from base (0) to peak (1); None
            for the shape that is read from a file.
    """

    title: str
    share: Callable[[float], float] | None


SHAPES: dict[str, Shape] = {
    "constant": Shape("the base all the time", lambda _: 0.0),
    "step": Shape("base for a fifth, peak for a half, base for the rest", lambda at: float(STEP[0] <= at < STEP[1])),
    "spike": Shape("base, and the peak for the tenth after the middle", lambda at: float(SPIKE[0] <= at < SPIKE[1])),
    "ramp": Shape("from base to peak in a straight line", lambda at: at),
    "diurnal": Shape("from base to peak and back along a cosine", lambda at: (1 - math.cos(2 * math.pi * at)) / 2),
    "sawtooth": Shape("up in a straight line and down in another", lambda at: 1 - abs(2 * at - 1)),
    "soak": Shape(
        "up in a tenth, long at the peak, down in a tenth", lambda at: min(1, at / SOAK_EDGE, (1 - at) / SOAK_EDGE)
    ),
    "trace": Shape("as a CSV of recorded requests says, its highest second as the peak", None),
}


def rates(  # noqa: PLR0913 they are a plan's keys
    shape: str,
    *,
    base: float,
    peak: float,
    duration_s: int,
    period_s: int | None = None,
    trace: Path | None = None,
    time_scale: float = 1.0,
) -> list[float]:
    """Work out the expected requests per second in each second of a run.

    Args:
        shape: A name in `SHAPES`.
        base: Requests per second at the bottom of the shape.
        peak: At its top.
        duration_s: Seconds of the run.
        period_s: After how many seconds the shape starts anew; the whole run where it is None. Not for `trace`.
        trace: The CSV of the shape `trace`. With base 0 its proportions are kept.
        time_scale: Seconds of the trace that pass in a second of the run.

    Returns:
        A rate from base to peak for each second: the shape's in the middle of that second.

    Raises:
        ArrivalError: A name, number or file is not as said here.
    """
    if shape not in SHAPES:
        raise ArrivalError(f"shape {shape}: expected one of {', '.join(SHAPES)}")
    if not 0 <= base <= peak < math.inf:
        raise ArrivalError(f"expected 0 <= base <= peak, came base {base} and peak {peak}")
    if duration_s < 1 or (period_s is not None and period_s < 1):
        raise ArrivalError(f"expected whole seconds from 1, came duration {duration_s} and period {period_s}")
    share = SHAPES[shape].share
    if share is not None:
        period = period_s or duration_s
        shares = [share((second % period + 0.5) / period) for second in range(duration_s)]
    elif trace is None:
        raise ArrivalError(f"shape {shape}: expected a CSV of {','.join(HEADER)}, came none")
    else:
        shares = _shares_of(trace, duration_s, time_scale)
    return [min(peak, base + (peak - base) * share) for share in shares]


def counts(rates: Sequence[float], *, process: Process, seed: int) -> list[int]:
    """Turn rates into numbers of requests.

    Args:
        rates: Expected requests in each second.
        process: Paced: whole numbers whose running sum is the rates' to within a half. Poisson: drawn, each second
            on its own.
        seed: Of the drawing; paced counts do not depend on it.

    Raises:
        ArrivalError: There is no such process.
    """
    if _known(process) == "paced":
        sums = [math.floor(total + 0.5) for total in accumulate(rates, initial=0.0)]
        return [after - before for before, after in pairwise(sums)]
    source = random.Random(f"counts {seed}")
    return [_poisson(rate, source) for rate in rates]


def intended_ns(counts: Counts, *, process: Process, seed: int) -> list[int]:
    """Give the intended start of every request.

    Args:
        counts: Requests in each second.
        process: Paced: evenly within the second. Poisson: at independent, uniform times within it, which is how the
            arrivals of a Poisson process lie once their number is known.
        seed: Of the drawing; paced times do not depend on it.

    Returns:
        Nanoseconds since the start of the run, in order.

    Raises:
        ArrivalError: There is no such process.
    """
    if _known(process) == "paced":
        return [
            second * SECOND_NS + (2 * place + 1) * SECOND_NS // (2 * count)
            for second, count in enumerate(counts)
            for place in range(count)
        ]
    draw = random.Random(f"times {seed}").random
    return [
        second * SECOND_NS + place
        for second, count in enumerate(counts)
        for place in sorted(int(draw() * SECOND_NS) for _ in range(count))
    ]


def read_csv(path: Path) -> list[int]:
    """Read counts of `offset_s,requests`, gzipped or not.

    Returns:
        Requests in each second.

    Raises:
        ArrivalError: There is no such file, or its rows are not those of second 0, 1, 2 and so on.
    """
    rows = _rows(path)
    if any(offset != second for second, (offset, _) in enumerate(rows)):
        raise ArrivalError(f"{path}: expected a row for each second from 0, came one with another offset")
    return [requests for _, requests in rows]


def write_csv(path: Path, counts: Counts) -> None:
    """Write counts as `offset_s,requests`, gzipped where the name ends in .gz; the same counts give the same bytes."""
    text = "".join(f"{offset},{requests}\n" for offset, requests in enumerate(counts))
    content = f"{','.join(HEADER)}\n{text}".encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def trace_seconds(path: Path) -> int:
    """Say how many seconds a trace lasts: to the end of its last row, which is as long as the one before it.

    Raises:
        ArrivalError: As `read_csv`, but that rows may be any number of seconds apart.
    """
    return _edges(_rows(path))[-1]


def _shares_of(path: Path, duration_s: int, time_scale: float) -> list[float]:
    """Give a trace's requests in each second of the run, as a share of the highest."""
    if not 0 < time_scale < math.inf:
        raise ArrivalError(f"expected a time scale above 0, came {time_scale}")
    rows = _rows(path)
    edges = _edges(rows)
    if edges[-1] < duration_s * time_scale:
        longest = int(edges[-1] / time_scale)
        raise ArrivalError(
            f"{path}: it lasts {longest} s at time scale {time_scale:g}, came a duration of {duration_s} s"
        )
    sums = list(accumulate((requests for _, requests in rows), initial=0))

    def until(moment: float) -> float:
        row = min(bisect_right(edges, moment), len(rows)) - 1
        return sums[row] + rows[row][1] * (moment - edges[row]) / (edges[row + 1] - edges[row])

    totals = [until(second * time_scale) for second in range(duration_s + 1)]
    found = [after - before for before, after in pairwise(totals)]
    highest = max(found)
    if highest <= 0:
        raise ArrivalError(f"{path}: expected requests within the first {duration_s * time_scale:g} s, came none")
    return [max(0.0, requests / highest) for requests in found]


def _edges(rows: Sequence[tuple[int, int]]) -> list[int]:
    """Give where each row begins, and where the last one ends."""
    offsets = [offset for offset, _ in rows]
    return [*offsets, offsets[-1] + (offsets[-1] - offsets[-2] if len(offsets) > 1 else 1)]


def _rows(path: Path) -> list[tuple[int, int]]:
    """Read rows of a CSV: each counts the requests from its offset to the next one's."""
    try:
        with cast("TextIO", gzip.open(path, "rt") if path.suffix == ".gz" else path.open()) as file:
            return _parsed(csv.reader(file))
    except (OSError, EOFError, ValueError) as error:
        raise ArrivalError(f"{path}: expected a CSV of {','.join(HEADER)}: {error}") from None


def _parsed(lines: Iterable[Sequence[str]]) -> list[tuple[int, int]]:
    header, *body = lines
    if header != HEADER:
        raise ValueError(f"the first line is {','.join(header)}")
    rows = [(int(offset), int(requests)) for offset, requests in body]
    if not rows or rows[0][0] != 0 or any(after <= before for (before, _), (after, _) in pairwise(rows)):
        raise ValueError("offsets do not ascend from 0")
    if any(requests < 0 for _, requests in rows):
        raise ValueError("a number of requests is below 0")
    return rows


def _known(process: str) -> str:
    if process not in PROCESSES:
        raise ArrivalError(f"process {process}: expected one of {', '.join(PROCESSES)}")
    return process


def _poisson(mean: float, source: random.Random) -> int:
    """Draw a Poisson number: by multiplying (Knuth) where it is small, else by transformed rejection.

    The latter is PTRS of W. Hörmann, "The transformed rejection method for generating Poisson random variables",
    Insurance: Mathematics and Economics 12 (1993); the constants are his.
    """
    if mean < FEW:
        limit, drawn, number = math.exp(-mean), source.random(), 0
        while drawn > limit:
            drawn *= source.random()
            number += 1
        return number
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    while True:
        u, v = source.random() - 0.5, 1 - source.random()
        edge = 0.5 - abs(u)
        if edge < 0.013 and v >= edge:  # noqa: PLR2004 his
            continue
        k = math.floor((2 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):  # noqa: PLR2004 his
            return k
        if k >= 0 and math.log(v * inverse_alpha / (a / edge**2 + b)) <= k * math.log(mean) - mean - math.lgamma(k + 1):
            return k
