#!/bin/sh
# Pushes the images to a registry as REGISTRY/tidegate-NAME:VERSION, prints their digests, and writes the overlay
# k8s/overlays/own, which deploys them from there.
#   REGISTRY=registry.example/team   where to; docker.io/USER for Docker Hub
#   IMAGES="web …"                   only these
. "$(dirname "$0")/say.sh"

registry=${REGISTRY:-}
registry=${registry%/}
case $registry in
    "") die "expected the registry to push to: make push REGISTRY=registry.example/team (Docker Hub: docker.io/USER)" ;;
    *://*) die "REGISTRY=$registry: expected a host and a path without ${registry%%://*}://" ;;
esac
host=${registry%%/*}
images=${IMAGES:-web serving loadtest}
need docker "see https://docs.docker.com/engine/install"
docker info >/dev/null 2>&1 || die "docker does not answer: start it, or add yourself to its group"
words=$(mktemp)
trap 'rm -f "$words"' EXIT

for name in $images; do
    image=tidegate/$name:$(version_of "$(package_of "$name")")
    docker image inspect "$image" >/dev/null 2>&1 || die "$image is not built: make images IMAGES=\"$images\""
done

explain() { # IMAGE; docker's last words are in $words
    cat "$words" >&2
    case $(cat "$words") in
        *"name unknown"* | *"does not exist"* | *RepositoryNotFound*)
            die "$host has no repository for $1, or you may not push to it. Make it there, or: docker login $host" ;;
        *denied* | *nauthorized* | *"no basic auth"* | *"authentication required"*)
            die "$host does not let you push $1: docker login $host, and see that you may write to ${registry#*/}" ;;
        *"HTTP response to HTTPS"*)
            die "$host speaks plain HTTP, which docker refuses unless its daemon lists it under insecure-registries" ;;
        *x509* | *certificate*)
            die "docker does not trust $host's certificate: put its CA in /etc/docker/certs.d/$host/ca.crt" ;;
        *"dial tcp"* | *"no such host"* | *imeout* | *refused* | *unreachable*)
            die "the registry $host does not answer: is the name right, and is it within reach?" ;;
        *) die "$1 was not pushed; docker's own words are above" ;;
    esac
}

for name in $images; do
    version=$(version_of "$(package_of "$name")")
    target=$registry/tidegate-$name
    docker tag "tidegate/$name:$version" "$target:$version"
    say "Pushing $target:$version …"
    docker push "$target:$version" 2>"$words" || explain "$target:$version"
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$target:$version" | grep "^$target@" | head -n 1)
    say "Pushed $digest"
done
