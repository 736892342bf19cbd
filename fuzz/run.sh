#!/usr/bin/env bash
# Runs the fuzz targets one after the other; all of them unless some are named.
#
#   fuzz/run.sh [TARGET…]       each for FUZZ_SECONDS (30)
#   fuzz/run.sh --can-run       only says what is missing, if anything is
#
# What is built and what the fuzzer finds stays in the user's cache; `fuzz/corpus` is read and never written.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/opstream/fuzz
seconds=${FUZZ_SECONDS:-30}

missing=()
cargo +nightly --version >/dev/null 2>&1 ||
    missing+=("a nightly compiler, which can instrument code: rustup toolchain install nightly --profile minimal")
command -v cargo-fuzz >/dev/null || missing+=("cargo-fuzz: cargo install --locked cargo-fuzz")
command -v c++ >/dev/null || missing+=("a C++ compiler, which builds the fuzzer: sudo apt-get install g++ (or Fedora's gcc-c++)")
if ((${#missing[@]} > 0)); then
    echo "fuzzing needs:" >&2
    printf '  %s\n' "${missing[@]}" >&2
    exit 1
fi
[[ ${1:-} != --can-run ]] || exit 0

export CARGO_TARGET_DIR=$cache/target
# No sanitizer: our own code has no unsafe blocks, and without one the build is smaller and the runs are quicker.
cargo_fuzz() { (cd .. && cargo +nightly fuzz "$@"); }

began=$SECONDS
cargo_fuzz build --sanitizer none
echo "built in $((SECONDS - began)) s"

targets=("$@")
((${#targets[@]} > 0)) || mapfile -t targets < <(cargo_fuzz list)
for target in "${targets[@]}"; do
    found=$cache/corpus/$target crashes=$cache/crashes/$target log=$cache/$target.log
    mkdir -p "$found" "$crashes"
    if ! cargo_fuzz run --sanitizer none "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1500 -artifact_prefix="$crashes/" >"$log" 2>&1; then
        grep -m 1 -A 2 "panicked at" "$log" >&2 || tail -n 20 "$log" >&2
        echo "$target failed; its log is $log and its input the newest file in $crashes. Copy that into fuzz/corpus/$target:" \
            "then the crate's own tests fail too, until it is mended" >&2
        exit 1
    fi
    echo "$target: $(sed -n 's/^Done //p' "$log"), $(find "corpus/$target" "$found" -type f | wc -l) inputs known"
done
