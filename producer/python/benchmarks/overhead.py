"""What one recorded call costs the application: opstream beside AiCore's collector and Langfuse's SDK, in one run.

    pip install -r producer/python/benchmarks/requirements.txt
    python producer/python/benchmarks/overhead.py [--calls 2000] [--bootstrap 127.0.0.1:9092]

Every system records the same call, a chat of about 700 bytes, and each of its calls is timed on its own. Rounds of all systems
alternate, so that what else the machine does meets all of them. Prints a Markdown table; what is not installed is named.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import opstream

ROUNDS = 5
CALL: dict[str, Any] = {
    "completion_args": {
        "model": "gpt-5-mini",
        "temperature": 0.2,
        "max_tokens": 1024,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant of a shop. Answer in two sentences. " * 2},
            {"role": "user", "content": "Where is the parcel with the blue shoes that I ordered last week? " * 3},
        ],
    },
    "operation_type": "completion",
    "provider": "openai",
    "response": "It left our warehouse on Tuesday and reaches you tomorrow before noon. " * 3,
    "session_id": "session-1",
    "agent_id": "support",
    "action_id": "answer",
    "input_tokens": 120,
    "output_tokens": 45,
    "cost": 0.00012,
    "latency_ms": 812.5,
}

Record = Callable[[], object]


class NotRun(Exception):
    """Why a system is not measured."""


def opstream_to_file(folder: Path, *, capture: str) -> Record:
    """opstream, to a file of JSON lines."""
    client = opstream.Client(
        json_lines=folder / f"opstream-{capture}.jsonl", capture=capture, queue_operations=1_000_000
    )
    return lambda: opstream.record_completion(**CALL, client=client)


def opstream_to_broker(bootstrap: str) -> Record:
    """opstream, to a Kafka broker."""
    client = opstream.Client(bootstrap=bootstrap, capture="on", queue_operations=1_000_000)
    return lambda: opstream.record_completion(**CALL, client=client)


def opstream_fields(folder: Path) -> Record:
    """opstream's own call, with counts alone."""
    client = opstream.Client(json_lines=folder / "opstream-fields.jsonl")
    counts = {"input_tokens": 120, "output_tokens": 45, "latency_ms": 812.5, "session_id": "session-1"}
    return lambda: client.record(provider="openai", model="gpt-5-mini", **counts)  # type: ignore[typeddict-item]


def aicore_collector(folder: Path, *, database: bool) -> Record:
    """AiCore's collector, to its JSON files or to SQLite."""
    for name in ("CONNECTION_STRING", "ASYNC_CONNECTION_STRING", "OBSERVABILITY_DISABLE_JSON"):
        os.environ.pop(name, None)
    if database:
        os.environ["OBSERVABILITY_DISABLE_JSON"] = "true"
        os.environ["CONNECTION_STRING"] = f"sqlite:///{folder}/aicore.db"
    try:
        from aicore.observability.collector import LlmOperationCollector
    except Exception as error:
        raise NotRun(f"core-for-ai cannot be imported: {error}") from None
    collector = LlmOperationCollector.fom_observable_storage_path(str(folder / "aicore"))
    if database and collector._engine is None:
        raise NotRun("AiCore did not open SQLite; is sqlalchemy installed?")
    return lambda: collector.record_completion(**CALL)


def langfuse_sdk(host: str) -> Record:
    """Langfuse's SDK, to a server that takes everything."""
    try:
        from langfuse import Langfuse
    except Exception as error:
        raise NotRun(f"langfuse cannot be imported: {error}") from None
    langfuse = Langfuse(public_key="pk-lf-1", secret_key="sk-lf-1", base_url=host, flush_interval=1)

    def record() -> None:
        generation = langfuse.start_observation(
            name="answer",
            as_type="generation",
            model="gpt-5-mini",
            input=CALL["completion_args"]["messages"],
            output=CALL["response"],
            model_parameters={"temperature": 0.2, "max_tokens": 1024},
            usage_details={"input": 120, "output": 45},
            cost_details={"total": 0.00012},
            metadata={"session_id": "session-1", "agent_id": "support"},
        )
        generation.end()

    return record


SINK = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200); self.send_header("content-length", "2"); self.end_headers(); self.wfile.write(b"{}")
    do_GET = do_POST
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def measure(record: Record, calls: int) -> tuple[list[int], int]:
    """Nanoseconds of each call, and of the calling thread's processor over all of them."""
    clock = time.perf_counter_ns
    walls = []
    before = time.thread_time_ns()
    for _ in range(calls):
        begun = clock()
        record()
        walls.append(clock() - begun)
    return walls, time.thread_time_ns() - before


def systems(folder: Path, sink: str, bootstrap: str | None) -> dict[str, Callable[[], Record]]:
    """What is measured, by its name in the table. The first is what the budget is about."""
    named: dict[str, Callable[[], Record]] = {
        "opstream `record_completion`, content kept": lambda: opstream_to_file(folder, capture="on"),
        "opstream `record_completion`, without content": lambda: opstream_to_file(folder, capture="off"),
        "opstream `record`, counts alone": lambda: opstream_fields(folder),
    }
    if bootstrap:
        named[f"opstream `record_completion`, content kept, broker {bootstrap}"] = lambda: opstream_to_broker(bootstrap)
    named["AiCore `record_completion`, JSON"] = lambda: aicore_collector(folder, database=False)
    named["AiCore `record_completion`, SQLite"] = lambda: aicore_collector(folder, database=True)
    named["Langfuse `start_observation` + `end`"] = lambda: langfuse_sdk(sink)
    return named


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--calls", type=int, default=2000, help="calls of each system, over all rounds (slow ones make fewer)"
    )
    parser.add_argument(
        "--bootstrap", help="a Kafka broker, such as that of `opstream up`; by default a file is written"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sink = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
        try:
            assert sink.stdout is not None
            address = f"http://127.0.0.1:{sink.stdout.readline().strip()}"
            report(systems(Path(temporary), address, arguments.bootstrap), arguments.calls)
        finally:
            sink.terminate()


def report(named: dict[str, Callable[[], Record]], calls: int) -> None:
    """Runs the rounds, and prints what they say."""
    records: dict[str, Record] = {}
    for name, begin in named.items():
        try:
            records[name] = begin()
            measure(records[name], 20)
        except NotRun as reason:
            print(f"not run: {name}: {reason}", file=sys.stderr)
    walls: dict[str, list[int]] = {name: [] for name in records}
    processor = dict.fromkeys(records, 0)
    for _ in range(ROUNDS):
        for name, record in records.items():
            # AiCore's collector takes milliseconds, and the more the longer it lives.
            share = calls if name.startswith("opstream") else min(calls, 500)
            times, thread = measure(record, max(share // ROUNDS, 1))
            walls[name] += times
            processor[name] += thread
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {ROUNDS} alternating rounds, µs per call:\n")
    print("| what records the call | calls | median | mean | 99th percentile | processor time of the caller |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, times in walls.items():
        ordered = sorted(times)
        figures = [statistics.median(ordered), statistics.fmean(ordered), ordered[len(ordered) * 99 // 100]]
        cells = [f"{nanos / 1000:,.1f}" for nanos in [*figures, processor[name] / len(times)]]
        print(f"| {name} | {len(times):,} | {' | '.join(cells)} |")
    print(f"\nThe recorded call has {len(json.dumps(CALL)):,} bytes of JSON.")


if __name__ == "__main__":
    main()
