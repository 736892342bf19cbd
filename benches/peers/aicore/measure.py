"""What one call of AiCore's collector costs the application that makes it.

In: the number of calls. Out: one JSON object on standard output. `record_completion` is called as AiCore's own `Llm` calls
it after each completion, with a short prompt and answer, since AiCore always stores both; twelve calls share a session.
"""

import json
import os
import sys
import tempfile
import time

CALLS_PER_SESSION = 12


def call(collector, number):
    started = time.perf_counter_ns()
    collector.record_completion(
        completion_args={
            "model": "gpt-5-mini",
            "temperature": 0.2,
            "max_tokens": 2048,
            "messages": [
                {"role": "system", "content": "You answer questions of customers about their orders."},
                {"role": "user", "content": f"Where is my order {number}, and when will it arrive?"},
            ],
        },
        operation_type="completion",
        provider="openai",
        response="It left our warehouse this morning and will arrive tomorrow before noon.",
        session_id=f"session-{number // CALLS_PER_SESSION}",
        workspace="acme",
        agent_id="triage",
        action_id="answer",
        input_tokens=2048,
        output_tokens=227,
        cost=0.000966,
        latency_ms=1834.221,
    )
    return time.perf_counter_ns() - started


def measure(calls):
    from aicore.observability.collector import LlmOperationCollector

    # As for every `Llm` object, which has a collector of its own and then keeps it.
    collector = LlmOperationCollector.fom_observable_storage_path(os.environ["OBSERVABILITY_DATA_ROOT"])
    started = time.perf_counter()
    nanos = sorted(call(collector, number) for number in range(calls))
    elapsed = time.perf_counter() - started
    return {
        "p50_ns": nanos[len(nanos) // 2],
        "p99_ns": nanos[len(nanos) * 99 // 100],
        "operations_per_second": calls / elapsed,
    }


def stored_rows(file):
    import sqlite3

    with sqlite3.connect(file) as database:
        return database.execute('select count(*) from "Message"').fetchone()[0]


def stored_records(folder):
    records = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), encoding="utf-8") as chunk:
                records += len(json.load(chunk))
    return records


def main():
    calls = int(sys.argv[1])
    answer = {"calls": calls}
    with tempfile.TemporaryDirectory(prefix="opstream-peer-") as folder:
        # AiCore reads a .env of the working folder.
        os.chdir(folder)
        os.environ["OBSERVABILITY_DATA_ROOT"] = os.path.join(folder, "json")
        answer["json"] = measure(calls)
        # Its failures only go to a log: what was not stored was not measured.
        assert stored_records(os.path.join(folder, "json")) == calls, "AiCore did not store every record as JSON"

        os.environ["OBSERVABILITY_DISABLE_JSON"] = "true"
        os.environ["CONNECTION_STRING"] = f"sqlite:///{folder}/aicore.db"
        answer["sqlite"] = measure(calls)
        assert stored_rows(f"{folder}/aicore.db") == calls, "AiCore did not store every record in SQLite"
        os.chdir("/")
    print(json.dumps(answer))


main()
