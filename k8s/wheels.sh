#!/bin/sh
# Collects the wheels that each image installs in build/wheels, so that image builds need no network.
# `wheels.sh web serving loadtest`; all of them by default. Our own packages lie apart, in build/wheels/IMAGE/own: they
# become a layer of their own.
. "$(dirname "$0")/say.sh"

machine=$(machine)
[ $# -gt 0 ] || set -- web serving loadtest
for image in "$@"; do
    lock=requirements/image-$image-$machine.txt
    folder=build/wheels/$image
    mark=$folder/.complete
    if [ -e "$mark" ] && cmp -s "$lock" "$mark"; then
        say "Wheels for $image are there"
    else
        say "Collecting wheels for $image ($machine) …"
        rm -rf "$folder"
        mkdir -p "$folder"
        "$python" -m pip download --disable-pip-version-check --quiet --progress-bar on --no-deps --require-hashes \
            --only-binary :all: --implementation cp --python-version 3.11 \
            --platform "manylinux_2_28_$machine" --platform "manylinux_2_27_$machine" \
            --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
            --requirement "$lock" --dest "$folder" ||
            die "the wheels could not be downloaded: is the package index within reach? Run the same command again"
        cp "$lock" "$mark"
    fi
    case $image in
        web) packages="proto services/web" ;;
        serving) packages="proto services/web services/serving" ;; # REST is the gateway's
        *) packages="" ;;
    esac
    rm -rf "$folder"/tidegate_*.whl "$folder/own"
    for package in $packages; do
        "$python" -m pip wheel --disable-pip-version-check --quiet --no-deps --no-build-isolation \
            --wheel-dir "$folder/own" "./$package" || die "$package could not be built"
    done
    rm -rf proto/build services/*/build
done
