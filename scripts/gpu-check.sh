#!/usr/bin/env bash
# Verifies and times the GPU kernels on a machine with an NVIDIA GPU that need have nothing but the driver: publishes the
# benchmarks' command `gpu` alone as one self-contained program for linux-x64, then runs it. The program can be copied to
# another machine and run there: it needs neither an SDK nor a network. Beside it goes examples/AotStoryteller, a native
# executable whose GPU kernels were compiled to PTX with it: on the GPU it must tell the story that it tells on the processor.
#
#   scripts/gpu-check.sh [--publish-only] [arguments of gpu…]
#
#   --publish-only   leave the programs in artifacts/gpu-check, and do not run them
#   --quick, --shapes, --m, --device, --json, --verify-only: as `artifacts/gpu-check/gpu-check gpu --help` says
#
# Exit status: that of `gpu`, which is 0 where all is right, 1 where a result is wrong or the device fails, 2 where there
# is no device; 1 where publishing fails, the program is larger than it is to be, or the stories differ.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly folder="$PWD/artifacts/gpu-check"
readonly program="$folder/gpu-check"
readonly most_megabytes=60

publish_only=false
if [[ ${1:-} == --publish-only ]]; then
    publish_only=true
    shift
fi

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

# A build of its own, so that it never meets the one with all commands. Single-file and self-contained is in the project,
# where it holds for the program and not for the libraries. The interface of what is measured stays Q4Gen.Benchmarks, which
# has a say in whose internals it sees; only the file gets another name.
mkdir -p "$folder"
dotnet publish Q4Gen.Benchmarks -c Release -r linux-x64 -p:GpuCheck=true --artifacts-path "$folder/build" -o "$folder/publish"
mv "$folder/publish/Q4Gen.Benchmarks" "$program"

bytes="$(stat -c %s "$program")"
echo "$program: $((bytes / 1000000)).$((bytes / 100000 % 10)) MB"
if ((bytes > most_megabytes * 1000000)); then
    echo "gpu-check.sh: the program is larger than $most_megabytes MB; see what was added to Q4Gen.Benchmarks where GpuCheck is true." >&2
    exit 1
fi

dotnet publish examples/AotStoryteller -c Release -r linux-x64 -o "$folder/native" -v quiet -clp:NoSummary

# story [--gpu]: as far as the likeliest tokens tell it, without what it says of speed.
story() {
    "$folder/native/AotStoryteller" --prompt "One day, a cat" --tokens 60 --temperature 0 "$@" | sed '/tokens a second/,$d'
}

if ! $publish_only; then
    "$program" gpu "$@"
    if [[ $(story) != "$(story --gpu)" ]]; then
        echo "gpu-check.sh: the native executable tells another story on the GPU." >&2
        exit 1
    fi
    echo "The native executable tells the same story on the GPU, through PTX that was compiled with it."
fi
