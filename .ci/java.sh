#!/usr/bin/env bash
# The stock Java clients of java/pom.xml, in the user's cache, and a Java that compiles. Prints the folder of the jars as a line for
# `eval`. Does nothing more when everything is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"

jars=$cache_folder/java/$(cksum <"$here/java/pom.xml" | cut -d' ' -f1)
command -v javac >/dev/null || install_packages openjdk-17-jdk-headless
if [[ ! -d $jars ]]; then
    command -v mvn >/dev/null || install_packages maven
    say "fetching the stock Java clients"
    mkdir -p "$cache_folder/java"
    unfinished=$(mktemp -d "$cache_folder/java/unfinished.XXXXXX")
    mvn --quiet --batch-mode --file "$here/java/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$unfinished" >"$unfinished/output" 2>&1 ||
        fail "Maven could not fetch them: $(cat "$unfinished/output")"
    rm "$unfinished/output"
    mv "$unfinished" "$jars"
fi
echo "export OPSTREAM_TEST_JAVA_JARS=$jars"
