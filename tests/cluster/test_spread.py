"""New gateways get work from clients that keep their connections."""

import time
from collections import Counter

import pytest

from tests.cluster.cluster import Cluster, wait_for
from tests.cluster.load import KeepAliveLoad, failures, summary

pytestmark = pytest.mark.cluster_full

CLIENTS = 64
PER_SECOND = 200
PODS = 4
WITHIN_S = 45
WINDOW_S = 5
FAIR_SHARE = CLIENTS / PODS


def test_fixed_keep_alive_clients_spread_over_new_gateways_within_45_s_of_their_being_ready(cluster: Cluster, figures):
    cluster.deploy(cluster.overlay("one"))
    with KeepAliveLoad(cluster.url, CLIENTS, PER_SECOND) as load:
        time.sleep(WINDOW_S)
        assert len({request.pod for request in load.requests}) == 1
        cluster.apply(cluster.overlay("four", replicas={"web": (PODS, PODS)}))
        wait_for(f"{PODS} Ready gateways", lambda: len(cluster.ready("web")) == PODS, 120)
        time.sleep(WITHIN_S)
        seen = time.monotonic()
        time.sleep(WINDOW_S)
    assert not failures(load.requests), summary(load.requests)
    clients = Counter(pod for pod, _ in {(request.pod, request.client) for request in load.since(seen)})
    figures["clients_by_gateway"] = dict(clients)
    figures["load"] = summary(load.requests)
    assert clients.keys() == cluster.answerers("web")
    # Where each connection goes is drawn: less than a quarter of the fair share comes once in ten thousand runs
    assert min(clients.values()) >= FAIR_SHARE / 4, clients
