#!/usr/bin/env bash
# Python environments in the user's cache: one with the stock clients of requirements.txt, one with the instrumentations of
# requirements-opentelemetry.txt. Prints their interpreters as lines for `eval`. Does nothing more when both are complete.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"

# environment FOLDER REQUIREMENTS WHAT: brings it to these requirements.
environment() {
    local environment=$cache_folder/$1 requirements=$here/$2 what=$3
    local installed=$environment/requirements.txt
    if cmp --silent "$requirements" "$installed" && "$environment/bin/python" -c '' 2>/dev/null; then return; fi
    # Debian keeps the module that creates environments in a package of its own.
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3 python3-venv
    say "installing $what"
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
    cp "$requirements" "$installed"
}

environment python requirements.txt "the stock Python clients"
environment python-opentelemetry requirements-opentelemetry.txt "the instrumentations of OpenTelemetry"
echo "export OPSTREAM_TEST_PYTHON=$cache_folder/python/bin/python"
echo "export OPSTREAM_TEST_OPENTELEMETRY_PYTHON=$cache_folder/python-opentelemetry/bin/python"
