"""A run that could prove nothing is refused before it costs time, with what to do about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.proof.live_api import ScriptedApi, listed, sample
from tidegate_proof.live import preconditions
from tidegate_proof.live.address import candidates, is_loopback, port_forward
from tidegate_proof.live.api import ApiError
from tidegate_proof.live.preconditions import MOST_RPS, Need

NODE = {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "2", "memory": "8Gi"}}}
EMPTY = {"/api/v1/nodes": [listed(NODE, version=1)], "/api/v1/pods": [listed(version=1)]}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(("apart_s", "passes"), [(0.0, True), (1.9, True), (-1.9, True), (2.5, False), (-3600, False)])
def test_clocks_that_are_apart_are_refused(apart_s, passes):
    check = preconditions.clock(NOW + timedelta(seconds=apart_s), NOW)
    assert check.passed is passes
    assert f"{apart_s:+.1f} s" in check.found


def test_a_disk_without_room_for_the_record_is_refused():
    folder = Path("/somewhere")
    assert preconditions.disk(folder, free=10**9, requests=10_000).passed
    assert not preconditions.disk(folder, free=10**9, requests=100_000_000).passed
    assert not preconditions.disk(folder, free=0, requests=1).passed


def test_more_than_one_generator_can_send_is_refused():
    assert preconditions.rate(MOST_RPS).passed
    assert not preconditions.rate(MOST_RPS + 1).passed


@pytest.mark.parametrize(("wanted_m", "passes"), [(1750, True), (1751, False)])
def test_nodes_without_room_for_every_pod_are_refused(wanted_m, passes):
    there = {"status": {"phase": "Running"}, "spec": {"containers": [{"resources": {"requests": {"cpu": "250m"}}}, {}]}}
    over = {"status": {"phase": "Succeeded"}, "spec": {"containers": [{"resources": {"requests": {"cpu": "1.5"}}}]}}
    assert preconditions.room([NODE], [there, over], wanted_m).passed is passes


def test_a_machine_that_does_not_keep_time_is_refused():
    assert preconditions.timers(1.0).passed
    assert not preconditions.timers(8.0).passed


def test_autoscalers_without_figures_are_refused():
    assert preconditions.autoscaler("tidegate-serving", sample("hpa")).passed
    unknown = preconditions.autoscaler("tidegate-serving", sample("hpa-unknown"))
    assert not unknown.passed
    assert "<unknown>: Resource cpu" in unknown.found


async def test_a_cluster_without_metrics_server_is_refused_and_one_with_it_is_not(tmp_path):
    need = Need(tmp_path, requests=100, peak_rps=10, cpu_m=1000)
    checks = await preconditions.before(ScriptedApi(EMPTY), need)
    assert "install it" in next(check for check in checks if "metrics-server" in check.name).advice
    api = ScriptedApi({**EMPTY, "/apis/metrics.k8s.io/v1beta1": [{"kind": "APIResourceList"}]})
    checks = await preconditions.before(api, need)
    assert all(check.passed for check in checks if "lateness" not in check.found), checks


async def test_a_cluster_that_refuses_is_told_from_one_without_metrics(tmp_path):
    api = ScriptedApi({**EMPTY, "/apis/metrics.k8s.io/v1beta1": [ApiError(503, "the server is currently unable")]})
    checks = await preconditions.before(api, Need(tmp_path, requests=1, peak_rps=1, cpu_m=1))
    assert not next(check for check in checks if "metrics-server" in check.name).passed


@pytest.mark.parametrize(
    ("url", "process", "forwarded"),
    [
        ("http://127.0.0.1:8080", "kubectl port-forward service/tidegate-web 8080", True),
        ("http://localhost:18080/", "/usr/bin/kubectl -n x port-forward svc/tidegate-web 18080:8080", True),
        ("http://127.0.0.1:8080", "kubectl port-forward service/tidegate-web 18080:8080", False),
        ("http://127.0.0.1:8080", "kubectl port-forward service/tidegate-web 80801", False),
        ("http://192.168.49.2:30080", "kubectl port-forward service/tidegate-web 30080:8080", False),
        ("http://127.0.0.1:30080", "python -m http.server 30080", False),
    ],
)
def test_a_port_forward_is_found_by_its_local_port(url, process, forwarded):
    assert (port_forward(url, ["init", process]) is not None) is forwarded
    assert preconditions.direct(url, [process]).passed is not forwarded


def test_the_way_to_the_gateway_is_a_load_balancer_this_machines_port_or_a_nodes():
    service = {
        "spec": {"ports": [{"port": 8080, "nodePort": 30123}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}, {"hostname": "lb.example"}]}},
    }
    node = {
        "status": {"addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "10.0.0.9"}]}
    }
    assert list(candidates(service, [node])) == [
        "http://203.0.113.5:8080",
        "http://lb.example:8080",
        "http://127.0.0.1:30123",
        "http://10.0.0.9:30123",
    ]
    assert list(candidates({"spec": {"ports": [{"port": 8080}]}}, [node])) == []


def test_loopback_is_this_machine():
    assert is_loopback("http://127.0.0.1:1")
    assert is_loopback("http://localhost:1")
    assert is_loopback("http://[::1]:1")
    assert not is_loopback("http://10.0.0.1:1")
