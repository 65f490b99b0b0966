"""A plan says where it ran: the nodes, what ran on them, and whether the generator shared a machine with it."""

import socket

from tests.proof.live_api import ScriptedApi, listed, sample
from tidegate_proof.live import facts
from tidegate_proof.live.deployment import Tidegate
from tidegate_proof.live.kubectl import Kubectl
from tidegate_proof.live.objects import AUTOSCALER, POD


def node(name: str, machine: str = "") -> dict[str, object]:
    status = {"allocatable": {"cpu": "2", "memory": "8Gi"}, "nodeInfo": {"machineID": machine}}
    return {"metadata": {"name": name}, "status": status}


def test_a_generator_on_a_node_is_told_by_the_machines_id_or_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "MACHINE_ID", tmp_path / "machine-id")
    assert facts.here([node("a"), node("b")]) is None
    assert facts.here([node("a"), node(socket.gethostname())]) == socket.gethostname()
    (tmp_path / "machine-id").write_text("abc\n")
    assert facts.here([node("a", "xyz"), node("b", "abc")]) == "b"


async def test_a_plan_names_nodes_images_and_autoscalers_as_they_are():
    api = ScriptedApi(
        {
            "/api/v1/nodes": [listed(node("a"), version=1)],
            "/version": [{"gitVersion": "v1.35.0"}],
            POD.path("ns"): [listed(sample("pod"), version=1)],
            AUTOSCALER.path("ns"): [listed(sample("hpa"), version=1)],
        }
    )
    tidegate = Tidegate(Kubectl("kubectl"), api, "ns")
    cluster = await facts.cluster_of(api, tidegate)
    assert (cluster.kubernetes, cluster.namespace) == ("v1.35.0", "ns")
    assert (cluster.nodes[0].name, cluster.nodes[0].cpu) == ("a", "2")
    assert cluster.images["web"].startswith("docker.io/tidegate/web:")
    assert cluster.images["serving"] == "unknown"
    found = await facts.autoscalers_of(tidegate)
    assert [spec["scaleTargetRef"]["name"] for spec in found.values()] == [f"tidegate-{tier}" for tier in found]
    assert found
