#!/bin/sh
# Hands images of the local Docker to where the cluster of kubectl's context finds them: `load.sh NAME:TAG …`
#   REGISTRY=registry.example/team   pushes them there, as REGISTRY/tidegate-NAME:TAG
#   LOAD_IMAGE="command"             for a cluster that is neither kind nor minikube; gets NAME:TAG
. "$(dirname "$0")/say.sh"

context=$(kubectl config current-context)
for image; do
    case ${REGISTRY:+registry}${LOAD_IMAGE:+given}$context in
        registry*) k8s/push.sh "$image" || exit $? ;;
        given*)
            say "Loading $image by $LOAD_IMAGE …"
            $LOAD_IMAGE "$image" || die "the command of LOAD_IMAGE failed; its words are above"
            ;;
        kind-*)
            say "Loading $image into $context …"
            kind load docker-image --name "${context#kind-}" "$image" || die "kind did not load it; its words are above"
            ;;
        minikube*)
            say "Loading $image into $context …"
            minikube image load --profile "$context" "$image" || die "minikube did not load it; its words are above"
            ;;
        *) say "$image is not loaded into $context: it must be able to pull it (or REGISTRY=…, or a command: LOAD_IMAGE=…)" ;;
    esac
done
