#!/usr/bin/env bash
# Tests the dashboard: types, what needs no browser, and then in Chromium a demo of its own, started from OPSTREAM_TEST_BINARY or where
# `opstream` is built already. Without a binary, or without Chromium and the right to install it, it says what was not run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"

binary=${OPSTREAM_TEST_BINARY:-${CARGO_TARGET_DIR:-$here/../target}/debug/opstream}
cd "$here/../api/dashboard"

say "building and testing the dashboard"
npm ci --silent --ignore-scripts --no-audit --no-fund >&2
npm run --silent build >&2
npm test >&2

browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [[ ! -x $binary ]]; then
    say "not run: the dashboard in a browser (there is no $binary)"
    exit
elif [[ -z $browser ]]; then
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        say "not run: the dashboard in a browser (Chromium is not installed)"
        exit
    fi
    install_packages chromium
    browser=$(command -v chromium)
fi

folder=$(mktemp -d /var/tmp/opstream-dashboard.XXXXXX)
stop_demo() {
    stop_process "$folder/pid" "$folder"
    rm -rf "$folder"
}
trap stop_demo EXIT

port=$(free_port)
say "starting a demo at 127.0.0.1:$port"
"$binary" up --demo --data "$folder/data" --listen "127.0.0.1:$port" --broker-listen "127.0.0.1:$(free_port)" \
    --otlp-listen "127.0.0.1:$(free_port)" >"$folder/output" 2>&1 &
echo $! >"$folder/pid"
# Not only ready: the demo fills the last day first, and its windows have to count it.
filled() { curl --silent --fail "http://127.0.0.1:$port/v1/totals" | grep --quiet --extended-regexp '"operations":[89][0-9]{4}'; }
for _ in $(seq 600); do
    ! filled || break
    runs "$folder/pid" "$folder" || fail "the demo ended: $(tail -n 20 "$folder/output")"
    sleep 0.2
done
filled || fail "the demo is not full after two minutes: $(tail -n 20 "$folder/output")"

say "checking the dashboard in $browser"
OPSTREAM_URL=http://127.0.0.1:$port CHROMIUM=$browser npm run --silent e2e -- "$@" >&2
