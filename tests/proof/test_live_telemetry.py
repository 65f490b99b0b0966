"""A gateway's totals are known to the end, also those of gateways that go, and what is not exact says so."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from time import monotonic_ns

import pytest

from tests.proof.live_api import ScriptedApi, pod
from tidegate_proof.live import telemetry as module
from tidegate_proof.live.api import ApiError, UnreachableError
from tidegate_proof.live.journal import Clock
from tidegate_proof.live.telemetry import Telemetry, last_total, read_metrics
from tidegate_proof.record.telemetry import GatewayLook

METRICS = """\
# HELP tidegate_requests_total Requests
# TYPE tidegate_requests_total counter
tidegate_requests_total{method="POST",route="/v1/models/{model}:predict",status="200"} 640.0
tidegate_requests_total{method="POST",route="/v1/models/{model}:predict",status="429"} 5.0
tidegate_requests_total{method="POST",route="/v1/models/{model}:predict",status="499"} 3.0
tidegate_requests_created{method="POST",route="/v1/models/{model}:predict",status="200"} 1.7e9
tidegate_request_duration_seconds_bucket{le="0.001",route="/v1/models/{model}:predict"} 17.0
# TYPE tidegate_inflight_requests gauge
tidegate_inflight_requests 7.0
tidegate_inflight_requests_average 6.5
tidegate_serving_pending_predictions 9.0
tidegate_serving_pending_predictions_average 8.5
# TYPE tidegate_shed_total counter
tidegate_shed_total{reason="queue_full"} 4.0
tidegate_shed_total{reason="deadline"} 1.0
"""

A_METRICS = "/api/v1/namespaces/ns/pods/a:8081/proxy/metrics"
A_LOG = "/api/v1/namespaces/ns/pods/a/log"


def line(message: str, **more: object) -> bytes:
    return json.dumps({"message": message, **more}).encode() + b"\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "AGAIN_S", 0.001)


@contextlib.contextmanager
def telemetry(api: ScriptedApi) -> Iterator[tuple[Telemetry, list[GatewayLook]]]:
    looks: list[GatewayLook] = []
    yield Telemetry(api, "ns", looks.append, Clock(monotonic_ns())), looks


def test_metrics_give_totals_without_the_clients_that_left():
    found = read_metrics(METRICS)
    assert (found.answered, found.inflight, found.pending, found.shed) == (645, 7, 9, 5)


def test_a_gateway_that_has_answered_nothing_has_answered_none():
    assert read_metrics("tidegate_inflight_requests 0.0\n").answered == 0


def test_only_the_last_line_has_a_total():
    assert last_total(line("stopped", answered=12)) == 12
    assert last_total(line("draining", seconds=5)) is None
    assert last_total(b"Killed\n") is None


async def test_a_gateway_that_lives_is_looked_at_once_more_and_that_is_its_total():
    with telemetry(ScriptedApi({A_METRICS: [METRICS]})) as (found, looks):
        found.change("ADDED", pod("a"))
        await found.look()
        await found.finish()
    assert [(look.answered, look.final, look.clean) for look in looks] == [(645, False, False), (645, True, True)]
    assert looks[0].pending == 9


async def test_a_gateway_that_goes_has_the_total_of_its_last_line():
    log = [line("listening"), line("stopped", answered=701)]
    with telemetry(ScriptedApi({A_METRICS: [METRICS]}, {A_LOG: [log]})) as (found, looks):
        found.change("ADDED", pod("a"))
        await found.look()
        async with asyncio.timeout(5):
            while not looks[-1].final:
                await asyncio.sleep(0.001)
        found.change("DELETED", pod("a"))
        await found.finish()
    assert [(look.answered, look.final, look.clean) for look in looks] == [(645, False, False), (701, True, True)]


async def test_a_log_whose_stream_breaks_is_read_again():
    log: list[list[bytes | Exception]] = [
        [UnreachableError("reset")],
        [ApiError(500, "try again")],
        [line("stopped", answered=9)],
    ]
    with telemetry(ScriptedApi({A_METRICS: [METRICS]}, {A_LOG: log})) as (found, looks):
        found.change("ADDED", pod("a"))
        async with asyncio.timeout(5):
            while not looks:
                await asyncio.sleep(0.001)
        await found.close()
    assert (looks[-1].answered, looks[-1].clean) == (9, True)


async def test_a_gateway_that_was_killed_has_the_last_look_as_its_total_and_that_is_not_exact():
    api = ScriptedApi({A_METRICS: [METRICS, UnreachableError("gone")]}, {A_LOG: [[line("listening")]]})
    with telemetry(api) as (found, looks):
        found.change("ADDED", pod("a"))
        await found.look()
        found.change("DELETED", pod("a"))
        await found.finish()
    assert [(look.answered, look.final, look.clean) for look in looks] == [(645, False, False), (645, True, False)]


async def test_model_servers_and_pods_without_an_address_are_not_looked_at():
    api = ScriptedApi({A_METRICS: [METRICS]})
    with telemetry(api) as (found, looks):
        found.change("ADDED", pod("s", tier="serving"))
        found.change("ADDED", pod("a", ip=""))
        await found.look()
        assert not looks
        found.change("MODIFIED", pod("a"))
        await found.look()
        await found.close()
    assert [look.pod for look in looks] == ["a"]
