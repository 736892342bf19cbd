#!/usr/bin/env bash
# One PostgreSQL server for the tests: loopback only, fsync on, its own port, in a folder of its own.
#
#   postgres.sh start FOLDER   starts a server in FOLDER/postgres, empty or after a crash with its data, and prints its
#                              address as a line for `eval`; if it runs already, only prints
#   postgres.sh crash FOLDER   ends it at once, without a checkpoint, and leaves FOLDER/postgres as it is
#   postgres.sh stop FOLDER    stops it and deletes FOLDER/postgres
#
# As root the server runs as user `postgres`, who must be able to enter FOLDER.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"

usage="usage: postgres.sh start|crash|stop FOLDER"
command=${1:?$usage} folder=${2:?$usage}/postgres

# Prints the folder with initdb: Debian's newest version, else whatever the PATH has.
find_programs() {
    local newest
    newest=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [[ -n $newest ]] || newest=$(command -v initdb) || return 1
    dirname "$newest"
}

install_postgres() {
    # Without this the package would start a server of its own.
    if [[ $EUID -eq 0 && ! -e /etc/postgresql-common/createcluster.conf ]]; then
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    fi
    install_packages postgresql
}

# PostgreSQL refuses to run as root.
as_server_user() {
    if [[ $EUID -eq 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi
}

create_server() {
    local port=$1 password
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' ')
    rm -rf "$folder"
    mkdir -p "$folder"
    (umask 077 && printf '%s' "$password" >"$folder/password")
    [[ $EUID -ne 0 ]] || chown -R postgres: "$folder"
    as_server_user "$programs/initdb" --pgdata="$folder/data" --username=opstream --pwfile="$folder/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-instructions >"$folder/initdb.output" 2>&1 ||
        fail "initdb failed: $(cat "$folder/initdb.output")"
    cat >>"$folder/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
fsync = on
synchronous_commit = on
max_connections = 200
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min
log_min_messages = warning
SETTINGS
    echo "postgres://opstream:$password@127.0.0.1:$port/postgres" >"$folder/address"
}

start() {
    programs=$(find_programs) || { install_postgres && programs=$(find_programs); }
    if ! as_server_user "$programs/pg_ctl" status --pgdata="$folder/data" >/dev/null 2>&1; then
        [[ -e $folder/crashed ]] || create_server "$(free_port)"
        rm -f "$folder/crashed"
        say "starting $("$programs/postgres" --version) in $folder"
        as_server_user "$programs/pg_ctl" start --wait --timeout=60 --pgdata="$folder/data" \
            --log="$folder/output" >/dev/null ||
            fail "PostgreSQL did not start: $(tail -n 40 "$folder/output")"
    fi
    echo "export OPSTREAM_TEST_POSTGRES=$(cat "$folder/address")"
}

crash() {
    programs=$(find_programs)
    touch "$folder/crashed"
    as_server_user "$programs/pg_ctl" stop --mode=immediate --pgdata="$folder/data" >/dev/null
}

stop() {
    if [[ -e $folder/data/postmaster.pid ]]; then
        programs=$(find_programs)
        as_server_user "$programs/pg_ctl" stop --mode=fast --pgdata="$folder/data" >/dev/null
    fi
    rm -rf "$folder"
}

case $command in
start) start ;;
crash) crash ;;
stop)
    say "stopping PostgreSQL"
    stop
    ;;
*) fail "$usage" ;;
esac
