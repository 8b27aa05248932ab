#!/usr/bin/env bash
# Brings ptxas, NVIDIA's assembler for PTX, to a machine without a CUDA toolkit or a GPU: from Debian's package of the
# toolkit it unpacks that one program. Nothing is installed, and no root is needed. Tests that assemble the GPU kernels
# find it there (Q4Gen.Tests/Gpu/PtxAssembler.cs).
#
#   scripts/get-ptxas.sh [folder]
#
#   folder               where ptxas and its licence are put; artifacts/ptxas by default
#   Q4GEN_DEBIAN_MIRROR  another Debian archive than https://deb.debian.org/debian
#
# The last line that it prints is the path of ptxas and its release. Where a ptxas is on PATH, or in the folder already,
# that is the one. Exit status: 0 where there is a ptxas that runs, 1 where there is none (one sentence says why).
set -euo pipefail

readonly default_folder="$(dirname "${BASH_SOURCE[0]}")/../artifacts/ptxas"
readonly mirror="${Q4GEN_DEBIAN_MIRROR:-https://deb.debian.org/debian}"
readonly package=nvidia-cuda-toolkit
readonly index="$mirror/dists/bookworm/non-free/binary-amd64/Packages.xz"

fail() {
    echo "get-ptxas.sh: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null
}

# release PTXAS: "release 11.8, V11.8.89", or nothing where it does not run.
release() {
    "$1" --version 2>/dev/null | sed -n 's/.*\(release .*\)/\1/p'
}

# report PTXAS: the last line, and the end.
report() {
    local found
    found="$(release "$1")" || true
    [[ -n $found ]] || fail "$1 does not run on this machine; remove it, or run it by hand to see why."
    echo "$1: $found"
    exit 0
}

# get URL FILE. It is the connection that vouches for the list of packages and the sums in it, so curl, which can, follows
# redirections by https only.
get() {
    if has curl; then
        curl --silent --show-error --fail --location --proto-redir '=https' --retry 2 --connect-timeout 20 \
            --output "$2" "$1"
    else
        wget --no-verbose --tries=3 --timeout=20 --output-document="$2" "$1"
    fi
}

(($# <= 1)) || fail "it takes one folder at most, not $#."
[[ ${1:-} != -* ]] || fail "it has no option $1; usage: scripts/get-ptxas.sh [folder]."

if on_path="$(command -v ptxas)"; then
    echo "ptxas is on PATH already; nothing is fetched."
    report "$on_path"
fi

mkdir -p "${1:-$default_folder}" || fail "it cannot make the folder ${1:-$default_folder}."
folder="$(cd "${1:-$default_folder}" && pwd)"
readonly folder

if [[ -x $folder/ptxas ]]; then
    echo "ptxas is here already; nothing is fetched."
    report "$folder/ptxas"
fi

platform="$(uname -sm)"
[[ $platform == "Linux x86_64" ]] || fail "Debian's ptxas is for Linux on x86-64, and this is $platform."
has curl || has wget || fail "it needs curl or wget to fetch the package."
for tool in xz tar sha256sum; do
    has "$tool" || fail "it needs $tool to unpack and check the package."
done
has dpkg-deb || has ar || fail "it needs dpkg-deb, or ar from binutils, to unpack the package."

# Beside the result, so that moving it there is one step: a run that was cut short leaves no half a program.
work="$(mktemp -d "$folder/.fetch.XXXXXX")" || fail "it cannot write in $folder."
readonly work
trap 'rm -rf "$work"' EXIT

get "$index" "$work/Packages.xz" || fail "Debian's list of packages could not be fetched from $index; is there a network?"

# The list is of paragraphs, one a package. Updates of the package change its name, hence no fixed one here.
entry="$(xz -dc "$work/Packages.xz" |
    awk -v RS= -v name="Package: $package" '{ split($0, lines, "\n") } lines[1] == name')" ||
    fail "what came from $index is no list of packages."
file="$(sed -n 's/^Filename: //p' <<<"$entry")"
sum="$(sed -n 's/^SHA256: //p' <<<"$entry")"
size="$(sed -n 's/^Size: //p' <<<"$entry")"
[[ -n $file && -n $sum && -n $size ]] || fail "$index lists no package $package."

echo "Fetching $(basename "$file") from Debian, $(((size + 500000) / 1000000)) MB."
get "$mirror/$file" "$work/package.deb" || fail "the package could not be fetched from $mirror/$file; try again."
echo "$sum  $work/package.deb" | sha256sum --check --status ||
    fail "$mirror/$file is damaged: its SHA-256 is not the $sum that Debian lists; try again."

readonly wanted=(./usr/bin/ptxas "./usr/share/doc/$package/copyright")
if has dpkg-deb; then
    dpkg-deb --fsys-tarfile "$work/package.deb" | tar -x -C "$work" "${wanted[@]}"
else
    # To a file, for from a pipe tar does not see by itself how it is compressed.
    data="$(ar t "$work/package.deb" | grep '^data\.tar')"
    ar p "$work/package.deb" "$data" >"$work/$data"
    tar -x -f "$work/$data" -C "$work" "${wanted[@]}"
fi || fail "$(basename "$file") could not be unpacked, or has no ptxas in it."

mv "$work/${wanted[1]}" "$folder/copyright"
mv "$work/${wanted[0]}" "$folder/ptxas"
echo "ptxas is NVIDIA's; its terms are in $folder/copyright."
report "$folder/ptxas"
