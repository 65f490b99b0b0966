"""Kubernetes quantities, exact.

Source: k8s.io/apimachinery v0.35.0, pkg/api/resource/{quantity,amount,suffix}.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from .errors import InputError
from .machine import MAX_INT64, saturate

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_FORM: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?((?:[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?)")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX: Final = {0: "", **{exponent: suffix for suffix, exponent in _BINARY.items()}}
# Beyond these powers of ten every figure saturates, or is the smallest milli-unit: no need to spell the zeros out
_HIGHEST_POWER: Final = 40
_LOWEST_POWER: Final = -1000
_MILLI: Final = -3
_NANO: Final = -9
_LONGEST: Final = 1000
_SMALLEST_BINARY: Final = 1_024_000


@dataclass(frozen=True)
class Quantity:
    """`unscaled` times 10 to the `power`, and the family of suffixes in which it was written."""

    unscaled: int
    power: int
    format: Format

    def milli(self) -> int:
        """Return thousandths, rounded away from zero, saturated at int64 (Quantity.MilliValue)."""
        return saturate(self._scaled(_MILLI))

    def nano(self) -> int:
        """Return billionths, rounded away from zero, which is as fine as a Quantity is."""
        return self._scaled(_NANO)

    def _scaled(self, scale: int) -> int:
        power = max(_LOWEST_POWER, min(_HIGHEST_POWER, self.power - scale))
        return self.unscaled * 10**power if power >= 0 else _away_from_zero(self.unscaled, 10**-power)

    def approximate(self) -> float:
        """Return the float64 that the controller takes for a tolerance (Quantity.AsApproximateFloat64).

        It is computed from the canonical form, in which the API server hands quantities out: in billionths at the
        finest. What no int64 holds is cut there: no ratio comes near.
        """
        most = MAX_INT64 * 10**-_NANO
        mantissa, power = _canonical_decimal(saturate(self.nano(), -most, most), _NANO)
        return float(mantissa) * (10.0**power if power >= 0 else 1 / 10.0**-power)


def milli_of(nano: int) -> int:
    """Return thousandths of billionths, rounded away from zero, saturated at int64."""
    return saturate(_away_from_zero(nano, 10 ** (_MILLI - _NANO)))


def _away_from_zero(dividend: int, divisor: int) -> int:
    magnitude = -(-abs(dividend) // divisor)
    return magnitude if dividend >= 0 else -magnitude


def parse(value: object) -> Quantity:
    """Read a quantity: a string in any of Kubernetes' forms, or a number.

    Raises:
        InputError: `value` is none.
    """
    text = value.strip() if isinstance(value, str) else _spelled(value)
    match = _FORM.fullmatch(text)
    if match is None or not (match[2] or match[3]) or len(text) > _LONGEST:
        raise InputError(f"expected a quantity such as 100m, 0.5 or 1Gi, got {value!r}")
    sign, whole, fraction, suffix = match[1], match[2], match[3] or "", match[4]
    unscaled = int(sign + (whole + fraction or "0"))
    if suffix in _BINARY:
        return Quantity(unscaled << _BINARY[suffix], -len(fraction), "BinarySI")
    if suffix in _DECIMAL:
        return Quantity(unscaled, _DECIMAL[suffix] - len(fraction), "DecimalSI")
    return Quantity(unscaled, int(suffix[1:]) - len(fraction), "DecimalExponent")


def _spelled(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InputError(f"expected a quantity such as 100m, 0.5 or 1Gi, got {value!r}")
    return str(value)


def canonical(milli: int, *, binary: bool = False) -> str:
    """Return the canonical form of thousandths (NewMilliQuantity, then Quantity.String).

    Args:
        milli: thousandths of the unit.
        binary: prefer Ki, Mi, Gi …, which holds for whole numbers from 1024 on.
    """
    if milli == 0:
        return "0"
    if binary and abs(milli) >= _SMALLEST_BINARY and milli % 1000 == 0:
        amount, power = milli // 1000, 0
        while amount % 1024 == 0:
            amount, power = amount // 1024, power + 10
        return f"{amount}{_BINARY_SUFFIX[power]}"
    mantissa, exponent = _canonical_decimal(milli, _MILLI)
    return f"{mantissa}{_DECIMAL_SUFFIX[exponent]}"


def _canonical_decimal(unscaled: int, power: int) -> tuple[int, int]:
    """Return mantissa and the highest power of ten, a multiple of three, that loses nothing (AsCanonicalBytes)."""
    if unscaled == 0:
        return 0, 0
    while unscaled % 10 == 0:
        unscaled, power = unscaled // 10, power + 1
    shift = power % 3
    return unscaled * 10**shift, power - shift
