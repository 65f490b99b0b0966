#!/bin/sh
# Makes a kind cluster named tidegate with metrics-server, and points kubectl at it. Does nothing that is done already.
. "$(dirname "$0")/say.sh"

need_docker
need kind "see https://kind.sigs.k8s.io/docs/user/quick-start; or use minikube: minikube start --addons=metrics-server"
need kubectl "see https://kubernetes.io/docs/tasks/tools"

if kind get clusters 2>/dev/null | grep -qx tidegate; then
    say "The kind cluster tidegate is there"
else
    say "Making the kind cluster tidegate (a minute or two) …"
    kind create cluster --name tidegate --config k8s/kind.yaml ||
        die "kind could not make the cluster; its own words are above"
fi
kubectl config use-context kind-tidegate >/dev/null

say "Installing metrics-server …"
metrics_server=${METRICS_SERVER:-https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.8.0/components.yaml}
kubectl apply -f "$metrics_server" >/dev/null || die "metrics-server's manifest is out of reach; METRICS_SERVER=FILE names another"
# kind's kubelets sign their certificates themselves
kubectl -n kube-system patch deployment metrics-server --type=json --patch \
    '[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--kubelet-insecure-tls"}]' >/dev/null
kubectl -n kube-system rollout status deployment metrics-server --timeout=180s ||
    die "metrics-server did not start: kubectl -n kube-system describe pod -l k8s-app=metrics-server"
say "Ready. Next: make deploy OVERLAY=k8s/overlays/laptop"
