# For scripts that run Arm code with QEMU's user-mode emulator. Source it at the root of the repository.

# Where scripts/test-arm64.sh --fetch unpacks the emulator and Arm's libraries.
readonly fetched="$PWD/artifacts/arm64/debian"

# The emulator: the installed one, or the fetched one. Prints its path.
find_emulator() {
    command -v qemu-aarch64 || command -v qemu-aarch64-static || {
        local file
        for file in "$fetched"/usr/bin/qemu-aarch64{,-static}; do
            if [[ -x $file ]]; then
                echo "$file"
                return
            fi
        done
        return 1
    }
}

# The folder under which the Arm loader, the C and C++ libraries and OpenSSL (test ids are hashes) lie.
find_libraries() {
    local root
    for root in "" "$fetched"; do
        if [[ -e $root/lib/ld-linux-aarch64.so.1 && -e $root/usr/lib/aarch64-linux-gnu/libstdc++.so.6 &&
            -e $root/usr/lib/aarch64-linux-gnu/libssl.so.3 ]]; then
            echo "${root:-/}"
            return
        fi
    done
    return 1
}
