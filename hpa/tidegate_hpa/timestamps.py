"""Points in time and spans, in whole nanoseconds: RFC 3339 and Go's durations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from .errors import InputError

SECOND: Final = 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:\d\d)", flags=re.ASCII
)
_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_SPAN: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", flags=re.ASCII)

# Go's zero time, which a timestamp that is absent becomes
NEVER: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) * SECOND


def parse_timestamp(text: str) -> int:
    """Return nanoseconds since 1970 of an RFC 3339 timestamp.

    Raises:
        InputError: `text` is none.
    """
    match = _RFC3339.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)  # noqa: TRY301 - one way out for a form and a date that do not exist
        zone = "+00:00" if match[4] in "Zz" else match[4]
        whole = datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
    except ValueError:
        raise InputError(f"expected an RFC 3339 timestamp such as 2026-01-01T00:00:00Z, got {text!r}") from None
    fraction = int((match[3] or "")[:9].ljust(9, "0"))
    return (whole - _EPOCH) // timedelta(seconds=1) * SECOND + fraction


def parse_duration(text: str) -> int:
    """Return the nanoseconds of a Go duration: 30s, 1m0s, 17.5s.

    Raises:
        InputError: `text` is none.
    """
    digits = text.lstrip("+-")
    spans = _SPAN.findall(digits)
    if digits != "0" and (not spans or "".join(number + unit for number, unit in spans) != digits):
        raise InputError(f"expected a duration such as 30s or 1m0s, got {text!r}")
    length = sum(int(Fraction(number.rstrip(".")) * _UNITS[unit]) for number, unit in spans)
    return -length if text.startswith("-") else length


def seconds(value: float) -> int:
    """Return nanoseconds of a number of seconds."""
    return int(Fraction(value) * SECOND) if isinstance(value, int) else round(Fraction(str(value)) * SECOND)
