"""How many spans per second Arize Phoenix takes over OTLP/HTTP, from the first request until all can be queried.

In: the number of spans. Out: one JSON object on standard output. Phoenix runs as its users start it, with SQLite in a
folder of its own. The spans carry what an operation of the benchmark carries, under OpenInference's names, and are
serialised before the clock starts.
"""

import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

# The default batch of OpenTelemetry's exporters.
SPANS_PER_REQUEST = 512
SENDERS = 4
SPANS_PER_TRACE = 4
SPANS_PER_SESSION = 12
# Rare enough not to slow down what is measured.
LOOK_EVERY_S = 0.25
STARTS_WITHIN_S = 120
SETTLES_WITHIN_S = 900


def main():
    n_spans = int(sys.argv[1])
    bodies = [make_request(min(SPANS_PER_REQUEST, n_spans - at)) for at in range(0, n_spans, SPANS_PER_REQUEST)]
    with tempfile.TemporaryDirectory(prefix="opstream-peer-") as folder, free_port() as port:
        server = start(folder, port)
        try:
            wait_until_ready(server, port)
            started = time.perf_counter()
            send_all(bodies, port)
            accepted = time.perf_counter() - started
            wait_until_queryable(n_spans, port)
            queryable = time.perf_counter() - started
            peak = peak_memory_kib(server.pid)
        finally:
            server.terminate()
            server.wait(timeout=60)
    print(json.dumps({
        "spans": n_spans,
        "accepted_per_second": n_spans / accepted,
        "queryable_per_second": n_spans / queryable,
        "peak_memory_bytes": peak * 1024,
    }))


class free_port:
    """A loopback port that is free now."""

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def __exit__(self, *_):
        return False


def start(folder, port):
    environment = {
        **os.environ,
        "PHOENIX_WORKING_DIR": folder,
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    serve = pathlib.Path(__file__).with_name("serve.py")
    log = open(os.path.join(folder, "phoenix.log"), "wb")
    return subprocess.Popen([sys.executable, serve], env=environment, cwd=folder, stdout=log, stderr=log)


def wait_until_ready(server, port):
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert server.poll() is None, "Phoenix ended while starting"
        try:
            if request(port, "GET", "/healthz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"Phoenix did not start within {STARTS_WITHIN_S} s")


def request(port, method, path, body=None, content_type="application/json"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"content-type": content_type} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def send_all(bodies, port):
    left = list(bodies)
    failures = []

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            try:
                body = left.pop()
            except IndexError:
                return
            while not post(connection, body, failures):
                time.sleep(0.05)

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert not failures, f"Phoenix refused spans: {failures[0]}"


def post(connection, body, failures):
    """Whether the request needs no repetition. Phoenix answers 429 or 503 while its queue is full."""
    connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status in (429, 503):
        return False
    if answer.status != 200:
        failures.append(f"{answer.status} {text[:200]!r}")
    return True


def wait_until_queryable(n_spans, port):
    query = json.dumps({"query": "{ projects { edges { node { recordCount } } } }"})
    deadline = time.monotonic() + SETTLES_WITHIN_S
    count = None
    while time.monotonic() < deadline:
        status, text = request(port, "POST", "/graphql", query)
        assert status == 200, text
        count = sum(edge["node"]["recordCount"] for edge in json.loads(text)["data"]["projects"]["edges"])
        if count == n_spans:
            return
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError(f"{count} of {n_spans} spans could be queried after {SETTLES_WITHIN_S} s")


def make_request(n_spans):
    export = ExportTraceServiceRequest()
    spans = export.resource_spans.add().scope_spans.add().spans
    for number in range(n_spans):
        if number % SPANS_PER_SESSION == 0:
            session = f"session-{random.getrandbits(32):08x}"
        if number % SPANS_PER_TRACE == 0:
            trace_id = os.urandom(16)
        fill(spans.add(), trace_id, session)
    return export.SerializeToString()


def fill(span, trace_id, session):
    end = time.time_ns()
    span.trace_id, span.span_id, span.name, span.kind = trace_id, os.urandom(8), "chat", 3
    span.start_time_unix_nano, span.end_time_unix_nano = end - random.randint(10**8, 10**10), end
    span.status.code = Status.STATUS_CODE_OK
    texts = {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": "gpt-5-mini-2026-08-07",
        "session.id": session,
        "user.id": f"user-{random.randint(1, 5000)}",
        "agent.name": "triage",
        "metadata": '{"team":"customer-care","project":"support-assistant","release":"2026.11.3"}',
    }
    for name, text in texts.items():
        attribute = span.attributes.add()
        attribute.key, attribute.value.string_value = name, text
    counts = {
        "llm.token_count.prompt": random.randint(10, 7000),
        "llm.token_count.completion": random.randint(6, 900),
        "llm.token_count.total": 2275,
    }
    for name, count in counts.items():
        attribute = span.attributes.add()
        attribute.key, attribute.value.int_value = name, count


def peak_memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


main()
