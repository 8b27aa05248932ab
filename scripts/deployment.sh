#!/usr/bin/env bash
# Publishes the Storyteller as it may be deployed on Linux x64 (one native executable, one file for the JIT, the same with
# ReadyToRun) and a program that runs the same layers in ONNX Runtime, then measures them in one interleaved run: bytes on
# disk, time to the first token, tokens a second.
#
#   scripts/deployment.sh [arguments of deployment…]
#
#   --starts, --stories: as `dotnet run -c Release --project Q4Gen.Benchmarks -- deployment --help` says
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly output="$PWD/artifacts/deployment"

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

# publish NAME PROJECT [PROPERTY…]
publish() {
    local name="$1" project="$2"
    shift 2
    rm -rf "${output:?}/$name"
    dotnet publish "$project" -c Release -r linux-x64 -o "$output/$name" -v quiet -clp:NoSummary "$@"
}

readonly single=(-p:PublishAot=false -p:PublishSingleFile=true --self-contained -p:AllowedReferenceRelatedFileExtensions=none)

publish aot examples/AotStoryteller
publish jit examples/AotStoryteller "${single[@]}"
publish r2r examples/AotStoryteller "${single[@]}" -p:PublishReadyToRun=true
publish load Q4Gen.Benchmarks/NativeLoad
publish onnx Q4Gen.Benchmarks/OnnxLayers "${single[@]}"
# The package brings its libraries for Windows along.
rm -f "$output"/onnx/*.dll
"$output/onnx/OnnxLayers" write "$output/onnx/layers.onnx"

dotnet run -c Release --project Q4Gen.Benchmarks -- deployment "$output" "$@"
echo "To load gigabytes in an instant: dotnet run -c Release --project Q4Gen.Benchmarks -- instant --native $output/load/NativeLoad"
