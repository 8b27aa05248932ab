#!/usr/bin/env bash
# Brings ptxas, NVIDIA's assembler for PTX, to a machine without a CUDA toolkit or a GPU: from Debian's package of the
# toolkit (non-free; Ubuntu has it in multiverse) it unpacks that one program. Nothing is installed, no source of the
# system changes, and no root is needed. Tests that assemble the GPU kernels find it (Q4Gen.Tests/Gpu/PtxAssembler.cs).
#
#   scripts/get-ptxas.sh [folder]
#
#   folder   where ptxas and its licence are put; artifacts/ptxas by default
#
# The last line that it prints is the path of ptxas and its release. Where a ptxas is on PATH, or in the folder already,
# that is the one. Exit status: 0 where there is a ptxas that runs, 1 where there is none (one sentence says why).
set -euo pipefail

readonly default_folder="$(dirname "${BASH_SOURCE[0]}")/../artifacts/ptxas"
readonly package=nvidia-cuda-toolkit
. "$(dirname "${BASH_SOURCE[0]}")/lib/private-apt.sh"

fail() {
    echo "get-ptxas.sh: $*" >&2
    exit 1
}

# report PTXAS: the last line, and the end.
report() {
    local release
    release="$("$1" --version 2>/dev/null | sed -n 's/.*\(release .*\)/\1/p')" || true
    [[ -n $release ]] || fail "$1 does not run on this machine; remove it, or run it by hand to see why."
    echo "$1: $release"
    exit 0
}

(($# <= 1)) || fail "it takes one folder at most, not $#."
[[ ${1:-} != -* ]] || fail "it has no option $1; usage: scripts/get-ptxas.sh [folder]."

if on_path="$(command -v ptxas)"; then
    report "$on_path"
fi

mkdir -p "${1:-$default_folder}" || fail "it cannot make the folder ${1:-$default_folder}."
folder="$(cd "${1:-$default_folder}" && pwd)"
readonly folder
if [[ -x $folder/ptxas ]]; then
    report "$folder/ptxas"
fi

platform="$(uname -sm)"
[[ $platform == "Linux x86_64" ]] || fail "Debian's ptxas is for Linux on x86-64, and this is $platform."
command -v apt-get dpkg-deb >/dev/null || fail "it needs apt-get and dpkg-deb, as Debian and Ubuntu have them; else install a CUDA toolkit."

# Beside the result, so that moving it there is one step: a run that was cut short leaves no half a program.
work="$(mktemp -d "$folder/.fetch.XXXXXX")" || fail "it cannot write in $folder."
readonly work
trap 'rm -rf "$work"' EXIT
private_apt_prepare "$work"

echo "Fetching $package, some 84 MB, for the one program in it."

# The archives that this machine uses, but with the component that holds the package. A source that is not there, or has
# no such component, is no reason to stop; what is missing then shows below.
private_apt update || true
private_apt indextargets --format '$(ORIGIN) $(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk '$1 == "Debian" { print "deb", $2, $3, "non-free" } $1 == "Ubuntu" { print "deb", $2, $3, "multiverse" }' |
    sort -u >"$work/sources.list"
[[ -s $work/sources.list ]] || fail "apt reaches no archive of Debian or Ubuntu; is there a network?"
private_apt_sources
private_apt update || true
private_apt download "$package" || fail "apt-get could not fetch $package; is there a network?"
dpkg-deb --fsys-tarfile "$work/$package"_*.deb |
    tar -x -C "$work" ./usr/bin/ptxas "./usr/share/doc/$package/copyright" ||
    fail "$package could not be unpacked, or has no ptxas in it."

mv "$work/usr/share/doc/$package/copyright" "$folder/copyright"
mv "$work/usr/bin/ptxas" "$folder/ptxas"
echo "ptxas is NVIDIA's; its terms are in $folder/copyright."
report "$folder/ptxas"
