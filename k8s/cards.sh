#!/bin/sh
# Trains the models anew and renews the cards in k8s/base/cards, where the gateways' ConfigMap comes from.
. "$(dirname "$0")/say.sh"

"$python" -m tidegate_serving.train all --to build/models --force || die "the models could not be trained"
for card in k8s/base/cards/*.json; do
    model=${card##*/}
    cp "build/models/${model%.json}/1/assets.extra/tidegate.json" "$card"
    say "Wrote $card"
done
