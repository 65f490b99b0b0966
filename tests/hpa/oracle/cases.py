"""Random cases for the comparison with Kubernetes' own controller: near the edges more often than not."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Object = dict[str, object]


class Generator:
    """Cases of one seed. A case is {"items": Kubernetes objects, "state": what `--state` takes}."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def case(self) -> Object:
        """Return the next case."""
        r = self._random
        replicas = r.choice([0, 1, 1, 2, 3, 3, 4, 5, 8, 10, 12, 40])
        pods = [
            self._pod(index)
            for index in range(r.choice([replicas, replicas, replicas, max(0, replicas - 1), replicas + 1]))
        ]
        hpas = [self._hpa("web", replicas)]
        if r.random() < 0.05:
            hpas.append(self._hpa("rival", replicas, target=r.choice(["web", "gone"])))
        items = [*hpas, *self._targets(replicas), *pods, *self._usages(pods), *self._values(pods)]
        return {"items": items, "state": self._state()}

    def _maybe(self, chance: float, value: Callable[[], object]) -> object:
        return value() if self._random.random() < chance else None

    def _moment(self, seconds: float) -> str:
        return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _targets(self, replicas: int) -> list[Object]:
        r = self._random
        labels: Object = {"matchLabels": {"app": "web"}}
        if r.random() < 0.2:
            labels = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "shop"]}]}
        if r.random() < 0.1:
            labels = {
                "matchLabels": {"app": "web"},
                "matchExpressions": [
                    {"key": "tier", "operator": "NotIn", "values": ["db"]},
                    {"key": "old", "operator": "DoesNotExist"},
                ],
            }
        deployment: Object = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"selector": labels, "replicas": replicas},
            "status": {"replicas": r.choice([replicas, replicas, max(0, replicas - 1), replicas + 2, 0])},
        }
        if r.random() < 0.1:
            del deployment["status"]
        if r.random() < 0.05:
            deployment["spec"] = {"selector": labels}
        if r.random() < 0.01:
            deployment["spec"] = {"replicas": replicas, "selector": {}}
        if r.random() < 0.01:
            return []
        if r.random() < 0.1:
            selector = r.choice(["app=web", "app in (web)", "app==web,tier!=db", "app,!old", ""])
            scale: Object = {
                "apiVersion": "autoscaling/v1",
                "kind": "Scale",
                "metadata": {"name": "web"},
                "spec": {"replicas": replicas + 1},
                "status": {"replicas": replicas, "selector": selector},
            }
            return [scale, deployment]
        return [deployment]

    def _requests(self) -> Object:
        r = self._random
        requests: Object = {
            "cpu": r.choice(["100m", "0.1", 1, "1", "250m", "1e-1", "1500u", "0"]),
            "memory": r.choice(["64Mi", "100M", "1Gi", "1.5Gi", 134217728, "1e8"]),
        }
        if r.random() < 0.03:
            del requests[r.choice(["cpu", "memory"])]
        return requests

    def _pod(self, index: int) -> Object:
        r = self._random
        name = f"web-{index}"
        age = r.choice([5, 20, 40, 100, 299, 300, 301, 400, 4000])
        since = r.choice([0, 1, 10, 29, 30, 31, 60, age, age - 30, age - 29, age - 31])
        condition: Object = {
            "type": "Ready",
            "status": r.choice(["True", "True", "True", "True", "False", "Unknown"]),
            "lastTransitionTime": self._moment(-max(0, since)),
        }
        if r.random() < 0.05:
            del condition["lastTransitionTime"]
        status: Object = {
            "phase": r.choice(["Running"] * 12 + ["Pending", "Failed", "Succeeded", "Unknown"]),
            "startTime": self._moment(-age),
            "conditions": [{"type": "PodScheduled", "status": "True"}, condition],
        }
        if r.random() < 0.03:
            del status["conditions"]
        if r.random() < 0.03:
            del status["startTime"]
        metadata: Object = {
            "name": name,
            "labels": {"app": r.choice(["web"] * 20 + ["shop", "other"]), "tier": "front"},
        }
        if r.random() < 0.05:
            metadata["deletionTimestamp"] = self._moment(30)
        containers: list[Object] = [{"name": "app", "resources": {"requests": self._requests()}}]
        if r.random() < 0.3:
            containers.append({"name": "proxy", "resources": {"requests": self._requests()}})
        spec: Object = {"containers": containers}
        if r.random() < 0.2:
            inits: list[Object] = [
                {"name": "init", "resources": {"requests": self._requests()}},
                {"name": "side", "restartPolicy": "Always", "resources": {"requests": self._requests()}},
            ]
            spec["initContainers"] = r.sample(inits, r.choice([1, 2]))
        if r.random() < 0.08:
            spec["resources"] = {
                "requests": r.choice(
                    [
                        {"cpu": "300m"},
                        {"memory": "256Mi"},
                        {"cpu": "200m", "memory": "1Gi"},
                        {"hugepages-2Mi": "2Mi"},
                        {"other": 1},
                    ]
                )
            }
        if r.random() < 0.05:
            spec["overhead"] = {"cpu": "10m"}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}

    def _usage(self, level: float) -> Object:
        r = self._random
        milli = max(0, round(level * 100 + r.choice([0, 0, 0, 1, -1, 7])))
        usage: Object = {
            "cpu": r.choice([f"{milli}m", f"{milli * 1000}u", f"{milli * 1000000 - 1}n", milli / 1000]),
            "memory": r.choice([f"{max(1, milli)}Mi", f"{milli * 1000000}", f"{milli}M", f"{milli * 1000001}"]),
        }
        if r.random() < 0.02:
            del usage[r.choice(["cpu", "memory"])]
        return usage

    def _usages(self, pods: list[Object]) -> list[Object]:
        r = self._random
        if r.random() < 0.05:
            return []
        level = r.choice([0, 0.3, 0.5, 0.54, 0.55, 0.6, 0.66, 0.67, 0.9, 1.0, 1.5, 3.0, 30.0])
        found: list[Object] = []
        for pod in pods:
            if r.random() < 0.08:
                continue
            spec, metadata = pod["spec"], pod["metadata"]
            assert isinstance(spec, dict)
            assert isinstance(metadata, dict)
            names = [
                c["name"]
                for c in [*spec["containers"], *(c for c in spec.get("initContainers", []) if "restartPolicy" in c)]
            ]
            own: Object = {"name": metadata["name"]}
            if r.random() < 0.7:
                own["labels"] = metadata["labels"]
            item: Object = {
                "apiVersion": "metrics.k8s.io/v1beta1",
                "kind": "PodMetrics",
                "metadata": own,
                "timestamp": self._moment(r.choice([-1, -5, -15, -30, -60])),
                "window": r.choice(["15s", "30s", "1m0s", "14.5s"]),
                "containers": [{"name": name, "usage": self._usage(level)} for name in names],
            }
            if r.random() < 0.02:
                item["containers"] = []
            found.append(item)
        if r.random() < 0.1:
            found.append(
                {
                    "apiVersion": "metrics.k8s.io/v1beta1",
                    "kind": "PodMetrics",
                    "metadata": {"name": "web-gone", "labels": {"app": "web"}},
                    "timestamp": self._moment(-20),
                    "window": "30s",
                    "containers": [{"name": "app", "usage": self._usage(level)}],
                }
            )
        return found

    def _value(self) -> object:
        r = self._random
        return r.choice(
            [
                "0",
                "1",
                "5",
                "9",
                "9.5",
                "10",
                "11",
                "11.1",
                "12",
                "25",
                "100",
                "1k",
                "1000500m",
                "0.0005",
                "3e2",
                7,
                7.25,
                f"{r.randrange(40000)}m",
                "9223372036854775807m",
                "4611686018427387904m",
                "2Ki",
                "-5",
                "-1500m",
            ]
        )

    def _values(self, pods: list[Object]) -> list[Object]:
        r = self._random
        found: list[Object] = []
        for pod in pods:
            metadata = pod["metadata"]
            assert isinstance(metadata, dict)
            if r.random() < 0.9:
                figure = r.choice(
                    [f"{r.choice([9000, 10000, 11000, 12000, 5000, 30000])}m", f"{r.randrange(20000)}m", "10"]
                )
                found.append(
                    {
                        "apiVersion": "custom.metrics.k8s.io/v1beta2",
                        "kind": "MetricValue",
                        "describedObject": {"kind": "Pod", "name": metadata["name"], "namespace": "default"},
                        "metric": {"name": "rps"},
                        "timestamp": self._moment(-5),
                        "value": figure,
                    }
                )
        found += [
            {
                "apiVersion": "custom.metrics.k8s.io/v1beta2",
                "kind": "MetricValue",
                "describedObject": {"kind": "Ingress", "name": name, "namespace": "default"},
                "metric": {"name": "qps"},
                "timestamp": self._moment(-5),
                "value": self._value(),
            }
            for name in r.sample(["main", "main", "other"], r.choice([0, 1, 1, 2]))
        ]
        for _ in range(r.choice([0, 1, 1, 2, 3])):
            value: Object = {
                "apiVersion": "external.metrics.k8s.io/v1beta1",
                "kind": "ExternalMetricValue",
                "metricName": "queue",
                "timestamp": self._moment(-5),
                "value": self._value(),
            }
            if r.random() < 0.6:
                value["metricLabels"] = {"name": r.choice(["a", "a", "b"])}
            found.append(value)
        return found

    def _metric(self) -> Object:
        r = self._random
        match r.choice(["Resource", "Resource", "ContainerResource", "Pods", "Object", "External"]):
            case "Resource":
                return {
                    "type": "Resource",
                    "resource": {"name": r.choice(["cpu", "cpu", "cpu", "memory"]), "target": self._resource_target()},
                }
            case "ContainerResource":
                return {
                    "type": "ContainerResource",
                    "containerResource": {
                        "name": r.choice(["cpu", "memory"]),
                        "container": r.choice(["app", "app", "proxy", "side"]),
                        "target": self._resource_target(),
                    },
                }
            case "Pods":
                return {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": r.choice(["rps"] * 8 + ["absent"])},
                        "target": {"type": "AverageValue", "averageValue": r.choice(["10", 10, "10000m", "1e1", "7"])},
                    },
                }
            case "Object":
                target = r.choice(
                    [
                        {"type": "Value", "value": "10"},
                        {"type": "AverageValue", "averageValue": "10"},
                        {"type": "Value", "value": "3333m"},
                        {"type": "AverageValue", "averageValue": "2.5"},
                        {"type": "Value", "averageValue": "5"},
                    ]
                )
                return {
                    "type": "Object",
                    "object": {
                        "metric": self._identifier("qps"),
                        "describedObject": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "main"},
                        "target": target,
                    },
                }
        target = r.choice(
            [
                {"type": "Value", "value": "10"},
                {"type": "AverageValue", "averageValue": "10"},
                {"type": "AverageValue", "averageValue": "333m"},
                {"type": "Value", "value": "5", "averageValue": "5"},
                {"type": "Value"},
            ]
        )
        return {"type": "External", "external": {"metric": self._identifier("queue"), "target": target}}

    def _identifier(self, name: str) -> Object:
        r = self._random
        selector = r.choice(
            [
                None,
                None,
                {"matchLabels": {"name": "a"}},
                {"matchLabels": {"name": "a", "app": "x"}},
                {"matchExpressions": [{"key": "name", "operator": "In", "values": ["a", "b"]}]},
                {"matchExpressions": [{"key": "name", "operator": "NotIn", "values": ["b"]}]},
            ]
        )
        identifier: Object = {"name": name if r.random() < 0.95 else "absent"}
        if selector and (name == "queue" or r.random() < 0.3):
            identifier["selector"] = selector
        return identifier

    def _resource_target(self) -> Object:
        r = self._random
        return r.choice(
            [
                {"type": "Utilization", "averageUtilization": r.choice([50, 60, 60, 80, 100, 150, 1])},
                {"type": "Utilization", "averageUtilization": 60},
                {"type": "AverageValue", "averageValue": r.choice(["60m", "100Mi", "0.06", "1", "100M"])},
            ]
        )

    def _behavior(self) -> object:
        r = self._random
        if r.random() < 0.1:
            return {}
        return {direction: self._rules() for direction in r.sample(["scaleUp", "scaleDown"], r.choice([1, 2, 2]))}

    def _rules(self) -> object:
        r = self._random
        rules: Object = {}
        if r.random() < 0.6:
            rules["stabilizationWindowSeconds"] = r.choice([0, 30, 60, 300, 600])
        if r.random() < 0.5:
            rules["selectPolicy"] = r.choice(["Max", "Min", "Disabled"])
        if r.random() < 0.7:
            rules["policies"] = [
                {
                    "type": r.choice(["Pods", "Percent"]),
                    "value": r.choice([1, 2, 4, 5, 10, 33, 50, 90, 100, 900, 2147483647]),
                    "periodSeconds": r.choice([15, 30, 60, 600]),
                }
                for _ in range(r.choice([1, 1, 2, 3]))
            ]
        if r.random() < 0.3:
            rules["tolerance"] = r.choice(["0", "0.05", "0.07", "0.2", 0.01, "1", "50m"])
        return rules or None

    def _hpa(self, name: str, replicas: int, target: str = "web") -> Object:
        r = self._random
        spec: Object = {
            "maxReplicas": r.choice([10, 20, 100, max(1, replicas), max(1, replicas - 1), 2147483647]),
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        }
        for key, chance, value in (
            ("minReplicas", 0.6, lambda: r.choice([0, 1, 1, 2, 3, replicas, replicas + 1])),
            ("metrics", 0.95, lambda: [self._metric() for _ in range(r.choice([1, 1, 1, 2, 3]))]),
            ("behavior", 0.5, self._behavior),
        ):
            made = self._maybe(chance, value)
            if made is not None:
                spec[key] = made
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }

    def _state(self) -> Object:
        r = self._random
        ages = [0, 5, 14.5, 15, 15.5, 29, 30, 59.999, 60, 61, 299, 300, 300.5, 301, 599, 600, 601, 3600]
        state: Object = {
            "now": r.choice(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T01:00:00+01:00"])
        }
        if r.random() < 0.3:
            options: Object = {
                "tolerance": r.choice([0, 0.1, 0.2]),
                "downscaleStabilizationSeconds": r.choice([0, 60, 300]),
                "cpuInitializationPeriodSeconds": r.choice([0, 60, 300]),
                "initialReadinessDelaySeconds": r.choice([0, 10, 30]),
                "configurableTolerance": r.choice([True, False]),
            }
            state["controller"] = {key: options[key] for key in r.sample(sorted(options), r.choice([1, 2, 5]))}
        if r.random() < 0.8:
            state["recommendations"] = [
                {"replicas": r.choice([1, 2, 3, 5, 8, 12, 30]), "ageSeconds": r.choice(ages)}
                for _ in range(r.choice([0, 1, 2, 4]))
            ]
        for key in ("scaleUpEvents", "scaleDownEvents"):
            if r.random() < 0.5:
                state[key] = [
                    {"change": r.choice([1, 2, 4, 10]), "ageSeconds": r.choice(ages)}
                    for _ in range(r.choice([0, 1, 2, 3]))
                ]
        return state
