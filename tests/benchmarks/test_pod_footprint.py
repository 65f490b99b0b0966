"""What pods use is what they used between two readings, or an error that says why it is not."""

from datetime import UTC, datetime, timedelta

import pytest

from pod_footprint import MeasurementError, Span, Usage, cores

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MIB = 2**20


def reading(seconds: float, cpu_seconds: float, mib: int = 0) -> Usage:
    return Usage(NOON + timedelta(seconds=seconds), int(cpu_seconds * 1e9), mib * MIB)


def test_each_pod_is_read_by_its_own_clock_and_all_are_summed():
    before = {"a": reading(0, 10), "b": reading(5, 0)}
    after = {"a": reading(60, 40), "b": reading(45, 10)}
    assert cores(before, after) == pytest.approx(30 / 60 + 10 / 40)


def test_pods_that_came_or_went_are_no_measurement():
    with pytest.raises(MeasurementError, match="kubectl delete hpa --all"):
        cores({"a": reading(0, 0)}, {"a": reading(60, 1), "b": reading(60, 3)})


def test_memory_is_that_of_the_largest_pod():
    span = Span({"a": reading(0, 0), "b": reading(0, 0)}, {"a": reading(10, 1, 60), "b": reading(10, 1, 75)})
    assert span.working_set_mib == 75
    assert span.millicores == 200
