#!/bin/sh
# Builds tidegate/web, tidegate/serving and tidegate/loadtest, tagged with their versions, and says how large they are.
#   SERVING=embedded   the embedded model server instead of TF Serving's image (arm64; no registry within reach)
#   IMAGES="web …"     only these
#   PYTHON_IMAGE=… TENSORFLOW_SERVING_IMAGE=…   other base images, from a mirror for instance
#   SOURCE=https://…   where the code is, for a label
. "$(dirname "$0")/say.sh"

need_docker

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

base_of() { # DOCKERFILE
    default=$(sed -n 's/^ARG BASE_IMAGE=//p' "$1")
    case $default in
        python:*) echo "${PYTHON_IMAGE:-$default}" ;;
        *) echo "${TENSORFLOW_SERVING_IMAGE:-$default}" ;;
    esac
}

# A label's base name is complete: docker.io/library/python:3.11-slim
complete_name() { # IMAGE
    case $1 in
        *.*/* | *:*/* | localhost/*) echo "$1" ;;
        */*) echo "docker.io/$1" ;;
        *) echo "docker.io/library/$1" ;;
    esac
}

# The state of the code, where git knows it. The date is the commit's, so that the same commit gets the same labels
if revision=$(git rev-parse HEAD 2>/dev/null); then
    # What is deployed is no part of any image, and each deployment changes it
    [ -z "$(git status --porcelain -- . ':!k8s/overlays')" ] || revision=$revision-dirty
    created=$(TZ=UTC0 git show --no-patch --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ HEAD)
else
    say "This is no git checkout: the images will not say which revision they are of"
fi

build() { # NAME DOCKERFILE [LABEL]
    version=$(version_of "$(package_of "$1")")
    image=tidegate/$1:$version
    file=$2
    base=$(base_of "$file")
    set -- --build-arg "VERSION=$version" --build-arg "BASE_IMAGE=$base" \
        --label "org.opencontainers.image.base.name=$(complete_name "$base")" \
        ${SOURCE:+--label "org.opencontainers.image.source=$SOURCE"} \
        ${revision:+--label "org.opencontainers.image.revision=$revision"} \
        ${created:+--label "org.opencontainers.image.created=$created"} ${3:+--label "$3"}
    docker image inspect "$base" >/dev/null 2>&1 || docker pull "$base" ||
        die "the base image $base cannot be had. Behind a mirror, name it there: PYTHON_IMAGE=… or TENSORFLOW_SERVING_IMAGE=…"
    say "Building $image …"
    docker build --quiet --file "$file" --tag "$image" "$@" . >/dev/null ||
        die "$image was not built; docker's own words are above"
}

# name.version[.version…] of each model, joined by $1
models_in() { # SEPARATOR
    for model in build/models/*/; do
        name=$(basename "$model")
        for version in "$model"*/; do name=$name.$(basename "$version"); done
        printf '%s\n' "$name"
    done | paste -s -d "$1" -
}

# A second tag says which models are in it, where a tag may have their names and is long enough (128 characters)
tag_models() { # VERSION
    tag=$1-$(models_in -)
    if printf '%s' "$tag" | grep -qxE '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}'; then
        docker tag "tidegate/serving:$1" "tidegate/serving:$tag"
        say "Tagged it tidegate/serving:$tag too"
    else
        say "No tag names the models, whose names are too many or too odd for one; the label tidegate.models does"
    fi
}

for name in $images; do
    case $name in
        web)
            k8s/wheels.sh web
            build web services/web/Dockerfile
            ;;
        serving)
            "$python" -m tidegate_serving.train all --to build/models
            if [ "$serving" = embedded ]; then k8s/wheels.sh serving; fi
            build serving "$dockerfile" "tidegate.models=$(models_in ,)"
            tag_models "$(version_of services/serving)"
            ;;
        loadtest)
            k8s/wheels.sh loadtest
            build loadtest loadtest/Dockerfile
            ;;
        *) die "IMAGES: expected web, serving or loadtest, came $name" ;;
    esac
done
# shellcheck disable=SC2086 # a list of words
k8s/image_sizes.sh $images
