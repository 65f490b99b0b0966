"""What the network policies let through, and that nothing else goes through."""

import re
import textwrap
from typing import Any

import pytest

from tests.manifests.kustomizations import over_base
from tests.manifests.network_policies import End, allowed
from tests.manifests.rendering import ROOT, Manifest

COMPONENT = "k8s/components/network-policy"


def policies(patches: str = "[]") -> list[Manifest]:
    rendered = over_base(COMPONENT, patches=patches)
    return [manifest for (kind, _), manifest in rendered.items() if kind == "NetworkPolicy"]


def documented_patches(page: str) -> list[str]:
    """The lists of patches of a how-to's examples, each as YAML."""
    blocks = re.findall(
        r"^```yaml\n(?:patches:\n)?(  - target.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )
    return [textwrap.dedent(block) for block in blocks]


def pod_of(tier: str, namespace: str = "trial") -> End:
    template = over_base(COMPONENT)["Deployment", f"tidegate-{tier}"]["spec"]["template"]
    return End(namespace, template["metadata"]["labels"])


WEB, SERVING = pod_of("web"), pod_of("serving")
ENDS = {
    "client outside": End(address="203.0.113.9"),
    "ingress controller": End("ingress-nginx", {"app": "nginx"}, "10.1.0.7"),
    "gateway": WEB,
    "model server": SERVING,
    "gateway elsewhere": pod_of("web", "other"),
    "model server elsewhere": pod_of("serving", "other"),
    "pod beside": End("trial", {"app": "notebook"}),
    "pod elsewhere": End("other", {"app": "notebook"}),
    "prometheus": End("monitoring", {"app.kubernetes.io/name": "prometheus"}),
    "keda": End("keda", {"app": "keda-operator"}),
    "api server": End(address="192.0.2.1"),
    "dns": End("kube-system", {"k8s-app": "kube-dns"}),
    "metrics-server": End("kube-system", {"k8s-app": "metrics-server"}),
    "cloud metadata": End(address="169.254.169.254"),
}

ALLOWED = [
    ("client outside", "gateway", 8080),
    ("ingress controller", "gateway", 8080),
    ("pod beside", "gateway", 8080),
    ("gateway", "model server", 8500),
    ("gateway", "gateway", 8081),
    ("prometheus", "gateway", 8081),
    ("keda", "gateway", 8081),
    ("prometheus", "model server", 8501),
    ("gateway", "api server", 443),
    ("gateway", "api server", 6443),
    ("gateway", "api server", 8443),
    ("gateway", "dns", 53),
]
DENIED = [
    ("client outside", "gateway", 8081),
    ("pod beside", "gateway", 8081),
    ("pod elsewhere", "gateway", 8081),
    ("gateway elsewhere", "gateway", 8081),
    ("model server", "gateway", 8081),
    ("client outside", "model server", 8500),
    ("pod beside", "model server", 8500),
    ("pod elsewhere", "model server", 8500),
    ("gateway elsewhere", "model server", 8500),
    ("model server", "model server", 8500),
    ("prometheus", "model server", 8500),
    ("keda", "model server", 8501),
    ("gateway", "model server", 8501),
    ("pod beside", "model server", 8501),
    ("gateway", "model server elsewhere", 8500),
    ("gateway", "cloud metadata", 80),
    ("gateway", "client outside", 80),
    ("gateway", "metrics-server", 53),
    ("model server", "api server", 443),
    ("model server", "dns", 53),
    ("model server", "cloud metadata", 80),
    ("model server", "client outside", 443),
]


@pytest.mark.parametrize(("source", "to", "port"), ALLOWED)
def test_what_tidegate_needs_goes_through(source, to, port):
    assert allowed(policies(), ENDS[source], ENDS[to], port)


@pytest.mark.parametrize(("source", "to", "port"), DENIED)
def test_all_else_does_not(source, to, port):
    assert not allowed(policies(), ENDS[source], ENDS[to], port)


def test_names_are_asked_for_over_udp_too():
    assert allowed(policies(), WEB, ENDS["dns"], 53, "UDP")
    assert not allowed(policies(), WEB, SERVING, 8500, "UDP")


def test_without_the_component_everything_goes_through():
    assert all(allowed([], ENDS[source], ENDS[to], port) for source, to, port in DENIED)


def test_the_how_tos_patches_open_and_close_what_it_says():
    bucket, controller, server = documented_patches("docs/how-to/restrict-the-network.md")
    outside, api_server = ENDS["client outside"], ENDS["api server"]
    assert allowed(policies(bucket), SERVING, outside, 443)
    assert allowed(policies(bucket), SERVING, ENDS["dns"], 53, "UDP")
    assert not allowed(policies(bucket), SERVING, outside, 80)
    assert allowed(policies(controller), ENDS["ingress controller"], WEB, 8080)
    assert not allowed(policies(controller), outside, WEB, 8080)
    assert allowed(policies(server), WEB, api_server, 6443)
    assert not allowed(policies(server), WEB, outside, 443)


def policy(**spec: Any) -> list[Manifest]:
    return [{"metadata": {"namespace": "trial"}, "spec": {"podSelector": {}} | spec}]


ANY, SOME = End("trial", {"app": "a"}, ports={"http": 80}), End("other", {"app": "b"}, "10.0.0.5")


@pytest.mark.parametrize(
    ("rules", "port", "goes"),
    [
        pytest.param({}, 80, False, id="no rule denies"),
        pytest.param({"ingress": [{}]}, 80, True, id="an empty rule allows"),
        pytest.param({"policyTypes": ["Egress"]}, 80, True, id="only the named direction is held"),
        pytest.param({"podSelector": {"matchLabels": {"app": "z"}}}, 80, True, id="other pods are not held"),
        pytest.param({"ingress": [{"from": [{"podSelector": {}}]}]}, 80, False, id="pods of the same namespace"),
        pytest.param({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, 80, True, id="of every namespace"),
        pytest.param(
            {"ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "c"}}}]}]},
            80, False, id="both selectors must fit",
        ),
        pytest.param(
            {"ingress": [{"from": [{"namespaceSelector": {}}, {"podSelector": {"matchLabels": {"app": "c"}}}]}]},
            80, True, id="one of two peers must fit",
        ),
        pytest.param({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}]}, 80, True, id="a block"),
        pytest.param(
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.4/30"]}}]}]},
            80, False, id="a hole in a block",
        ),
        pytest.param({"ingress": [{"ports": [{"port": "http"}]}]}, 80, True, id="a named port"),
        pytest.param({"ingress": [{"ports": [{"port": "grpc"}]}]}, 80, False, id="a name that the pod does not have"),
        pytest.param({"ingress": [{"ports": [{"port": 79, "endPort": 81}]}]}, 80, True, id="a range of ports"),
        pytest.param({"ingress": [{"ports": [{"protocol": "UDP", "port": 80}]}]}, 80, False, id="another protocol"),
        pytest.param(
            {"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}},
            80, True, id="an expression that does not fit the pod",
        ),
        pytest.param(
            {"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["z"]}]}},
            80, False, id="one that does",
        ),
    ],
)  # fmt: skip
def test_policies_mean_what_kubernetes_says(rules, port, goes):
    assert allowed(policy(**rules), SOME, ANY, port) == goes
