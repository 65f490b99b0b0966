#!/bin/sh
# Regenerates the Python messages beside the .proto files (or below the folder given). The version of grpcio-tools in
# requirements/dev.in is the lowest whose output our range of protobuf accepts: messages work with their own runtime
# and newer ones, not with older ones.
set -eu
cd "$(dirname "$0")"
out=${1:-.}
"${PYTHON:-python3}" -m grpc_tools.protoc --proto_path=. --python_out="$out" --pyi_out="$out" tidegate_proto/*.proto
