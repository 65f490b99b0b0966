"""A cluster for each module of tests, and what it looked like when a test failed."""

from collections.abc import Generator, Iterator

import pytest

from tests.cluster.cluster import Cluster, fresh, user_kubectl


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A fresh namespace on the cluster of the user's kubectl; deleted afterwards."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    with fresh(user_kubectl(), name) as cluster:
        yield cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        report.sections.append((f"cluster, namespace {cluster.namespace}", cluster.diagnosis()))
    return report
