#!/usr/bin/env bash
# Builds the Python client into an environment of its own in the user's cache, and runs its linters and tests. May be run again at any
# time. The compiled crates are kept in CARGO_TARGET_DIR, by default beside the others. With OPSTREAM_TEST_BINARY, or where
# `opstream` is built there already, a pipeline is started too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"
source "$here/downloads.sh"
client=$here/../producer/python

environment=$cache_folder/python-client
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/../target}

python_environment python-client "$client/requirements.txt" "what the Python client is tested with"

if [[ -z ${OPSTREAM_TEST_BINARY:-} && -x $CARGO_TARGET_DIR/debug/opstream ]]; then
    export OPSTREAM_TEST_BINARY=$CARGO_TARGET_DIR/debug/opstream
fi

cd "$client"
export PATH=$environment/bin:$PATH VIRTUAL_ENV=$environment
say "building the Python client"
# The profile of `make up`, whose dependencies are compiled already.
maturin develop --quiet --locked --profile dev >&2
say "checking and testing the Python client"
ruff check --quiet .
ruff format --quiet --check .
mypy >&2
python -m pytest --quiet "$@"
