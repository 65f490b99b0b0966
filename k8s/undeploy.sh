#!/bin/sh
# Takes Tidegate out of the cluster: OVERLAY, or k8s/overlays/own where there is one, or k8s.
. "$(dirname "$0")/say.sh"

need_cluster
own=${OWN:-k8s/overlays/own}
overlay=${OVERLAY:-k8s}
if [ -z "${OVERLAY:-}" ] && [ -e "$own/kustomization.yaml" ]; then overlay=$own; fi
kubectl delete --ignore-not-found -k "$overlay"
# Each change of what is served has left one, for `kubectl rollout undo`
kubectl delete --ignore-not-found configmap \
    -l app.kubernetes.io/part-of=tidegate,app.kubernetes.io/name=tidegate,app.kubernetes.io/component=serving
[ "$overlay" != "$own" ] || say "$own still says what was deployed; without that folder the next make deploy starts afresh"
