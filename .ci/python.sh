#!/usr/bin/env bash
# A Python environment with the stock clients of requirements.txt, in the user's cache. Prints its interpreter as a
# line for `eval`. Does nothing more when the environment is complete.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"

environment=$cache_folder/python
installed=$environment/requirements.txt

if ! cmp --silent "$here/requirements.txt" "$installed" || ! "$environment/bin/python" -c '' 2>/dev/null; then
    # Debian keeps the module that creates environments in a package of its own.
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3 python3-venv
    say "installing the stock Python clients"
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$installed"
fi
echo "export OPSTREAM_TEST_PYTHON=$environment/bin/python"
