#!/bin/sh
# Build the oracle: Kubernetes' own HorizontalController, unchanged but for its clock, behind a command that answers cases.
#
#   tests/hpa/oracle/build.sh DIRECTORY     leaves DIRECTORY/oracle
#
# Needs Go 1.25 and the Go module proxy. Takes some minutes and 2 GB the first time.
set -eu
VERSION=1.35.0
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/podautoscaler"
cd "$1"
export GOFLAGS=-mod=mod
cat > go.mod <<EOF
module oracle

go 1.25.0

require k8s.io/kubernetes v$VERSION
EOF
source=$(go mod download -json "k8s.io/kubernetes@v$VERSION" | sed -n 's/^.*"Dir": "\(.*\)".*/\1/p')
# Its staging modules have no version of their own there; the same release publishes them as v0.x
sed -n 's|^.*\(k8s\.io/[a-z-]*\) => \./staging.*|replace \1 => \1 v0.'"${VERSION#1.}"'|p' "$source/go.mod" >> go.mod
for file in horizontal replica_calculator rate_limiters; do
    sed 's/time\.Now()/oracleNow()/g; s/metav1\.Now()/metav1.NewTime(oracleNow())/g' \
        "$source/pkg/controller/podautoscaler/$file.go" > "podautoscaler/$file.go"
done
cp "$here"/controller/*.go podautoscaler/
cp "$here/main.go" .
go mod tidy
go build -o oracle .
