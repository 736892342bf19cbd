# shellcheck shell=bash
# Sourced by the scripts beside it, after processes.sh: what is downloaded into the user's cache, once per version of its list.

# Sets `jars` to the folder of the jars of `here`/NAME/pom.xml, and fetches them if they are not there.
fetch_jars() {
    local name=$1 what=$2 unfinished
    local list=$here/$name/pom.xml
    jars=$cache_folder/$name/$(cksum <"$list" | cut -d' ' -f1)
    [[ -d $jars ]] && return
    command -v mvn >/dev/null || install_packages maven
    say "fetching $what"
    mkdir -p "$cache_folder/$name"
    unfinished=$(mktemp -d "$cache_folder/$name/unfinished.XXXXXX")
    mvn --quiet --batch-mode --file "$list" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$unfinished" >"$unfinished/output" 2>&1 ||
        fail "Maven could not fetch them: $(cat "$unfinished/output")"
    rm "$unfinished/output"
    mv "$unfinished" "$jars"
}

# Brings the Python environment NAME in the cache to these requirements.
python_environment() {
    local environment=$cache_folder/$1 requirements=$2 what=$3
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
