"""The controller's machine arithmetic: int32, int64 and float64 as Go computes them, saturating instead of wrapping.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler. Its conversions of a float that no integer holds are the
hardware's (amd64: the lowest integer); here a proposal saturates instead, as the controller does where it checks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_INT32 = 2**31 - 1
MIN_INT32 = -(2**31)
MAX_INT64 = 2**63 - 1
MIN_INT64 = -(2**63)


def saturate(value: int, low: int = MIN_INT64, high: int = MAX_INT64) -> int:
    """Return `value`, or the bound that it passes."""
    return max(low, min(high, value))


def total(values: Iterable[int]) -> int:
    """Return the sum of int64 figures, which stays within int64 at every step."""
    result = 0
    for value in values:
        result = saturate(result + value)
    return result


def quotient(dividend: float, divisor: float) -> float:
    """Return the float64 quotient of two figures, each a float64 first; by zero ±Inf or NaN, as IEEE 754."""
    dividend, divisor = float(dividend), float(divisor)
    if divisor:
        return dividend / divisor
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor) if dividend else math.nan


def truncated(dividend: int, divisor: int) -> int:
    """Return the integer quotient, rounded towards zero."""
    magnitude = abs(dividend) // abs(divisor)
    return magnitude if (dividend < 0) == (divisor < 0) else -magnitude


def ceil_to_int32(value: float) -> int:
    """Return the smallest int32 that is not below `value`; NaN gives the lowest int32."""
    if math.isnan(value):
        return MIN_INT32
    if math.isinf(value):
        return MAX_INT32 if value > 0 else MIN_INT32
    return saturate(math.ceil(value), MIN_INT32, MAX_INT32)


def ceil_to_int64(value: float) -> int:
    """Return the smallest int64 that is not below `value`; NaN and ±Inf (no pod to divide by) give the lowest int64."""
    if not math.isfinite(value):
        return MIN_INT64
    return saturate(math.ceil(value))


def wrapped_int32(value: int) -> int:
    """Return what an int32 holds after a sum or difference that may leave its range."""
    return (value + 2**31) % 2**32 - 2**31


def converted_to_int32(value: float) -> int:
    """Return the int32 that a float becomes, towards zero; one out of range becomes the lowest int32."""
    if not math.isfinite(value) or not MIN_INT32 <= math.trunc(value) <= MAX_INT32:
        return MIN_INT32
    return math.trunc(value)
