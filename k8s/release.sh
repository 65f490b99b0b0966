#!/bin/sh
# Changes what is deployed, step by step, with no answer lost: `release.sh deploy|release|canary|promote|rollback`.
# docs/how-to/ has a page for each; their variables are in k8s/release/__main__.py.
. "$(dirname "$0")/say.sh"

need_cluster
PYTHONPATH=k8s${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m release "$@"
