#!/usr/bin/env bash
# Publishes examples/AotStoryteller for other machines than this one, on Linux x64, and checks what comes out:
#
#   linux-arm64   one file with the runtime inside, for the JIT; run under QEMU's user-mode emulator where that is
#                 installed or was fetched (scripts/test-arm64.sh --fetch)
#   win-x64       the same; NativeAOT needs Windows to link for Windows
#   linux-arm64   one native executable as well, where aarch64-linux-gnu-gcc is on the PATH (Debian package
#                 gcc-aarch64-linux-gnu)
#
#   scripts/cross-publish.sh [output]
#
#   output   the folder for the executables; artifacts/cross by default
#
# Exit status: 0 where all is right; 1 where something was not published, is for another machine, or tells another story.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source scripts/lib/arm64-emulator.sh

readonly output="${1:-$PWD/artifacts/cross}"
readonly story=(--prompt "One day, a cat" --tokens 40 --temperature 0)

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

fail() {
    echo "cross-publish: $1" >&2
    exit 1
}

# publish NAME RID [PROPERTY…]
publish() {
    local name="$1" rid="$2"
    shift 2
    dotnet publish examples/AotStoryteller -c Release -r "$rid" -o "$output/$name" -v quiet -clp:NoSummary -p:DebugType=none "$@"
}

# Single file: what is beside the executable would have to go along.
assert_alone() {
    local files
    files="$(ls "$output/$1")"
    [[ $files == "$2" ]] || fail "expected $2 alone in $output/$1, found: $files"
}

# bytes FILE OFFSET COUNT: as hexadecimal digits.
bytes() {
    od -An -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'
}

# ELF: 64 bits, little-endian, machine 183.
assert_arm64() {
    [[ $(bytes "$1" 0 6) == 7f454c460201 && $(bytes "$1" 18 2) == b700 ]] || fail "$1 is no ELF file for AArch64."
}

# PE: the offset of its header is at 60, and the machine 0x8664 follows the signature.
assert_win_x64() {
    local header
    header=$((16#$(bytes "$1" 61 1)$(bytes "$1" 60 1)))
    [[ $(bytes "$1" 0 2) == 4d5a && $(bytes "$1" "$header" 6) == 504500006486 ]] || fail "$1 is no PE file for x64."
}

tell() {
    # The figures after the story differ from run to run.
    "$@" "${story[@]}" | sed '/^$/,$d'
}

# run_arm64 NAME: the story of an executable for Arm must be the one of this machine.
run_arm64() {
    local emulator libraries told
    if ! emulator="$(find_emulator)" || ! libraries="$(find_libraries)"; then
        echo "linux-arm64 not run: no emulator, or no Arm libraries (scripts/test-arm64.sh says which)."
        return
    fi

    # Why the runtime of an emulated program takes these settings is in test-arm64.sh.
    told="$(DOTNET_EnableWriteXorExecute=0 DOTNET_TieredPGO=0 tell "$emulator" -L "$libraries" "$output/$1/AotStoryteller")"
    [[ $told == "$expected" ]] || fail "linux-arm64 tells another story: $told"
    echo "linux-arm64 tells the same story under the emulator: ${told%%.*}."
}

# Beside the solution's build, nothing is left to do.
dotnet build examples/AotStoryteller -c Release -v quiet -clp:NoSummary
expected="$(tell dotnet examples/AotStoryteller/bin/Release/net10.0/AotStoryteller.dll)"
[[ $expected == "One day, a cat"* ]] || fail "the Storyteller of this machine tells no story: $expected"

# What an earlier run left would look like this one's.
rm -rf "${output:?}"/{linux-arm64,win-x64,linux-arm64-aot}
mkdir -p "$output"

readonly single=(-p:PublishAot=false -p:PublishSingleFile=true --self-contained)

publish linux-arm64 linux-arm64 "${single[@]}"
assert_alone linux-arm64 AotStoryteller
assert_arm64 "$output/linux-arm64/AotStoryteller"
run_arm64 linux-arm64

publish win-x64 win-x64 "${single[@]}"
assert_alone win-x64 AotStoryteller.exe
assert_win_x64 "$output/win-x64/AotStoryteller.exe"

if command -v aarch64-linux-gnu-gcc >/dev/null; then
    # The SDK takes every compiler for clang and passes --target, which a cross-compiling GCC does not know: it has one.
    cat >"$output/aarch64-gcc" <<'END'
#!/usr/bin/env bash
arguments=()
for argument; do
    [[ $argument == --target=* ]] || arguments+=("$argument")
done
exec aarch64-linux-gnu-gcc "${arguments[@]}"
END
    chmod +x "$output/aarch64-gcc"
    publish linux-arm64-aot linux-arm64 -p:CppCompilerAndLinker="$output/aarch64-gcc" -p:ObjCopyName=aarch64-linux-gnu-objcopy
    rm -f "$output/linux-arm64-aot/AotStoryteller.dbg"
    assert_alone linux-arm64-aot AotStoryteller
    assert_arm64 "$output/linux-arm64-aot/AotStoryteller"
    run_arm64 linux-arm64-aot
else
    echo "linux-arm64 not compiled ahead of time: aarch64-linux-gnu-gcc is not on the PATH (Debian package gcc-aarch64-linux-gnu)."
fi

for name in linux-arm64 win-x64 linux-arm64-aot; do
    file=("$output/$name"/AotStoryteller*)
    if [[ -e ${file[0]} ]]; then
        echo "$name: $(stat -c %s "${file[0]}") bytes"
    fi
done
