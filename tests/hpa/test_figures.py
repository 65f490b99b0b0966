"""Quantities, timestamps and durations are Kubernetes', to the last digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_hpa import quantity, timestamps
from tidegate_hpa.errors import InputError
from tidegate_hpa.machine import MAX_INT64


@pytest.mark.parametrize(
    ("written", "tolerance"),
    [
        ("0.05", 0.05),
        ("33n", 3.3000000000000004e-08),
        ("0.1000000000001", 0.100000001),
        ("1e-12", 1e-9),
        ("1Ki", 1024.0),
        ("9" * 500, float(MAX_INT64)),
        ("0." + "3" * 500, 0.33333333400000004),
    ],
)
def test_a_tolerance_is_the_controllers_float_of_no_more_than_billionths(written, tolerance):
    assert quantity.parse(written).approximate() == tolerance


@pytest.mark.parametrize(
    ("written", "milli"),
    [
        ("100m", 100),
        ("0.1", 100),
        (0.1, 100),
        (Decimal("0.1"), 100),
        (2, 2000),
        ("+2", 2000),
        (".5", 500),
        ("5.", 5000),
        ("1e3", 1_000_000),
        ("1E3", 1_000_000),
        ("1e-3", 1),
        ("2E", 2 * 10**21),
        ("1500u", 2),
        ("1n", 1),
        ("-1n", -1),
        ("0.0001", 1),
        ("1Ki", 1_024_000),
        ("1.5Gi", 1_610_612_736_000),
        ("86000000n", 86),
        ("9223372036854775807m", MAX_INT64),
        ("9223372036854775806m", MAX_INT64 - 1),
        ("9223372036854775807", MAX_INT64),
        ("1e999999999999", MAX_INT64),
        ("1e-999999999999", 1),
        ("0e999999999999", 0),
        (" 7 ", 7000),
    ],
)
def test_a_quantity_is_exact_in_thousandths_rounded_away_from_zero(written, milli):
    assert quantity.parse(written).milli() == min(milli, MAX_INT64)


@pytest.mark.parametrize(
    "written", ["", "m", "1 m", "1mi", "1KiB", "--1", "0x10", "1e", "1e1.5", ".", True, None, [], "NaN", float("inf")]
)
def test_what_is_no_quantity_is_refused(written):
    with pytest.raises(InputError, match="expected a quantity"):
        quantity.parse(written)


@pytest.mark.parametrize(
    ("milli", "binary", "text"),
    [
        (0, False, "0"),
        (90, False, "90m"),
        (1000, False, "1"),
        (1500, False, "1500m"),
        (12_000_000, False, "12k"),
        (10**9, False, "1M"),
        (1_024_000, True, "1Ki"),
        (1_023_000, True, "1023"),
        (1_024_001, True, "1024001m"),
        (1_610_612_736_000, True, "1536Mi"),
        (-1500, False, "-1500m"),
        (MAX_INT64, False, "9223372036854775807m"),
    ],
)
def test_a_figure_prints_in_its_canonical_form(milli, binary, text):
    assert quantity.canonical(milli, binary=binary) == text


@given(st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_a_figure_survives_being_printed_and_read(milli, binary):
    assert quantity.parse(quantity.canonical(milli, binary=binary)).milli() == milli


@given(st.integers(-(10**20), 10**20), st.integers(0, 12))
def test_a_decimal_is_rounded_away_from_zero_and_by_less_than_a_thousandth(unscaled, places):
    exact = Decimal(unscaled).scaleb(-places) * 1000
    milli = quantity.parse(format(Decimal(unscaled).scaleb(-places), "f")).milli()
    if abs(milli) < MAX_INT64:
        assert abs(exact) <= abs(milli) < abs(exact) + 1


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T01:00:01+01:00", 10**9),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.5Z", 5 * 10**8),
        ("0001-01-01T00:00:00Z", timestamps.NEVER),
    ],
)
def test_a_timestamp_is_exact(text, nanoseconds):
    assert timestamps.parse_timestamp(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T25:00:00Z"]
)
def test_what_is_no_timestamp_is_refused(text):
    with pytest.raises(InputError, match="RFC 3339"):
        timestamps.parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("30s", 30 * 10**9),
        ("1m0s", 60 * 10**9),
        ("14.5s", 14_500_000_000),
        ("1h2m3s", 3_723 * 10**9),
        ("100ms", 10**8),
        ("0", 0),
        ("17.391820004s", 17_391_820_004),
        ("1µs", 1000),
    ],
)
def test_a_duration_is_gos(text, nanoseconds):
    assert timestamps.parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["30", "s", "1 s", "1d", "1s2"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(InputError, match="duration"):
        timestamps.parse_duration(text)
