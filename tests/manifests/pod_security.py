"""The rules of Pod Security's profile `restricted`, as of Kubernetes 1.34, for pods of Linux.

After https://kubernetes.io/docs/concepts/security/pod-security-standards; test_pod_security.py holds this against the
pods that Kubernetes tests its own admission with.
"""

from collections.abc import Iterator
from typing import Any

from tests.manifests.rendering import Manifest

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
}  # fmt: skip
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROFILES = {"RuntimeDefault", "Localhost"}
"""Of seccomp, and of AppArmor where one is named."""

APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
TEMPLATES = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind of workload keeps its pod."""


def pod_of(manifest: Manifest) -> Manifest | None:
    """Give the pod, or its template, that a manifest makes; None where it makes none."""
    if manifest["kind"] not in TEMPLATES:
        return None
    for key in TEMPLATES[manifest["kind"]]:
        manifest = manifest[key]
    return manifest


def complaints(pod: Manifest) -> list[str]:
    """Say what the profile has against a pod; nothing where it passes."""
    spec = pod["spec"]
    found = [*_of_pod(pod.get("metadata", {}), spec)]
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            found += (f"{container['name']}: {what}" for what in _of_container(container, spec))
    return found


def _of_pod(metadata: Manifest, spec: Manifest) -> Iterator[str]:
    context = spec.get("securityContext") or {}
    yield from (shared for shared in ("hostNetwork", "hostPID", "hostIPC") if spec.get(shared))
    for volume in spec.get("volumes") or ():
        yield from (f"a volume of type {kind}" for kind in volume.keys() - {"name"} - VOLUMES)
    yield from (f"sysctl {one['name']}" for one in context.get("sysctls") or () if one["name"] not in SYSCTLS)
    for key, profile in (metadata.get("annotations") or {}).items():
        allowed = profile in {"", "runtime/default"} or profile.startswith("localhost/")
        if key.startswith(APPARMOR_ANNOTATION) and not allowed:
            yield f"AppArmor's {profile}"
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot is false"
    yield from _of_either(context)


def _of_either(context: Manifest) -> Iterator[str]:
    """What neither a pod's security context may say nor a container's."""
    if context.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"
    for profile in ("seccompProfile", "appArmorProfile"):
        if profile in context and context[profile]["type"] not in PROFILES:
            yield f"{profile} is {context[profile]['type']}"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"seLinuxOptions are {selinux}"


def _of_container(container: Manifest, spec: Manifest) -> Iterator[str]:
    context, outer = container.get("securityContext") or {}, spec.get("securityContext") or {}
    yield from _of_either(context)
    if context.get("privileged"):
        yield "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if context.get("procMount", "Default") != "Default":
        yield "procMount"
    if (outer | context).get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if "seccompProfile" not in outer | context:
        yield "no seccompProfile"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "capabilities are not dropped"
    yield from (f"capability {one}" for one in capabilities.get("add") or () if one != "NET_BIND_SERVICE")
    yield from (f"hostPort {port['hostPort']}" for port in container.get("ports") or () if port.get("hostPort"))
    yield from (f"asks the host {host}" for host in _hosts(container))


def _hosts(container: Manifest) -> Iterator[str]:
    """The hosts that probes and hooks name in place of the pod's own address."""
    hooks = container.get("lifecycle") or {}
    probes = (container.get(f"{probe}Probe") for probe in ("startup", "readiness", "liveness"))
    for handler in (*probes, *hooks.values()):
        actions: Any = (handler or {}).values()
        yield from (action["host"] for action in actions if isinstance(action, dict) and action.get("host"))
