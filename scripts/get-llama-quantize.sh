#!/usr/bin/env bash
# Brings llama-quantize, llama.cpp's own writer of GGUF files, to a machine that has none: Debian's package and the
# libraries that it runs on are unpacked in a folder. Nothing is installed, no source of the system changes, and no root is
# needed. Tests that read real files find it (Q4Gen.Tests/Import/LlamaQuantize.cs).
#
#   scripts/get-llama-quantize.sh [folder]
#
#   folder   where it is put; artifacts/llama by default
#
# The last line that it prints is the path of the program. Where one is on PATH, or in the folder already, that is the one.
# Exit status: 0 where there is one that runs, 1 where there is none (one sentence says why).
set -euo pipefail

readonly default_folder="$(dirname "${BASH_SOURCE[0]}")/../artifacts/llama"
readonly suite=forky
. "$(dirname "${BASH_SOURCE[0]}")/lib/private-apt.sh"
readonly packages=(llama.cpp-tools libllama0 libggml0 libc6 libstdc++6 libgcc-s1 libgomp1 libssl3t64 zlib1g libzstd1)

fail() {
    echo "get-llama-quantize.sh: $*" >&2
    exit 1
}

# report PROGRAM: the last line, and the end.
report() {
    local help
    help="$("$1" --help 2>&1)" || true
    [[ $help == *--allow-requantize* ]] || fail "$1 does not run on this machine; remove it, or run it by hand to see why."
    echo "$1"
    exit 0
}

(($# <= 1)) || fail "it takes one folder at most, not $#."
[[ ${1:-} != -* ]] || fail "it has no option $1; usage: scripts/get-llama-quantize.sh [folder]."

if on_path="$(command -v llama-quantize)"; then
    report "$on_path"
fi

mkdir -p "${1:-$default_folder}" || fail "it cannot make the folder ${1:-$default_folder}."
folder="$(cd "${1:-$default_folder}" && pwd)"
readonly folder
if [[ -x $folder/llama-quantize ]]; then
    report "$folder/llama-quantize"
fi

platform="$(uname -sm)"
[[ $platform == "Linux x86_64" ]] || fail "the packages are for Linux on x86-64, and this is $platform."
command -v apt-get dpkg-deb >/dev/null || fail "it needs apt-get and dpkg-deb, as Debian and Ubuntu have them; else install llama.cpp."

work="$(mktemp -d "$folder/.fetch.XXXXXX")" || fail "it cannot write in $folder."
readonly work
trap 'rm -rf "$work"' EXIT
private_apt_prepare "$work"

# The archive of Debian that this machine uses, but of a release that has the package. Which archives there are is known
# once their lists are here; a source that is not there is no reason to stop.
private_apt update || true
private_apt indextargets --format '$(ORIGIN) $(SITE) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$suite" '$1 == "Debian" && $3 !~ /security/ { print "deb", $2, suite, "main" }' |
    sort -u | head -n 1 >"$work/sources.list"
[[ -s $work/sources.list ]] || fail "apt reaches no archive of Debian; is there a network?"

private_apt_sources

echo "Fetching ${packages[0]} and its libraries, some 12 MB."
private_apt update || fail "apt-get reaches no archive with $suite; is there a network?"
private_apt download "${packages[@]}" || fail "apt-get could not fetch ${packages[0]}; is there a network?"
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/root" || fail "$package could not be unpacked."
done

# With the loader of its own C library, for this machine's may be older.
cat >"$work/llama-quantize" <<'END'
#!/usr/bin/env bash
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/root" && pwd)"
libraries="$root/usr/lib/x86_64-linux-gnu"
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/llama:$libraries/ggml" "$root/usr/bin/llama-quantize" "$@"
END
chmod +x "$work/llama-quantize"
rm -rf "$folder/root"
mv "$work/root" "$folder/root"
mv "$work/llama-quantize" "$folder/llama-quantize"
report "$folder/llama-quantize"
