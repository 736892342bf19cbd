# shellcheck shell=bash
# Sourced by the scripts beside it: saying what happens, free ports, and stopping exactly what was started.

# Prints a step with the seconds since the script started. Standard output belongs to the results.
say() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# Prints a loopback port on which nothing listens, below the range from which the kernel takes ports itself.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! answers "$port"; then
            echo "$port"
            return
        fi
    done
}

# True when something listens on this loopback port.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# True when the process named in the file runs and its command line still mentions the folder: a process id is
# used again after a restart of the machine, and nobody else's process is ever to be stopped.
runs() {
    local pid_file=$1 folder=$2 pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    [[ $(command_line "$pid") == *"$folder"* ]]
}

# Prints the command line of a process. Slim containers have no `ps`, and macOS has no /proc.
command_line() {
    if [[ -d /proc/self ]]; then
        [[ ! -r /proc/$1/cmdline ]] || tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null || true
    else
        ps -ww -o args= -p "$1" 2>/dev/null || true
    fi
}

# Stops that process: asks, waits up to 20 seconds, then kills it.
stop_process() {
    local pid_file=$1 folder=$2 pid
    runs "$pid_file" "$folder" || return 0
    pid=$(cat "$pid_file")
    kill -TERM "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        runs "$pid_file" "$folder" || return 0
        sleep 0.2
    done
    kill -KILL "$pid" 2>/dev/null || true
}

# Kills that process and waits until it is gone.
kill_process() {
    local pid_file=$1 folder=$2
    runs "$pid_file" "$folder" || return 0
    kill -KILL "$(cat "$pid_file")"
    while runs "$pid_file" "$folder"; do sleep 0.05; done
}

# Installs Debian packages where that is possible without asking anyone: as root, with apt-get.
install_packages() {
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        fail "missing packages (Debian's names): $*"
    fi
    say "installing $*"
    if [[ -z ${package_lists_are_fresh:-} ]]; then
        apt-get -qq update >&2
        package_lists_are_fresh=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >&2
}

# Everything that later runs can use again: jars, the Python environment, compiled crates.
# shellcheck disable=SC2034 # used by the scripts that source this one
cache_folder=${XDG_CACHE_HOME:-$HOME/.cache}/opstream
