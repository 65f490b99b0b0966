#!/bin/sh
# Pushes images to a registry as REGISTRY/tidegate-NAME:TAG, and prints their digests.
# `push.sh tidegate/web:0.1.0 …` only these. Without arguments those of this checkout, and those that k8s/overlays/own
# (or OWN) deploys; then it writes that overlay so that it deploys from the registry.
#   REGISTRY=registry.example/team   where to; docker.io/USER for Docker Hub
#   IMAGES="web …"                   only these of this checkout
. "$(dirname "$0")/say.sh"

registry=${REGISTRY:-}
registry=${registry%/}
case $registry in
    "") die "expected the registry to push to: make push REGISTRY=registry.example/team (Docker Hub: docker.io/USER)" ;;
    *://*) die "REGISTRY=$registry: expected a host and a path, without ${registry%%://*}://" ;;
esac
host=${registry%%/*}
need_docker
words=$(mktemp)
trap 'rm -f "$words"' EXIT

# What the release state names; its serving image may hold the user's models
deployed() {
    state=${OWN:-k8s/overlays/own}/release.yaml
    [ -e "$state" ] || return 0
    for name in web serving; do
        sed -n "s/^$name: {tag: \([^,}]*\).*/\1/p" "$state" | tr -d "\"'" | sed "s|^|tidegate/$name:|"
    done
}

explain() { # IMAGE; docker's last words are in $words
    cat "$words" >&2
    case $(cat "$words") in
        *"name unknown"* | *"repository does not exist"* | *RepositoryNotFound*)
            die "$host has no repository for $1, or you may not push to it: make it there, or docker login $host" ;;
        *denied* | *nauthorized* | *"no basic auth"* | *"authentication required"*)
            die "$host does not let you push $1: docker login $host, and see that you may write there" ;;
        *"HTTP response to HTTPS"*)
            die "$host speaks plain HTTP, which docker refuses unless its daemon lists it among insecure-registries" ;;
        *x509* | *certificate*)
            die "docker does not trust $host's certificate: put its CA's in /etc/docker/certs.d/$host/ca.crt" ;;
        *"dial tcp"* | *"no such host"* | *imeout* | *refused* | *unreachable*)
            die "the registry $host does not answer: is the name right, and is it within reach?" ;;
        *) die "$1 was not pushed; docker's own words are above" ;;
    esac
}

[ $# -gt 0 ] && whole= || whole=yes
if [ "$whole" ]; then
    for name in ${IMAGES:-web serving loadtest}; do
        image=tidegate/$name:$(version_of "$(package_of "$name")")
        set -- "$@" "$image"
        for tag in $(docker image inspect --format '{{range .RepoTags}}{{println .}}{{end}}' "$image" 2>/dev/null); do
            case $tag in "$image"-*) set -- "$@" "$tag" ;; esac # the one that says which models are in it
        done
    done
    for image in $(deployed); do
        case " $* " in *" $image "*) ;; *) set -- "$@" "$image" ;; esac
    done
fi
for image; do
    docker image inspect "$image" >/dev/null 2>&1 || die "$image is not here: make images"
done
for image; do
    target=$registry/tidegate-${image#tidegate/}
    say "Pushing $target …"
    docker tag "$image" "$target"
    docker push "$target" 2>"$words" || explain "$target"
    say "Pushed $(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$target" | grep -F "${target%:*}@" | head -n 1)"
done
if [ "$whole" ]; then
    PYTHONPATH=k8s${PYTHONPATH:+:$PYTHONPATH} "$python" -m release registry || exit $?
fi
