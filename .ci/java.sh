#!/usr/bin/env bash
# The stock Java clients of java/pom.xml, in the user's cache, and a Java that compiles. Prints the folder of the jars as a line for
# `eval`. Does nothing more when everything is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"
source "$here/downloads.sh"

command -v javac >/dev/null || install_packages openjdk-17-jdk-headless
fetch_jars java "the stock Java clients"
echo "export OPSTREAM_TEST_JAVA_JARS=$jars"
