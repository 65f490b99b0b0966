#!/bin/sh
# Builds, loads and applies Tidegate, and waits until it serves and its autoscalers know their metrics.
#   OVERLAY=k8s/overlays/laptop   another kustomization than k8s
#   LOAD_IMAGE="command"          hands an image to a cluster that is neither kind nor minikube; gets NAME:TAG
#   SKIP_BUILD=1                  the images are built already
#   WAIT_S=300                    longest wait for pods and autoscalers, each
. "$(dirname "$0")/say.sh"

need kubectl "see https://kubernetes.io/docs/tasks/tools"
overlay=${OVERLAY:-k8s}
wait_s=${WAIT_S:-300}
[ -e "$overlay/kustomization.yaml" ] || die "OVERLAY=$overlay: expected a folder with a kustomization.yaml"
context=$(kubectl config current-context 2>/dev/null) || context=
[ -n "$context" ] || die "kubectl has no current context: make cluster, or set KUBECONFIG"
kubectl version >/dev/null 2>&1 || die "the cluster $context does not answer: kubectl cluster-info"
kubectl get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null 2>&1 ||
    die "the cluster $context has no metrics-server, which the autoscalers need: make cluster installs one on kind;
    elsewhere see https://github.com/kubernetes-sigs/metrics-server"

load() { # IMAGE
    case ${LOAD_IMAGE:+given}$context in
        given*) $LOAD_IMAGE "$1" ;;
        kind-*) kind load docker-image --name "${context#kind-}" "$1" ;;
        minikube*) minikube image load --profile "$context" "$1" ;;
        *) say "$1 is not loaded into $context: it must be able to pull it (or name a command: LOAD_IMAGE=…)" ;;
    esac
}

explain() { # why the pods are not there
    say ""
    kubectl get pods -l app.kubernetes.io/part-of=tidegate
    for pod in $(kubectl get pods -l app.kubernetes.io/part-of=tidegate -o name); do
        ready=$(kubectl get "$pod" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')
        [ "$ready" != True ] || continue
        say ""
        say "$pod: $(kubectl get "$pod" -o jsonpath='{.status.phase}{" "}{.status.containerStatuses[0].state}')"
        kubectl get events --field-selector "involvedObject.name=${pod#pod/}" --sort-by=.lastTimestamp \
            -o custom-columns=REASON:.reason,MESSAGE:.message --no-headers | tail -n 4
        kubectl logs "$pod" --tail=5 2>/dev/null || true
    done
}

if [ -z "${SKIP_BUILD:-}" ]; then
    IMAGES="web serving" k8s/images.sh
    for image in web serving; do
        say "Loading tidegate/$image into $context …"
        load "tidegate/$image:$(version_of "services/$image")" || die "the image was not loaded; the lines above say why"
    done
fi

say "Applying $overlay to $context …"
kubectl apply -k "$overlay" || die "the cluster refused it; its words are above"

for tier in serving web; do
    kubectl rollout status "deployment/tidegate-$tier" --timeout="${wait_s}s" || {
        explain
        die "tidegate-$tier is not ready after $wait_s s"
    }
done

# A Deployment without `replicas` starts at 1, and an autoscaler without a metric does nothing: wait for both
waited=0
while :; do
    missing=
    for tier in serving web; do
        state=$(kubectl get hpa "tidegate-$tier" -o jsonpath='{.spec.minReplicas} {.status.currentReplicas} {.status.currentMetrics[0].resource.current.averageUtilization}')
        echo "$state" | awk '{ exit !(NF == 3 && $2 >= $1) }' || missing="$missing tidegate-$tier"
    done
    [ -n "$missing" ] || break
    if [ "$waited" -ge "$wait_s" ]; then
        explain
        for name in $missing; do kubectl describe hpa "$name" | sed -n '/^Conditions/,$p'; done
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
