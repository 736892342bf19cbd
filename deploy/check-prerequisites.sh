#!/usr/bin/env bash
# Names everything that a build from source lacks, with the package to install, before anything is compiled.
#
# What is needed and by which part of the build:
#   Rust            version as `rust-version` in Cargo.toml
#   C compiler      SQLite, zstd, lz4, ring and librdkafka are compiled from source
#   C++ compiler    librdkafka builds its C++ library too
#   make, bash      librdkafka's own configure and Makefile
# Not needed: cmake, clang, Go, protoc, Perl, Python, OpenSSL, and zlib's headers (compiled from source when absent).
# Node.js is optional; build-dashboard.sh looks for it.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

missing=()

# Adds a line to the report: what is missing, and its package on Debian, Fedora and macOS.
lacks() {
    local what=$1 debian=$2 fedora=$3 macos=$4 install
    if command -v apt-get >/dev/null; then
        install="sudo apt-get install $debian"
    elif command -v dnf >/dev/null; then
        install="sudo dnf install $fedora"
    elif [[ $(uname) == Darwin ]]; then
        install=$macos
    else
        install="install $debian (Debian's name) or $fedora (Fedora's name)"
    fi
    missing+=("$what: $install")
}

# True when version $1 is at least version $2.
at_least() { [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null || ! found=$(rustc --version 2>/dev/null); then
        missing+=("Rust $wanted or later: install it with rustup, as the Rust project's own site describes")
        return
    fi
    found=${found#rustc }
    found=${found%% *}
    at_least "$found" "$wanted" || missing+=("Rust $wanted or later, found $found: rustup update stable")
}

# The compilers are tried, not just looked up: a compiler without the C library's headers cannot build either.
check_compilers() {
    printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' |
        ${CC:-cc} -x c -o /dev/null - 2>/dev/null ||
        lacks "a working C compiler (${CC:-cc})" "gcc libc6-dev" "gcc" "xcode-select --install"
    printf '#include <string>\nint main() { return std::string().size(); }\n' |
        ${CXX:-c++} -x c++ -o /dev/null - 2>/dev/null ||
        lacks "a working C++ compiler (${CXX:-c++})" "g++" "gcc-c++" "xcode-select --install"
}

check_tools() {
    command -v make >/dev/null || lacks "make" "make" "make" "xcode-select --install"
    command -v ar >/dev/null || lacks "ar" "binutils" "binutils" "xcode-select --install"
}

# Says how long the first build takes, since nothing else would until it is over.
announce_build() {
    local target=${CARGO_TARGET_DIR:-target}
    [[ -d $target/debug/deps ]] ||
        echo "The first build compiles several hundred crates: 10 to 20 minutes on two cores. Later ones take seconds."
}

check_rust
check_compilers
check_tools
if ((${#missing[@]} > 0)); then
    echo "opstream cannot be built yet. Missing:" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
fi
announce_build
