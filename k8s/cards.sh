#!/bin/sh
# Trains the models anew and writes their cards to k8s/base/cards, where the gateways' ConfigMap comes from.
. "$(dirname "$0")/say.sh"

"$python" -m tidegate_serving.train all --to build/models --force || die "the models could not be trained"
mkdir -p k8s/base/cards
for model in build/models/*; do
    cp "$model/1/assets.extra/tidegate.json" "k8s/base/cards/${model##*/}.json"
    say "Wrote k8s/base/cards/${model##*/}.json"
done
