"""Arrivals as a CSV holds them: `offset_s,requests`."""

from __future__ import annotations

import csv
import gzip
import math
import random
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_NORMAL_FROM = 30.0


def read(path: Path) -> list[float]:
    """Return the requests of each second; a row's requests are spread evenly until the next row's offset.

    Raises:
        InputError: it cannot be read, or has other columns, or offsets do not ascend.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InputError(f"{path}: expected a file that can be read: {reason}") from None
    rows = list(_rows(path, csv.reader(text.splitlines())))
    if not rows:
        raise InputError(f"{path}: expected rows of arrivals, found none")
    return spread(rows)


def _rows(path: Path, lines: Iterable[list[str]]) -> Iterable[tuple[float, float]]:
    last = -math.inf
    for number, line in enumerate(lines, start=1):
        if number == 1:
            if line[:2] != ["offset_s", "requests"]:
                raise InputError(f"{path}: expected the columns offset_s,requests, got {','.join(line)}")
            continue
        try:
            offset, requests = float(line[0]), float(line[1])
        except (ValueError, IndexError):
            raise InputError(f"{path}, line {number}: expected two numbers, got {','.join(line)!r}") from None
        if not (offset > last and requests >= 0 and math.isfinite(offset) and math.isfinite(requests)):
            raise InputError(f"{path}, line {number}: expected a later offset and no fewer than 0 requests, got {line}")
        last = offset
        yield offset, requests


def spread(rows: Sequence[tuple[float, float]]) -> list[float]:
    """Return requests per second from offsets and counts. The last row lasts as long as the one before."""
    ends = [offset for offset, _ in rows[1:]]
    last = rows[-1][0] - rows[-2][0] if len(rows) > 1 else 1.0
    ends.append(rows[-1][0] + last)
    origin = rows[0][0]
    seconds = [0.0] * math.ceil(ends[-1] - origin)
    for (offset, requests), end in zip(rows, ends, strict=True):
        start, stop = offset - origin, end - origin
        for second in range(math.floor(start), math.ceil(stop)):
            share = min(stop, second + 1) - max(start, second)
            seconds[second] += requests * share / (stop - start)
    return seconds


def sampled(rates: Sequence[float], seed: int) -> list[float]:
    """Return Poisson arrivals of the given rates (a rounded normal from 30 a second on)."""
    dice = random.Random(seed)  # noqa: S311 - arrivals need no secrecy
    return [_poisson(rate, dice) for rate in rates]


def _poisson(rate: float, dice: random.Random) -> float:
    if rate >= _NORMAL_FROM:
        return float(max(0, round(dice.gauss(rate, math.sqrt(rate)))))
    count, product, floor = 0, dice.random(), math.exp(-rate)
    while product > floor:
        count, product = count + 1, product * dice.random()
    return float(count)
