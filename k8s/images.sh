#!/bin/sh
# Builds tidegate/web, tidegate/serving and tidegate/loadtest, tagged with their versions.
#   SERVING=embedded   the embedded model server instead of TF Serving's image (arm64; no registry within reach)
#   IMAGES="web …"     only these
. "$(dirname "$0")/say.sh"

need docker "see https://docs.docker.com/engine/install, or use an alias to podman"
docker info >/dev/null 2>&1 || die "docker does not answer: start it, or add yourself to its group"

serving=${SERVING:-tensorflow-serving}
images=${IMAGES:-web serving loadtest}
case $serving in
    embedded) dockerfile=services/serving/Dockerfile.embedded ;;
    tensorflow-serving) dockerfile=services/serving/Dockerfile ;;
    *) die "SERVING=$serving: expected embedded, or nothing for TF Serving's image" ;;
esac
if [ "$serving" != embedded ] && [ "$(machine)" != x86_64 ]; then
    die "there is no tensorflow/serving image for $(machine): make images SERVING=embedded"
fi

build() { # NAME DOCKERFILE PACKAGE-FOLDER
    version=$(version_of "$3")
    say "Building tidegate/$1:$version …"
    docker build --quiet --file "$2" --build-arg "VERSION=$version" --tag "tidegate/$1:$version" . >/dev/null ||
        die "tidegate/$1 was not built. Behind a mirror, name the base image: docker build --build-arg BASE_IMAGE=…"
    say "Built tidegate/$1:$version ($(docker image inspect --format '{{.Size}}' "tidegate/$1:$version" | awk '{ printf "%d MB", $1 / 1e6 }'))"
}

for image in $images; do
    case $image in
        web)
            k8s/wheels.sh web
            build web services/web/Dockerfile services/web
            ;;
        serving)
            "$python" -m tidegate_serving.train all --to build/models
            if [ "$serving" = embedded ]; then k8s/wheels.sh serving; fi
            build serving "$dockerfile" services/serving
            ;;
        loadtest)
            k8s/wheels.sh loadtest
            build loadtest loadtest/Dockerfile .
            ;;
        *) die "IMAGES: expected web, serving or loadtest, came $image" ;;
    esac
done
