#!/bin/sh
# Lists the targets of the Makefiles given, by their `##` comments.
set -eu
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
awk -v bold="$bold" -v plain="$plain" '
    /^## / { printf "\n%s%s%s\n", bold, substr($0, 4), plain }
    /^[a-z-]+:.*## / { name = $0; sub(/:.*/, "", name); text = $0; sub(/.*## /, "", text)
                       printf "  %smake %-16s%s %s\n", bold, name, plain, text }
' "$@"
