"""No model server at all: the gateways stay, say so, and serve again as soon as there is one."""

import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping

import pytest

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.load import PATH, KeepAliveLoad, failures, summary

pytestmark = pytest.mark.cluster_full

CLIENTS = 8
PER_SECOND = 40
GONE_S = 60
START_S = 180
BACK_S = 5.0


def post(url: str, body: bytes) -> tuple[int, Mapping[str, str], str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, dict(refused.headers), refused.read().decode()


def test_without_model_servers_api_and_form_say_so_and_with_one_they_answer_within_seconds(cluster: Cluster, figures):
    cluster.deploy(cluster.overlay())
    url = cluster.url
    with KeepAliveLoad(url, CLIENTS, PER_SECOND) as load:
        cluster.kubectl("scale", "deployment", "tidegate-serving", "--replicas=0")
        wait_for("no model server", lambda: not cluster.pods("serving", leaving=True), GONE_S)
        status, headers, _ = post(f"{url}{PATH}", b'{"instances": [[1, 1]]}')
        assert status == 503
        assert int(headers["Retry-After"]) > 0
        typed = urllib.parse.urlencode({"inputs.0": "5", "inputs.1": "6"}).encode()
        status, headers, page = post(f"{url}/home", typed)
        assert status == 503
        assert int(headers["Retry-After"]) > 0
        assert 'id="unavailable"' in page
        assert len(cluster.ready("web")) == 1, "a gateway without model servers is to stay, or nobody tells the clients"
        assert "ScalingDisabled" in cluster.kubectl("describe", "hpa", "tidegate-serving")

        cluster.kubectl("scale", "deployment", "tidegate-serving", "--replicas=1")
        wait_for("a Ready model server", lambda: cluster.ready("serving"), START_S, every_s=0.1)
        ready = time.monotonic()
        answered = wait_for(
            "an answer", lambda: [request for request in load.since(ready) if not request.error], START_S, every_s=0.1
        )
        figures["answered_after_ready_s"] = round(answered[0].answered - ready, 2)
        time.sleep(BACK_S)
    figures["load"] = summary(load.requests)
    assert {request.status for request in load.requests} == {200, 503}
    assert figures["answered_after_ready_s"] < BACK_S
    assert not failures(load.since(answered[0].answered + 1)), figures
