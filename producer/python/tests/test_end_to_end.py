"""The whole way: from a program of Python through a real ``opstream up`` back into frames. Rows exact.

``OPSTREAM_TEST_BINARY`` names the command; without it these tests are skipped.
"""

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import opstream
from conftest import eventually

pl = pytest.importorskip("polars")

BINARY = os.environ.get("OPSTREAM_TEST_BINARY")
NOT_LISTED = {"billable_units", "metadata", "request_parameters", "stream_id", "tags"}
"""Fields that a list of operations does not have, and the number of a stream."""
pytestmark = pytest.mark.skipif(not BINARY, reason="OPSTREAM_TEST_BINARY names no opstream to run")


class Pipeline:
    """A running pipeline with a broker of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "opstream-data"
        self.broker, self.url = f"127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        listen = self.url.removeprefix("http://")
        arguments = ["up", "--data", str(self.data), "--listen", listen, "--broker-listen", self.broker]
        self._log = (folder / "opstream.log").open("wb")
        assert BINARY is not None
        self._process = subprocess.Popen([BINARY, *arguments], cwd=folder, stdout=self._log, stderr=self._log)

    def is_ready(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(60) == 0
        self._log.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    running = Pipeline(tmp_path)
    try:
        eventually(running.is_ready, 60)
        yield running
    finally:
        running.stop()


def test_rows_arrive_exact_priced_and_with_their_content(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSTREAM_BOOTSTRAP", pipeline.broker)
    monkeypatch.setenv("OPSTREAM_URL", pipeline.url)
    opstream.configure(capture="on", service="shop", workspace="team-a")
    with opstream.context(session_id="s-1", agent_id="planner", tags={"blue": "yes"}):
        for number in range(500):
            opstream.record(
                provider="anthropic",
                model="claude-opus-4-5",
                usage={"input_tokens": 1000, "cache_read_input_tokens": 100_000, "output_tokens": number},
                latency_ms=number,
            )
        record = opstream.record_completion(
            {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "temperature": 0.0},
            "acompletion",
            "openai",
            "hi",
            input_tokens=1000,
            output_tokens=100,
            cost=0.125,
            latency_ms=900,
        )
        opstream.record(provider="openai", model="gpt-4o", success=False, error_type="RateLimitError", http_status=429)
    assert opstream.flush(60)
    assert opstream.counters() == {**dict.fromkeys(opstream.counters(), 0), "sent": 502}
    assert opstream.problems() == {}

    def counted() -> bool:
        return bool(opstream.query("totals")["operations"][0] == 502)

    eventually(counted, 60)

    frame = opstream.query(session_id="s-1", limit=None)
    assert frame.height == frame["operation_id"].n_unique() == 502
    assert set(frame["workspace"]) == {"team-a"} and set(frame["service"]) == {"shop"}
    with urllib.request.urlopen(f"{pipeline.url}/v1/openapi.json") as document:
        described = json.load(document)["components"]["schemas"]["StoredOperation"]["properties"]
    assert set(frame.columns) == set(described) - NOT_LISTED, "a field of the api has a column, and the other way round"
    claude = frame.filter(pl.col("provider") == "anthropic")
    assert sorted(claude["output_tokens"].to_list()) == list(range(500))
    assert set(claude["input_tokens"]) == {101_000} and set(claude["cache_read_tokens"]) == {100_000}
    assert sorted(claude["latency_us"].to_list()) == [number * 1000 for number in range(500)]
    assert set(frame["cost_status"].drop_nulls()) <= {"priced", "unpriced", "free"}
    failed = frame.filter(~pl.col("success"))
    assert failed.select("error_type", "http_status").rows() == [("RateLimitError", 429)]

    totals = opstream.query("totals")
    assert (totals["failures"][0], totals["reported_cost_usd"][0]) == (1, Decimal("0.125"))
    assert totals["input_tokens"][0] == 500 * 101_000 + 1000
    assert totals["cost_usd"][0] == sum(cost for cost in frame["cost_usd"] if cost is not None) > 0
    by_model = opstream.query("breakdown", by=["provider", "model"], order="operations")
    assert by_model.select("provider", "model", "operations").rows() == [
        ("anthropic", "claude-opus-4-5", 500),
        ("openai", "gpt-4o", 2),
    ]
    percentiles = opstream.query("percentiles", by="model")
    assert percentiles.filter(pl.col("model") == "claude-opus-4-5")["latency_count"][0] == 500
    start = frame["started_at"].min().replace(second=0, microsecond=0)
    assert opstream.query("series", start=start, resolution="minute")["operations"].sum() == 502

    of_database = opstream.polars_from_db(session_id="s-1")
    assert of_database.height == 502
    row = of_database.row(by_predicate=pl.col("operation_id") == record.operation_id, named=True)
    assert (row["user_prompt"], row["response"], row["operation_type"]) == ("hello", "hi", "acompletion")
    assert (row["agent_id"], row["tags"], row["latency_ms"]) == ("planner", '{"blue":"yes"}', 900.0)
    assert (
        opstream.polars_from_file(session_id="s-1")
        .select(of_database.columns)
        .sort("operation_id")
        .equals(of_database.sort("operation_id"))
    ), "the lake has the same"
    stats = opstream.get_json_stats()
    assert (stats["total_calls"], stats["error_count"]) == (502, 1)
