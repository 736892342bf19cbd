#!/usr/bin/env bash
# One Apache Kafka broker for the tests: KRaft mode, one node, loopback only, from Kafka's own jars.
#
#   kafka.sh start FOLDER   starts a broker in FOLDER/kafka, with an empty log or after a crash with its own, waits until it
#                           is ready and prints the address as a line for `eval`; if it runs already, only prints
#   kafka.sh crash FOLDER   kills it and leaves FOLDER/kafka as it is
#   kafka.sh stop FOLDER    stops it and deletes FOLDER/kafka
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/processes.sh"
source "$here/downloads.sh"

usage="usage: kafka.sh start|crash|stop FOLDER"
command=${1:?$usage} folder=${2:?$usage}/kafka

require_java() {
    command -v java >/dev/null || install_packages openjdk-17-jre-headless
    local version
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
    ((version >= 17)) || fail "Kafka 4 needs Java 17 or later, found $version"
}

write_properties() {
    local port=$1 controller_port=$2
    cat >"$folder/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller_port
listeners=CLIENTS://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=CLIENTS://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
log.dirs=$folder/log

# A single node, so no topic of Kafka's own can have replicas; few partitions make it start faster.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

# As careful operators have it: topics are created on purpose.
auto.create.topics.enable=false
# Tests with one consumer do not wait for a second one.
group.initial.rebalance.delay.ms=0
PROPERTIES
}

start() {
    if ! runs "$folder/pid" "$folder"; then
        require_java
        fetch_jars kafka "Kafka's jars"
        local java=(java -Xms256m -Xmx768m "-Dlog4j2.configurationFile=$here/kafka/log4j2.properties" -cp "$jars/*")
        [[ -e $folder/crashed ]] || create_log
        rm -f "$folder/crashed"
        say "starting Kafka on $(cat "$folder/address")"
        setsid "${java[@]}" kafka.Kafka "$folder/server.properties" >"$folder/output" 2>&1 </dev/null &
        echo $! >"$folder/pid"
    fi
    wait_until_ready
    echo "export OPSTREAM_TEST_KAFKA=$(cat "$folder/address")"
}

# Uses `java` of its caller.
create_log() {
    rm -rf "$folder"
    mkdir -p "$folder"
    local port
    port=$(free_port)
    write_properties "$port" "$(free_port)"
    "${java[@]}" kafka.tools.StorageTool format --standalone --config "$folder/server.properties" \
        --cluster-id "$("${java[@]}" kafka.tools.StorageTool random-uuid)" >"$folder/output" 2>&1 ||
        fail "Kafka's log was not formatted: $(cat "$folder/output")"
    echo "127.0.0.1:$port" >"$folder/address"
}

wait_until_ready() {
    for _ in $(seq 300); do
        grep -q "Kafka Server started" "$folder/output" && return
        runs "$folder/pid" "$folder" || break
        sleep 0.2
    done
    tail -n 40 "$folder/output" >&2
    fail "Kafka did not start within a minute; the end of its log is above"
}

case $command in
start) start ;;
crash)
    touch "$folder/crashed"
    kill_process "$folder/pid" "$folder"
    ;;
stop)
    say "stopping Kafka"
    stop_process "$folder/pid" "$folder"
    rm -rf "$folder"
    ;;
*) fail "$usage" ;;
esac
