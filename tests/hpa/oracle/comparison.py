"""Our answer beside the controller's."""

from __future__ import annotations

import json
import re

from tidegate_hpa import documents, snapshot, state
from tidegate_hpa.answer import answer
from tidegate_hpa.explain import explain
from tidegate_hpa.machine import MAX_INT32

_KEYS = ("name", "namespace", "currentReplicas", "desiredReplicas", "scaled", "error", "conditions", "state")
_METRIC_KEYS = ("type", "proposal", "current", "ready", "unready", "missing", "ignored", "error")

Answer = dict[str, object]


def ours(case: dict[str, object]) -> list[Answer]:
    """Return what `explain --output json` prints of a case."""
    taken = snapshot.take(documents.parse(json.dumps({"kind": "List", "items": case["items"]}), "case"))
    started = state.read(documents.parse(json.dumps(case["state"]), "state")[0])
    printed: list[Answer] = json.loads(json.dumps([answer(result) for result in explain(taken, started)]))
    return printed


def differences(mine: list[Answer], theirs: list[Answer]) -> list[str]:
    """Return what differs, but for what the controller leaves to chance and what the contract says otherwise."""
    found: list[str] = []
    for own, other in zip(_settled(mine), _settled(theirs), strict=True):
        if _saturated(own):
            continue
        found += [f"{key}: {own[key]!r}, expected {other.get(key)!r}" for key in _KEYS if own[key] != other.get(key)]
        own_metrics, metrics = own["metrics"], other["metrics"]
        assert isinstance(own_metrics, list)
        assert isinstance(metrics, list)
        if len(own_metrics) != len(metrics):
            found.append(f"metrics: {own_metrics!r}, expected {metrics!r}")
            continue
        found += [
            f"metrics[{index}].{key}: {metric[key]!r}, expected {expected[key]!r}"
            for index, (metric, expected) in enumerate(zip(own_metrics, metrics, strict=True))
            for key in _METRIC_KEYS
            if metric[key] != expected[key]
        ]
    return found


def _settled(answers: list[Answer]) -> list[Answer]:
    """Take out the order of Go's maps: which pod without a request is named, and in which order HPAs are."""
    text = json.dumps(answers)
    text = re.sub(
        r"missing (pod-level )?request for \S+ in (container \S+ of )?Pod [\w-]+|container \S+ not found in Pod [\w-]+",
        "a pod without a request",
        text,
    )
    text = re.sub(r"multiple HPAs: \[([^\]]*)\]", lambda match: " ".join(sorted(match[1].split())), text)
    settled: list[Answer] = json.loads(text)
    return settled


def _saturated(own: Answer) -> bool:
    """Where a float exceeds int32 the controller takes what the processor gives it; the contract saturates."""
    metrics = own["metrics"]
    assert isinstance(metrics, list)
    return any(metric["proposal"] == MAX_INT32 for metric in metrics)
