#!/usr/bin/env bash
# Python environments in the user's cache: one with the stock clients of requirements.txt, one with the instrumentations of
# requirements-opentelemetry.txt. Prints their interpreters as lines for `eval`. Does nothing more when both are complete.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"
source "$here/downloads.sh"

python_environment python "$here/requirements.txt" "the stock Python clients"
python_environment python-opentelemetry "$here/requirements-opentelemetry.txt" "the instrumentations of OpenTelemetry"
echo "export OPSTREAM_TEST_PYTHON=$cache_folder/python/bin/python"
echo "export OPSTREAM_TEST_OPENTELEMETRY_PYTHON=$cache_folder/python-opentelemetry/bin/python"
