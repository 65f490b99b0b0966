"""A cluster for each module of tests, what it looked like when a test failed, and a record of what was found."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, fresh, user_kubectl
from tests.cluster.evidence import Evidence

EVIDENCE = pytest.StashKey[Evidence]()


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A fresh namespace on the cluster of the user's kubectl; deleted afterwards."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    with fresh(user_kubectl(), name) as cluster:
        yield cluster


@pytest.fixture
def figures(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[dict[str, Any]]:
    """What a test wants kept of what it measured; TIDEGATE_CLUSTER_EVIDENCE names the file."""
    noted: dict[str, Any] = {}
    yield noted
    evidence = request.config.stash[EVIDENCE]
    evidence.note(request.node.name, noted)
    evidence.look_at(cluster)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[EVIDENCE] = Evidence()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        report.sections.append((f"cluster, namespace {cluster.namespace}", cluster.diagnosis()))
    if report.when == "call" or not report.passed:
        item.config.stash[EVIDENCE].end(item.name, report.outcome, report.duration)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if path := os.environ.get("TIDEGATE_CLUSTER_EVIDENCE"):
        session.config.stash[EVIDENCE].write(Path(path))
