"""Every manifest of every kustomization fits the schema of its kind, also where no base or overlay names it."""

import copy
import json
from typing import Any

import pytest

from tests.manifests.kustomizations import applied, components, everything, over_base
from tests.manifests.schemas import Unfit, check

TRIED: set[str] = set()
"""Manifests that passed; overlays share most of theirs."""


@pytest.mark.parametrize("folder", [*applied(), *components()])
def test_every_manifest_fits_its_schema(folder):
    for manifest in everything()[folder].values():
        text = json.dumps(manifest, sort_keys=True)
        if text not in TRIED:
            check(manifest)
            TRIED.add(text)


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("Deployment", "tidegate-web", "spec.template.spec.containers.0.livenessprobe"),
        ("Service", "tidegate-web", "spec.selectors"),
        ("NetworkPolicy", "tidegate-web", "spec.ingress.0.form"),
        ("PodMonitor", "tidegate-web", "spec.podMetricsEndpoints.0.scrapeInterval"),
        ("PrometheusRule", "tidegate", "spec.groups.0.rules.0.after"),
    ],
)
def test_a_field_of_a_wrong_name_does_not_fit(kind, name, path):
    rendered = over_base("k8s/components/observability", "k8s/components/network-policy")
    manifest = copy.deepcopy(rendered[kind, name])
    check(manifest)
    *parents, field = path.split(".")
    holder: Any = manifest
    for parent in parents:
        holder = holder[int(parent)] if parent.isdigit() else holder[parent]
    holder[field] = {}
    with pytest.raises(Unfit, match=field):
        check(manifest)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (
            {"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "old"}},
            "schema for kind Deployment",
        ),
        ({"apiVersion": "monitoring.coreos.com/v1", "kind": "PotMonitor", "metadata": {}}, "no such kind"),
        ({"apiVersion": "monitoring.coreos.com/v9", "kind": "PodMonitor", "metadata": {}}, "does not serve"),
        ({"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {}}, "schema for kind Gadget"),
        ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{}]}}, "port"),
        ({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"triggers": []}}, "scaleTargetRef"),
    ],
)
def test_what_no_api_server_would_take_does_not_fit(manifest, reason):
    with pytest.raises(Unfit, match=reason):
        check(manifest)
