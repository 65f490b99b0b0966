"""The lean histogram says what prometheus-client's own says."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from tidegate_web.distribution import Distribution

BOUNDS = (0.001, 0.0025, 0.5, 1.0, 10.0)


@given(st.lists(st.one_of(st.sampled_from(BOUNDS), st.floats(0, 20))))
def test_it_is_written_as_prometheus_clients_own(values):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    distribution = Distribution("wait_seconds", "Why", BOUNDS)
    ours.register(distribution)
    histogram = Histogram("wait_seconds", "Why", buckets=BOUNDS, registry=theirs)
    for value in values:
        distribution.observe(value)
        histogram.observe(value)
    written = [line for line in generate_latest(theirs).decode().splitlines() if "_created" not in line]
    assert generate_latest(ours).decode().splitlines() == written
