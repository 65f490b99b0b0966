"""What a run can show and what it cannot, in words, from what its record says of the machines and the load."""

from collections.abc import Iterator, Mapping

from tidegate_proof.record.cluster import part, pod_seen, text
from tidegate_proof.record.folder import Record
from tidegate_proof.record.plan import TIERS, Plan, Tier
from tidegate_proof.report.wording import digits, several

FEW_CORES = 8
"""Up to here a cluster shows how the control loop behaves rather than how much hardware carries."""

DEFAULT_DOWN_S = 300
"""Kubernetes' stabilisation window before pods are taken away."""

FORGERY = (
    "The record stops accidents and careless edits: every figure is computed again from the raw files, and every file "
    "has its hash in manifest.json. What two files tell independently, such as client and gateways, is compared. "
    "Nothing is signed: that does not stop somebody who writes a whole record anew. To rule that out, hold the plans' "
    "hashes against those that were printed, or run it yourself."
)


def cores(quantity: str) -> float:
    """Read Kubernetes' notation of CPUs.

    Raises:
        ValueError: It is none.
    """
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def limits(record: Record) -> list[str]:
    """List what a reader has to know before he takes figures of this run elsewhere."""
    plan = record.plan
    return [*_machines(plan), *_caps(record), *_load(plan), *_autoscaler(plan), FORGERY]


def _machines(plan: Plan) -> Iterator[str]:
    try:
        total = sum(cores(node.cpu) for node in plan.cluster.nodes)
    except ValueError:
        total = 0.0
    nodes = several(len(plan.cluster.nodes), "node")
    if not total:
        yield f"The cluster had {nodes}; the plan does not say with how many cores."
        return
    shared = "its control plane, gateways, model servers and all else that ran there shared them"
    yield f"The cluster had {nodes} with {digits(total)} cores in all; {shared}."
    if total <= FEW_CORES:
        yield (
            f"{digits(total)} cores prove the control loop, not a fleet's throughput: that load moves the autoscaler, "
            "that new pods get work and bring goodput back, that no request is lost on the way down, and how long each "
            "step takes. More pods carry more only while each is held below its share of the cores, by a CPU limit or "
            "by the work of a request; how many requests a second larger machines carry is another measurement."
        )
        yield (
            "A load generator on the same machine takes part of these cores. Its lag and its share of a core are "
            "checked in this report, and beyond their limits the run counts as invalid."
        )


def _caps(record: Record) -> Iterator[str]:
    """Say by which CPU limits pods were held down, as the watch saw them."""
    seen: dict[Tier, set[str]] = {}
    for event in record.cluster:
        pod = pod_seen(event)
        containers = part(event.object or {}, "spec").get("containers")
        if pod is None or pod.tier is None or not isinstance(containers, list):
            continue
        found = (part(part(of, "resources"), "limits") for of in containers if isinstance(of, dict))
        seen.setdefault(pod.tier, set()).add(" + ".join(filter(None, (text(of, "cpu") for of in found))))
    for tier in TIERS:
        caps = sorted(seen.get(tier, set()))
        if len(caps) == 1 and caps[0]:
            yield f"Each pod of tier {tier} was held to {caps[0]} CPU by a limit."
        elif caps == [""]:
            yield f"Pods of tier {tier} had no CPU limit: neighbours on the same cores slow each other down."
        elif caps:
            told = ", ".join(cap or "none" for cap in caps)
            yield f"Pods of tier {tier} had different CPU limits during the run: {told}."


def _load(plan: Plan) -> Iterator[str]:
    if plan.model == "work":
        yield (
            f"Requests went to the model “work” ({several(plan.rows, 'row')}, {plan.work_iterations} iterations each): "
            "its cost is fixed by the plan, so that model servers are the bottleneck. Another model has another knee."
        )
    else:
        yield f"Requests went to the model “{plan.model}”, {several(plan.rows, 'row')} each. Another has another knee."
    yield (
        "Arrivals do not wait for answers, and latency counts from the moment a request was intended: a queue in the "
        "generator or in the network would show as latency, and a request never sent counts as failed."
    )
    yield "One run is one observation. Repeats and their intervals stand in the report of a proof."


def _autoscaler(plan: Plan) -> Iterator[str]:
    windows = {tier: window for tier, spec in plan.autoscaler.items() if (window := _down_window(spec)) is not None}
    for tier, window in windows.items():
        if window < DEFAULT_DOWN_S:
            yield (
                f"Tier {tier} waited {digits(window)} s before it shrank, where Kubernetes' default is "
                f"{DEFAULT_DOWN_S} s: pods go sooner here, and fewer of them idle."
            )


def _down_window(spec: Mapping[str, object]) -> float | None:
    """Read `behavior.scaleDown.stabilizationWindowSeconds`; None where it is not set."""
    found: object = spec
    for key in ("behavior", "scaleDown", "stabilizationWindowSeconds"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) else None
