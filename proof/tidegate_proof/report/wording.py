"""Figures in words, the same everywhere: three digits for what is measured, all digits for what is counted."""

import math
import re
import unicodedata

MISSING = "\u2013"
NARROW_SPACE = "\u202f"

_MINUTES_FROM_S = 120


def visible(text: str) -> str:
    """Replace what would not show, or would move other text about: control and direction characters, surrogates."""
    return "".join(letter if _shows(letter) else "\ufffd" for letter in text)


def _shows(letter: str) -> bool:
    return letter in "\n\t" or (unicodedata.category(letter) not in {"Cc", "Cf", "Cs"} and letter not in "\ufffe\uffff")


def digits(value: float, figures: int = 3) -> str:
    """Write a number with so many significant digits, never as a power of ten, with thousands apart."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else MISSING
    places = max(0, figures - 1 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{min(places, 9)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", NARROW_SPACE)


def count(value: float | None) -> str:
    """Write a count in full, with thousands apart."""
    return MISSING if value is None else f"{value:,.0f}".replace(",", NARROW_SPACE)


def rate(per_second: float | None) -> str:
    """Write a rate."""
    return MISSING if per_second is None else f"{digits(per_second)}/s"


def percent(share: float | None) -> str:
    """Write a share of 1."""
    return MISSING if share is None else f"{digits(100 * share)} %"


def latency(nanoseconds: float | None) -> str:
    """Write a latency in the unit that suits it."""
    if nanoseconds is None:
        return MISSING
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(nanoseconds) >= size:
            return f"{digits(nanoseconds / size)} {unit}"
    return f"{digits(nanoseconds)} ns" if nanoseconds else "0"


def seconds(value: float | None) -> str:
    """Write seconds to a tenth."""
    return MISSING if value is None else f"{value:.1f} s"


def clock(value: float) -> str:
    """Write seconds since the start as minutes and seconds, as the time axes have it."""
    whole = round(value)
    return f"{whole // 60}:{whole % 60:02d}"


def duration(value: float) -> str:
    """Write a span of seconds in words."""
    whole = round(value)
    if whole < _MINUTES_FROM_S:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def several(number: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def slug(words: str) -> str:
    """Turn words into a name for an element of a page."""
    return re.sub(r"[^\w-]+", "-", words, flags=re.ASCII)
