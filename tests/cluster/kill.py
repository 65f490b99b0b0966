"""`kill -9` of a pod's container, as a crash or the kernel for want of memory would end it.

Nothing within a pod can do it: process 1 of a PID namespace ignores SIGKILL from inside, for an ephemeral container
that shares the namespace too. `kubectl delete pod --grace-period=0 --force` is no crash: it takes the pod out of the
EndpointSlice first. So a privileged pod that sees the node's processes does it, in a namespace of its own, since
Pod Security `restricted` rightly refuses it in ours. It finds them by the container's id in the name of their control
group; the pod's sandbox lives on, so that the container comes back under the same address.
"""

import json

from tests.cluster.cluster import Cluster, wait_for

NAMESPACE_SUFFIX = "-kill"
SCRIPT = """
import os, pathlib, sys
killed = []
for group in pathlib.Path("/proc").glob("[0-9]*/cgroup"):
    try:
        if sys.argv[1] in group.read_text():
            killed.append(int(group.parent.name))
    except OSError:
        pass  # it has ended meanwhile
for pid in killed:
    os.kill(pid, 9)
print(len(killed))
"""


def kill_9(cluster: Cluster, pod: str) -> None:
    """Kill every process of a pod's container at once; the kubelet starts it anew."""
    victim = cluster.get("pod", pod)
    (container,) = victim["status"]["containerStatuses"]
    namespace = cluster.namespace + NAMESPACE_SUFFIX
    cluster.kubectl("create", "namespace", namespace)
    try:
        cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=privileged")
        killer = _killer(cluster, victim["spec"]["nodeName"], container["containerID"].rpartition("/")[2])
        cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(killer))

        def ended() -> str | None:
            phase = str(cluster.get("-n", namespace, "pod", "kill")["status"]["phase"])
            return phase if phase in {"Succeeded", "Failed"} else None

        phase = wait_for(f"the pod that kills {pod} to end", ended, 60)
        said = cluster.kubectl("-n", namespace, "logs", "kill")
        assert phase == "Succeeded", said
        assert int(said) > 0, f"no process of {pod} was found on its node"
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def _killer(cluster: Cluster, node: str, container_id: str) -> dict[str, object]:
    """The gateway's image is on the node or can be pulled, and has a Python."""
    (gateway,) = cluster.get("deployment", "tidegate-web")["spec"]["template"]["spec"]["containers"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kill"},
        "spec": {
            "nodeName": node,
            "hostPID": True,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "kill",
                    "image": gateway["image"],
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-c", SCRIPT, container_id],
                    "securityContext": {"privileged": True, "runAsUser": 0},
                }
            ],
        },
    }
