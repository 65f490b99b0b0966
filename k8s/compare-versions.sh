#!/bin/sh
# Replays rows through two versions of a model, and says whether the new one may take the old one's place.
#   NAME=and_gate VERSIONS=1,2      numbers or labels, the old one first
#   HOST=http://127.0.0.1:8080      the gateway
#   SAMPLES=file                    a row on each line, as `instances` has it; the card's examples without
#   CARD=file COUNT=n THRESHOLD=0.05 TOKEN_FILE=file JSON=file ARGS="…"   see docs/how-to/compare-versions.md
# Exits with 1 past a threshold, with 2 when there is nothing to compare.
. "$(dirname "$0")/say.sh"

set -- "${NAME:-}" "${VERSIONS:-}"
[ -z "${HOST:-}" ] || set -- "$@" --host "$HOST"
[ -z "${SAMPLES:-}" ] || set -- "$@" --samples "$SAMPLES"
[ -z "${CARD:-}" ] || set -- "$@" --card "$CARD"
[ -z "${COUNT:-}" ] || set -- "$@" --count "$COUNT"
[ -z "${THRESHOLD:-}" ] || set -- "$@" --threshold "$THRESHOLD"
[ -z "${TOKEN_FILE:-}" ] || set -- "$@" --token-file "$TOKEN_FILE"
[ -z "${JSON:-}" ] || set -- "$@" --json "$JSON"
# shellcheck disable=SC2086 # ARGS are several
PYTHONPATH=k8s:loadtest${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m compare "$@" ${ARGS:-}
