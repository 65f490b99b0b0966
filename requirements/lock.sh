#!/bin/sh
# Rewrites the locked requirements beside this file. Needs `uv` (make lock installs it).
set -eu
cd "$(dirname "$0")/.."
compile() { # OUT ARGUMENTS...: resolves with hashes and names no index
    out=requirements/$1; shift
    uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
        --no-emit-package tidegate-proto --no-emit-package tidegate-web --no-emit-package tidegate-hpa \
        --no-emit-package tidegate-loadtest --output-file "$out" "$@"
}
set -- services/web/pyproject.toml services/serving/pyproject.toml

compile run.txt --universal --python-version 3.11 "$@" requirements/run.in --constraint requirements/constraints.in
compile dev.txt --universal --python-version 3.11 "$@" proof/pyproject.toml hpa/pyproject.toml \
    requirements/run.in requirements/dev.in --constraint requirements/run.txt
compile oracle.txt --universal --python-version 3.11 --no-deps requirements/oracle.in
for machine in x86_64 aarch64; do
    image() { # NAME SOURCE: for the Python of the base image
        compile "image-$1-$machine.txt" --python-platform "$machine-manylinux_2_28" --python-version 3.11 \
            --constraint requirements/dev.txt "$2"
    }
    image web services/web/pyproject.toml
    image serving services/serving/pyproject.toml
    image loadtest requirements/loadtest.in
done
