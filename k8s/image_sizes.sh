#!/bin/sh
# Prints, for each image built here, the bytes of the layers that are ours, and of those that its base brings.
# `image_sizes.sh web serving loadtest`; all of them by default. Uncompressed, as `docker history` counts them.
. "$(dirname "$0")/say.sh"

need_docker

layer_bytes() { # IMAGE → one number a line, newest layer first
    docker history --human=false --format '{{.Size}}' "$1"
}

[ $# -gt 0 ] || set -- web serving loadtest
for name in "$@"; do
    image=tidegate/$name:$(version_of "$(package_of "$name")")
    base=$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.base.name"}}' "$image" 2>/dev/null) ||
        die "$image is not there: make images"
    docker image inspect "$base" >/dev/null 2>&1 || die "$base, the base of $image, is not there: docker pull $base"
    layer_bytes "$image" | awk -v image="$image" -v base_layers="$(layer_bytes "$base" | wc -l)" '
        { size[NR] = $1 }
        END {
            for (i = 1; i <= NR; i++) {
                if (i > NR - base_layers) { base += size[i]; continue }
                ours += size[i]
                if (size[i] > 0) each = each sprintf("%s%.1f", each == "" ? "" : " + ", size[i] / 1e6)
            }
            printf "%-24s ours %10d bytes (%s MB), base %d\n", image, ours, each, base
        }'
done
