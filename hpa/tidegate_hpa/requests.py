"""What pods request, which utilisation is a percentage of.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/replica_calculator.go, and k8s.io/component-helpers
v0.35.0, resource/helpers.go (PodRequests).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import MetricError
from .machine import total
from .quantity import milli_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .pods import Container, Pod


def calculate_requests(pods: Iterable[Pod], container: str, resource: str) -> dict[str, int]:
    """Return each pod's request in milli-units by its name (calculateRequests).

    Args:
        pods: all pods that the target's selector finds, those that are left out later too.
        container: the container that a ContainerResource metric names, else "".
        resource: "cpu", "memory" …

    Raises:
        MetricError: a pod or container has no request for it.
    """
    return {
        pod.name: (
            calculate_pod_level_requests(pod, resource)
            if not container and any(map(is_supported_pod_level_resource, pod.pod_requests))
            else calculate_pod_requests_from_containers(pod, container, resource)
        )
        for pod in pods
    }


def is_supported_pod_level_resource(resource: str) -> bool:
    """Tell whether a Pod as a whole can request this resource (IsSupportedPodLevelResource)."""
    return resource in {"cpu", "memory"} or resource.startswith("hugepages-")


def calculate_pod_level_requests(pod: Pod, resource: str) -> int:
    """Return what a Pod with requests of its own asks for (calculatePodLevelRequests).

    Raises:
        MetricError: neither the Pod nor a container requests the resource.
    """
    request = pod_requests(pod, resource)
    if request is None:
        raise MetricError(f"missing pod-level request for {resource} in Pod {pod.name}")
    return milli_of(request)


def pod_requests(pod: Pod, resource: str) -> int | None:
    """Return a Pod's request with its overhead in billionths; None if nothing requests the resource (PodRequests)."""
    if resource in pod.pod_requests and is_supported_pod_level_resource(resource):
        request: int | None = pod.pod_requests[resource]
    else:
        request = aggregate_container_requests(pod, resource)
    if resource not in pod.overhead:
        return request
    return (request or 0) + pod.overhead[resource]


def aggregate_container_requests(pod: Pod, resource: str) -> int | None:
    """Return the larger of what runs at the same time, and of each step of the start (AggregateContainerRequests)."""
    running = [request for request in (c.requests.get(resource) for c in pod.containers) if request is not None]
    sidecars: list[int] = []
    steps: list[int] = []
    for container in pod.init_containers:
        request = container.requests.get(resource)
        if container.restartable:
            if request is not None:
                sidecars.append(request)
                running.append(request)
            if sidecars:
                steps.append(sum(sidecars))
        elif request is not None or sidecars:
            steps.append(sum([*sidecars, request or 0]))
    candidates = [*([sum(running)] if running else []), *steps]
    return max(candidates, default=None)


def calculate_pod_requests_from_containers(pod: Pod, container: str, resource: str) -> int:
    """Return the sum over containers and sidecars, or one container's request (calculatePodRequestsFromContainers).

    Raises:
        MetricError: a container has no request, or there is none of that name.
    """
    sidecars = (candidate for candidate in pod.init_containers if candidate.restartable)
    requests: list[int] = []
    for candidate in (*pod.containers, *sidecars):
        if container in {"", candidate.name}:
            requests.append(_request_of(candidate, pod, resource))
        if candidate.name == container:
            return total(requests)
    if container:
        raise MetricError(f"container {container} not found in Pod {pod.name}")
    return total(requests)


def _request_of(container: Container, pod: Pod, resource: str) -> int:
    request = container.requests.get(resource)
    if request is None:
        raise MetricError(f"missing request for {resource} in container {container.name} of Pod {pod.name}")
    return milli_of(request)
