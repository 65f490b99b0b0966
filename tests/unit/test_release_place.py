"""What is deployed in one place is not changed by a command that points to another."""

import shutil
from pathlib import Path

import pytest

from release.checkout import Checkout
from release.comparison import DiffersError, NotComparedError, compare
from release.session import Session
from release.state import Model, Place, StateError
from tests.doubles.kubectl import Kubectl
from tests.manifests.rendering import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for part in ("k8s/base", "services/web", "services/serving"):
        ignored = shutil.ignore_patterns("tidegate_*", "*.json")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    return Checkout(tmp_path)


def session(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, context: str, namespace: str = "") -> Session:
    kubectl = Kubectl(checkout.root / "bin", context, namespace)
    monkeypatch.setenv("PATH", kubectl.path)
    return Session(checkout, {}, print)


def test_the_first_deployment_records_where_it_is(checkout, monkeypatch):
    state = session(checkout, monkeypatch, "kind-tidegate").deployed()
    assert state.place == Place("kind-tidegate", "default")
    checkout.write(state, {})
    assert checkout.deployed() == state
    assert session(checkout, monkeypatch, "kind-tidegate").deployed() == state


@pytest.mark.parametrize(("context", "namespace"), [("arn:aws:eks:eu-1:123:cluster/prod", "a"), ("kind-tidegate", "b")])
def test_another_cluster_or_namespace_is_refused_with_both_and_ways_on(checkout, monkeypatch, context, namespace):
    checkout.write(session(checkout, monkeypatch, "kind-tidegate", "a").deployed(), {})
    elsewhere = session(checkout, monkeypatch, context, namespace)
    with pytest.raises(StateError) as refused:
        elsewhere.deployed()
    said = str(refused.value)
    assert "deployed in namespace a of kind-tidegate" in said
    assert f"points to namespace {namespace} of {context}" in said
    assert all(way in said for way in ("kubectl config use-context kind-tidegate", "OWN=", "make deploy FORCE=1"))
    assert elsewhere.deployed(elsewhere=True).place == Place(context, namespace)


@pytest.mark.parametrize("lines", ["context: prod\n", "namespace: a\n"])
def test_half_a_place_is_refused(checkout, lines):
    checkout.write(checkout.examples(), {})
    state = checkout.own / "release.yaml"
    state.write_text(state.read_text() + lines)
    with pytest.raises(StateError, match="expected both context and namespace, or neither"):
        checkout.deployed()


MODEL = Model("gate", {"stable": 1, "canary": 2}, {"stable": 100, "canary": 0}, {})


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (1, DiffersError, "does not answer as version 1 does"),
        (2, NotComparedError, "could not be compared with version 1"),
        (126, NotComparedError, "could not be compared"),
    ],
)
def test_versions_that_differ_are_told_from_versions_that_nobody_could_compare(checkout, code, error, words):
    script = checkout.root / "k8s/compare-versions.sh"
    script.write_text(f'#!/bin/sh\n[ "$NAME $VERSIONS $HOST" = "gate 1,2 http://here" ] && exit {code}\n')
    script.chmod(0o755)
    with pytest.raises(error, match=words) as refused:
        compare(checkout, MODEL, {"HOST": "http://here"})
    assert "make promote NAME=gate FORCE=1" in str(refused.value)
    script.write_text("#!/bin/sh\n")
    compare(checkout, MODEL, {"HOST": "http://here"})
