#!/bin/sh
# Chooses what the model servers of kubectl's namespace scale on, while they run: the autoscaler stays the same object with
# the same bounds, and no pod comes or goes by the change itself.
#   SIGNAL=inflight   pending predictions, through KEDA, with CPU as the safety net
#   SIGNAL=cpu        CPU alone, as the base has it
#   TARGET=16         with inflight: pending predictions for each model server
#   CPU=60            percent of the requested CPU; as it is, unless said
#   WAIT_S=120        longest wait for the first figure
. "$(dirname "$0")/say.sh"

case ${SIGNAL:-} in
    inflight | cpu) ;;
    *) die "SIGNAL=${SIGNAL:-}: expected inflight or cpu" ;;
esac
for number in "TARGET=${TARGET:-}" "CPU=${CPU:-}"; do
    case ${number#*=} in *[!0-9]* | 0*) die "$number: expected a whole number above 0" ;; esac
done
need kubectl "see https://kubernetes.io/docs/tasks/tools"
wait_s=${WAIT_S:-120}
name=tidegate-serving
folder=build/autoscaling

autoscaler() { # JSONPATH
    kubectl get hpa "$name" -o jsonpath="$1"
}

owner=$(autoscaler '{.metadata.ownerReferences[0].kind}') ||
    die "there is no autoscaler $name to move, in kubectl's namespace; its words are above. Deploy first: make deploy"

# Whether the autoscaler has a figure of pending predictions. A filter in the JSONPath would fail where it has none at all
known() {
    case $(autoscaler '{.status.currentMetrics}') in *'"averageValue"'*'"External"'*) ;; *) return 1 ;; esac
}

to_inflight() {
    has_kind scaledobjects.keda.sh ||
        die "the cluster has no KEDA, which reads the pending predictions (2.20 or newer): see https://keda.sh/docs/latest/deploy"
    rm -rf "$folder"
    mkdir -p "$folder"
    kubectl get hpa "$name" -o yaml >"$folder/hpa.yaml"
    cat >"$folder/kustomization.yaml" <<-END
	# Written by k8s/autoscaling.sh: the component over the autoscaler as it is in the cluster
	apiVersion: kustomize.config.k8s.io/v1beta1
	kind: Kustomization
	resources:
	  - hpa.yaml
	components:
	  - ../../k8s/components/inflight-autoscaling
	patches:
	END
    for setting in "0/metadata/targetValue=${TARGET:-}" "1/metadata/value=${CPU:-}"; do
        [ -n "${setting#*=}" ] || continue
        cat >>"$folder/kustomization.yaml" <<-END
	  - target: { kind: ScaledObject, name: $name }
	    patch: |
	      - op: replace
	        path: /spec/triggers/${setting%%=*}
	        value: "${setting#*=}"
	END
    done
    kubectl apply -k "$folder" || die "the cluster refused it; its words are above"

    waited=0
    until known; do
        if [ "$waited" -ge "$wait_s" ]; then
            kubectl get events --field-selector "involvedObject.name=$name" --sort-by=.lastTimestamp \
                -o custom-columns=REASON:.reason,MESSAGE:.message --no-headers | tail -n 6
            die "no pending predictions reached the autoscaler within $wait_s s; CPU still scales it. Does KEDA (2.20 or newer)
    reach port 8081 of the gateways? Back to CPU alone: make autoscaling SIGNAL=cpu"
        fi
        [ $((waited % 10)) -ne 0 ] || say "Waiting for the first figure of pending predictions …"
        sleep 2
        waited=$((waited + 2))
    done
}

to_cpu() {
    if [ -z "$owner$(autoscaler '{.spec.metrics[?(@.type=="External")].type}')" ]; then
        say "$name scales on CPU alone already"
        return
    fi
    if [ -n "${CPU:-}" ]; then
        cpu='{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": '$CPU'}}}'
    else
        cpu=$(autoscaler '{.spec.metrics[?(@.type=="Resource")]}')
    fi
    [ -n "$cpu" ] || die "KEDA's autoscaler has no target of CPU to go back to: name one, CPU=60"
    # KEDA's owner goes, the autoscaler stays; otherwise Kubernetes would take it away too, at a time of its own
    [ -z "$owner" ] || kubectl delete scaledobject "$name" --cascade=orphan --timeout=60s ||
        die "KEDA did not let go of the ScaledObject $name within 60 s; its operator does that: is it running?"
    kubectl patch hpa "$name" --type=merge --patch "{\"spec\": {\"metrics\": [$cpu]}, \"metadata\": {
        \"labels\": {
            \"app.kubernetes.io/version\": null,
            \"scaledobject.keda.sh/name\": null
        },
        \"annotations\": {
            \"scaledobject.keda.sh/transfer-hpa-ownership\": null
        }}}"
}

"to_$SIGNAL"
kubectl get hpa "$name"
