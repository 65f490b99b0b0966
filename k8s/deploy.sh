#!/bin/sh
# Builds, loads and applies Tidegate, and waits until it serves and its autoscalers know their metrics.
#   MODEL=path NAME=name VERSION=n   a model of your own: a SavedModel, a folder of versions, or pvc:CLAIM/path
#   OVERLAY=k8s/overlays/laptop      what lies below, k8s at first
#   COMPONENTS="capped …"            on top of it; none for no longer any
#   OWN=k8s/overlays/own            where what is deployed is kept
#   REGISTRY=registry.example/team   pushes the images, and has the cluster pull them
#   LOAD_IMAGE="command"             hands an image to a cluster that is neither kind nor minikube; gets NAME:TAG
#   WEB_VERSION=0.2.0                another gateway than this checkout's
#   SKIP_BUILD=1 SKIP_TRIAL=1        the images are built already; the model is not tried first
#   WAIT_S=300                       longest wait for pods and autoscalers, each
#   FORCE=1                          also where OWN says that it is deployed in another place
. "$(dirname "$0")/say.sh"

need_cluster
wait_s=${WAIT_S:-300}
# Older ones refuse the model servers' preStop, which sleeps without a program for it
minor=$(kubectl get --raw /version | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 30 ] || die "the cluster $context runs Kubernetes 1.${minor:-(unknown)}: expected 1.30 or newer"
kubectl get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null 2>&1 ||
    die "the cluster $context has no metrics-server, which the autoscalers need: make cluster installs one on kind;
    elsewhere see https://github.com/kubernetes-sigs/metrics-server"

k8s/release.sh deploy || exit $?

# A Deployment without `replicas` starts at 1, and an autoscaler without a metric does nothing: wait for both
waited=0
while :; do
    missing=
    for tier in serving web; do
        # There may be none yet: KEDA writes one some moments after its object
        state=$(kubectl get --ignore-not-found hpa "tidegate-$tier" -o jsonpath='{.spec.minReplicas} {.status.currentReplicas} {.status.conditions[?(@.type=="ScalingActive")].status}')
        echo "$state" | awk '{ exit !($3 == "True" && $2 >= $1) }' || missing="$missing tidegate-$tier"
    done
    [ -n "$missing" ] || break
    if [ "$waited" -ge "$wait_s" ]; then
        for name in $missing; do kubectl describe hpa "$name" | sed -n '/^Conditions/,$p' || true; done
        die "no known metric after $wait_s s for:$missing"
    fi
    [ $((waited % 10)) -ne 0 ] || say "Waiting for the autoscalers' first metric:$missing …"
    sleep 2
    waited=$((waited + 2))
done
kubectl get hpa

address=$(kubectl get service tidegate-web -o jsonpath='{.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}')
port=$(kubectl get service tidegate-web -o jsonpath='{.spec.ports[0].nodePort}')
say ""
case "$address/$context/$port" in
    /minikube*) say "Open the address that this prints: minikube service --profile $context tidegate-web --url" ;;
    /kind-*/30080) say "Open http://127.0.0.1:30080/" ;;
    /kind-*) say "Open http://127.0.0.1:8080/ after: kubectl port-forward service/tidegate-web 8080" ;;
    /*) say "Open http://NODE:$port/ (any node's address), or http://127.0.0.1:8080/ after: kubectl port-forward service/tidegate-web 8080" ;;
    *) say "Open http://$address:8080/" ;;
esac
say "Watch it scale: watch kubectl get hpa"
