#!/usr/bin/env bash
# Runs the tests of kernels, packing, threads, loading and quantising as Arm code, on any Linux machine: publishes them
# self-contained for linux-arm64 and executes them with QEMU's user-mode emulator, twice: on a processor with all
# extensions, then the kernels once more on one that has no dot-product instructions.
#
#   scripts/test-arm64.sh [--fetch] [results]
#
#   --fetch   where Debian's emulator and Arm libraries are not installed, fetch them with apt-get into artifacts/arm64;
#             the system stays as it is, and no root is needed
#   results   the folder for the .trx files; artifacts/arm64/results by default
#
# Exit status: 0 where all tests passed, 77 where none ran because the emulator or a library is missing (it says which),
# 1 where a test failed, or where a run crashed, hung or ran no test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly not_installed=77
readonly work="$PWD/artifacts/arm64"
readonly publish="$work/publish"

fetch=false
if [[ ${1:-} == --fetch ]]; then
    fetch=true
    shift
fi

readonly results="${1:-$work/results}"

source scripts/lib/arm64-emulator.sh

# Debian's packages, checked by apt as ever, but unpacked here. The package lists are kept here as well, for those of
# the system need not include arm64.
fetch_packages() {
    local apt="$work/apt" package
    command -v apt-get dpkg-deb >/dev/null || return 1
    rm -rf "$apt" "$fetched"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/packages" "$fetched/usr/lib"
    cat >"$apt/apt.conf" <<END
APT::Architectures { "$(dpkg --print-architecture)"; "arm64"; };
APT::Sandbox::User "$(id -un)";
#clear APT::Update::Post-Invoke;
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
END
    get() {
        timeout 120 apt-get -qq -c "$apt/apt.conf" "$@"
    }

    # A foreign source without arm64 is no reason to stop; what is missing then shows below.
    get update || true
    # Debian 13 names OpenSSL anew, has it compress by zlib and zstd, and has the static emulator in qemu-user.
    (
        cd "$apt/packages" &&
            get download {libc6,libgcc-s1,libstdc++6,libzstd1,zlib1g}:arm64 &&
            { get download libssl3t64:arm64 2>/dev/null || get download libssl3:arm64; } &&
            get download qemu-user-static &&
            { dpkg-deb --contents qemu-user-static_*.deb | grep '^-.*/qemu-aarch64-static$' >/dev/null || get download qemu-user; }
    ) || return 1

    # Where packages have no /lib, as from Debian 13 on, this is the one that programs ask for.
    ln -s usr/lib "$fetched/lib"
    for package in "$apt"/packages/*.deb; do
        # Only what Arm needs of some 40 emulators.
        dpkg-deb --fsys-tarfile "$package" |
            tar -x -C "$fetched" --keep-directory-symlink --wildcards \
                --exclude='*/share/*' --exclude='*/qemu-[!a]*' --exclude='*/qemu-a[!a]*' --exclude='*_be*'
    done
    rm -rf "$apt"
}

if ! { find_emulator && find_libraries; } >/dev/null && $fetch; then
    echo "Fetching the emulator and Arm libraries from Debian."
    fetch_packages || echo "apt-get could not fetch them."
fi

if ! emulator="$(find_emulator)"; then
    echo "Arm tests not run: qemu-aarch64 is not installed (Debian package qemu-user-static)."
    exit "$not_installed"
fi

if ! libraries="$(find_libraries)"; then
    echo "Arm tests not run: the Arm libraries are not installed (Debian packages libc6:arm64, libstdc++6:arm64, libssl3:arm64)."
    exit "$not_installed"
fi

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

# A build of its own, so that it never meets the one for this machine.
rm -rf "$publish"
dotnet publish Q4Gen.Tests -c Release -r linux-arm64 --self-contained --artifacts-path "$work/build" -o "$publish"

mkdir -p "$results"

# Far above what a run takes on a busy machine; an emulated program that hangs must not hold up everything.
readonly limit=600

# run NAME CPU PROCESSOR [FILTER…]: executes tests on a processor that QEMU calls CPU and that the tests, which refuse to
# run on any other, call PROCESSOR.
run() {
    local name="$1" cpu="$2" processor="$3" host="$work/host-$1" trx="$results/arm64-$1.trx" status=0
    shift 3

    # Tests that need a process of their own start it by this.
    cat >"$host" <<END
#!/bin/sh
# Culture data of the emulated system would need one more package, and no kernel reads it.
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
# Code that is mapped twice, to be written here and executed there, is work for the emulator without a gain.
export DOTNET_EnableWriteXorExecute=0
# Counting calls to optimise test code better costs more here than it brings.
export DOTNET_TieredPGO=0
exec "$emulator" -L "$libraries" -cpu $cpu "$publish/Q4Gen.Tests" "\$@"
END
    chmod +x "$host"
    rm -f "$trx"

    echo "Tests on $processor (qemu-aarch64 -cpu $cpu):"
    Q4GEN_TEST_HOST="$host" Q4GEN_TEST_EXPECTED_PROCESSOR="$processor" timeout --kill-after=10 "$limit" \
        "$host" -noColor -noLogo -trait- Emulated=Never "$@" -trx "$trx" || status=$?

    if [[ ! -s $trx ]]; then
        echo "The run on $processor ended with status $status before it had results (124: longer than $limit s; 134, 139: a crash)." >&2
        return 1
    fi

    if ! grep -q '<UnitTestResult ' "$trx"; then
        echo "No test ran on $processor." >&2
        return 1
    fi

    return "$((status != 0))"
}

# The guards themselves have been tested by then, and take a process each.
status=0
run dp max 'Arm64 AdvSimd Dp' -namespace Q4Gen.Tests.Kernels -namespace Q4Gen.Tests.Runtime || status=1
run plain cortex-a72 'Arm64 AdvSimd' -namespace Q4Gen.Tests.Kernels -class- Q4Gen.Tests.Kernels.GuardPageTests || status=1
exit "$status"
