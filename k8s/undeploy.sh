#!/bin/sh
# Takes Tidegate out of the cluster: OVERLAY, or k8s/overlays/own where there is one, or k8s.
. "$(dirname "$0")/say.sh"

need_cluster
own=${OWN:-k8s/overlays/own}
overlay=${OVERLAY:-k8s}
state=
if [ -z "${OVERLAY:-}" ] && [ -e "$own/release.yaml" ]; then
    overlay=$own
    state=$own/release.yaml
fi

recorded() { # context | namespace
    [ -z "$state" ] || sed -n "s/^$1: //p" "$state" | tr -d "\"'"
}
namespace=$(kubectl config view --minify --output 'jsonpath={.contexts[0].context.namespace}')
namespace=${namespace:-default}
there="namespace $(recorded namespace) of $(recorded context)"
if [ -n "$(recorded context)" ] && [ "$there" != "namespace $namespace of $context" ]; then
    say_error "$own is what is deployed in $there, and kubectl points to namespace $namespace of $context.
There: kubectl config use-context $(recorded context), and
       kubectl config set-context --current --namespace=$(recorded namespace)
Here: make undeploy OVERLAY=$own"
    exit 2
fi

# KEDA's object first, or its operator would write the autoscaler again
if has_kind scaledobjects.keda.sh; then
    kubectl delete --ignore-not-found --timeout=60s scaledobject tidegate-serving ||
        die "KEDA did not let go of the ScaledObject tidegate-serving within 60 s; its operator does that: is it running?"
fi
words=$(mktemp)
trap 'rm -f "$words"' EXIT
failed=
kubectl delete --ignore-not-found -k "$overlay" 2>"$words" || failed=yes
# A kind that the cluster does not know has no objects in it, and keeps no others from being deleted
if grep -v -e 'no matches for kind' -e '^ensure CRDs are installed' "$words" >&2 && [ "$failed" ]; then
    die "not all of $overlay was deleted; kubectl's words are above"
fi
# What the overlay no longer names: a ConfigMap of each change of what was served, and components of before
kinds=configmaps,deployments.apps,services,networkpolicies.networking.k8s.io
for kind in podmonitors.monitoring.coreos.com prometheusrules.monitoring.coreos.com; do
    if has_kind "$kind"; then kinds=$kinds,$kind; fi
done
kubectl delete --ignore-not-found "$kinds" -l app.kubernetes.io/part-of=tidegate,app.kubernetes.io/name=tidegate
[ -n "$state" ] || exit 0

# It is deployed nowhere now, so it may be deployed anywhere
sed '/^context: /d; /^namespace: /d' "$state" >"$state.part"
mv "$state.part" "$state"
say "$own still says what was deployed; without that folder the next make deploy starts afresh"
