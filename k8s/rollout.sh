#!/bin/sh
# Applies a kustomization and waits until the pods of both tiers are of it: `rollout.sh FOLDER`. Says why they are not.
#   WAIT_S=300   longest wait for each tier
. "$(dirname "$0")/say.sh"

wait_s=${WAIT_S:-300}
tidegate=app.kubernetes.io/part-of=tidegate

# Why the pods are not there. The newest ones are those that should be
explain() { # TIER
    of_tier=app.kubernetes.io/component=$1
    say ""
    kubectl get pods -l "$tidegate,$of_tier" --sort-by=.metadata.creationTimestamp
    for pod in $(kubectl get pods -l "$tidegate,$of_tier" -o name); do
        ready=$(kubectl get "$pod" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')
        [ "$ready" != True ] || continue
        say ""
        say "$pod: $(kubectl get "$pod" -o jsonpath='{.status.phase}{" "}{.status.containerStatuses[0].state}')"
        kubectl get events --field-selector "involvedObject.name=${pod#pod/}" --sort-by=.lastTimestamp \
            -o custom-columns=REASON:.reason,MESSAGE:.message --no-headers | tail -n 4
        kubectl logs "$pod" --tail=5 2>/dev/null || true
        kubectl logs "$pod" --tail=5 --previous 2>/dev/null || true
    done
}

say "Applying ${1#"$PWD"/} …"
applied=$(kubectl apply -k "$1") || die "the cluster refused it; its words are above"
printf '%s\n' "$applied" | sed '/ unchanged$/d; / configured$/d'
for tier in serving web; do
    kubectl rollout status "deployment/tidegate-$tier" --timeout="${wait_s}s" || {
        explain "$tier"
        die "tidegate-$tier is not ready after $wait_s s"
    }
done
