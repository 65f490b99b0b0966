"""What NetworkPolicy objects allow, computed: a flow must be allowed out of its source and into its destination.

After https://kubernetes.io/docs/concepts/services-networking/network-policies. A pod that no policy selects for a
direction may do anything in that direction.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.manifests.rendering import Manifest

Selector = Mapping[str, Any]
LAST_PORT = 65535
NAME_LABEL = "kubernetes.io/metadata.name"
"""The API server gives it to every namespace."""


@dataclass(frozen=True)
class End:
    """One end of a flow.

    Attributes:
        namespace: Where the pod is; empty for what is no pod.
        labels: The pod's.
        address: For blocks of addresses.
        ports: The pod's named ports.
    """

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "203.0.113.9"
    ports: Mapping[str, int] = field(default_factory=dict)


def allowed(policies: Sequence[Manifest], source: End, to: End, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection may be made."""
    return _passes(policies, source, "egress", to, to, port, protocol) and _passes(
        policies, to, "ingress", source, to, port, protocol
    )


def _passes(policies: Sequence[Manifest], pod: End, way: str, other: End, to: End, port: int, protocol: str) -> bool:
    own = [policy for policy in policies if _selects(policy, pod, way)]
    return not own or any(
        _peer_fits(rule.get("from" if way == "ingress" else "to"), other, pod.namespace)
        and _port_fits(rule.get("ports"), to, port, protocol)
        for policy in own
        for rule in policy["spec"].get(way) or ()
    )


def _selects(policy: Manifest, pod: End, way: str) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return (
        pod.namespace == policy["metadata"]["namespace"]
        and way.capitalize() in types
        and fits(spec["podSelector"], pod.labels)
    )


def _peer_fits(peers: Sequence[Manifest] | None, other: End, namespace: str) -> bool:
    """No list, or an empty one, means everybody; a selector of pods alone means the policy's own namespace."""
    if not peers:
        return True
    for peer in peers:
        if "ipBlock" in peer:
            block, address = peer["ipBlock"], ipaddress.ip_address(other.address)
            if address in ipaddress.ip_network(block["cidr"]) and not any(
                address in ipaddress.ip_network(hole) for hole in block.get("except", ())
            ):
                return True
        elif other.namespace:
            near = (
                fits(peer["namespaceSelector"], {NAME_LABEL: other.namespace})
                if "namespaceSelector" in peer
                else other.namespace == namespace
            )
            if near and fits(peer.get("podSelector", {}), other.labels):
                return True
    return False


def _port_fits(ports: Sequence[Manifest] | None, to: End, port: int, protocol: str) -> bool:
    return not ports or any(entry.get("protocol", "TCP") == protocol and port in _range(entry, to) for entry in ports)


def _range(entry: Manifest, to: End) -> range:
    """The ports that an entry means; none for a name that the destination does not have."""
    named = entry.get("port")
    if named is None:
        return range(LAST_PORT + 1)
    first = to.ports.get(named, -1) if isinstance(named, str) else int(named)
    return range(first, int(entry.get("endPort", first)) + 1)


def fits(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        _expression_fits(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _expression_fits(expression: Manifest, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", ())
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise AssertionError(f"no operator of label selectors: {expression['operator']}")
