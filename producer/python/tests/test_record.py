"""``record()``: fields, usage, content, and values that cannot be used."""

import json
import logging
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import opstream
from conftest import Recorded


def test_fields_arrive_under_their_names(recorded: Recorded) -> None:
    opstream.record(
        operation_type="embeddings",
        provider="Gemini",
        model="text-embedding-5",
        input_tokens=12,
        output_tokens=0,
        cache_read_tokens=4,
        latency_ms=12.345,
        ttft_us=900,
        reported_cost_usd=Decimal("0.000000001"),
        http_status=200,
        finish_reasons=("stop", None, "length"),
        temperature=0,
        session_id=42,  # type: ignore[arg-type]
        tags={"team": "search", "shard": 7},  # type: ignore[dict-item]
        metadata={"nested": [1, 2.5, None, True, "é\n"]},
        billable_units={"search_units": 2},
        attempt=2,
    )
    operation = recorded.one()
    assert operation["operation_type"] == "embeddings"
    assert operation["provider"] == "gcp.gemini", "the canonical name"
    assert (operation["input_tokens"], operation["cache_read_tokens"]) == (12, 4)
    assert (operation["latency_us"], operation["ttft_us"]) == (12345, 900)
    assert operation["reported_cost_usd"] == "0.000000001"
    assert operation["finish_reasons"] == ["stop", "length"]
    assert (operation["temperature"], operation["session_id"], operation["attempt"]) == (0.0, "42", 2)
    assert operation["tags"] == {"team": "search", "shard": "7"}
    assert operation["metadata"] == '{"nested":[1,2.5,null,true,"é\\n"]}'
    assert operation["billable_units"] == '{"search_units":2}'
    assert operation["workspace"] == "default"


def test_the_id_is_of_the_start_and_is_returned(recorded: Recorded) -> None:
    before = time.time()
    operation_id = opstream.record(latency_ms=60_000)
    operation = recorded.one()
    assert operation["operation_id"] == operation_id
    millis = UUID(operation_id).int >> 80
    assert before - 60.1 <= millis / 1000 <= time.time() - 59.9, "whoever knows the latency records at the end"
    assert UUID(operation_id).version == 7


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=timezone.utc),
        datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=timezone.utc).timestamp(),
        "2026-11-23T08:00:00.123456Z",
    ],
)
def test_a_start_may_be_said_in_many_ways(recorded: Recorded, moment: object) -> None:
    opstream.record(started_at=moment)  # type: ignore[arg-type]
    assert recorded.one()["started_at"] == "2026-11-23T08:00:00.123456Z"


def test_a_resent_operation_keeps_its_id(recorded: Recorded) -> None:
    operation_id = "01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f"
    assert opstream.record(operation_id=operation_id) == operation_id
    assert opstream.record(operation_id=UUID(operation_id)) == operation_id
    assert {operation["operation_id"] for operation in recorded.all()} == {operation_id}
    assert recorded.all()[0]["started_at"] == "2024-11-27T21:19:19.834000Z", "the time of the id"


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 1000, "cache_read_input_tokens": 100_000, "output_tokens": 500},
        '{"input_tokens": 1000, "cache_read_input_tokens": 100000, "output_tokens": 500}',
        b'{"input_tokens": 1000, "cache_read_input_tokens": 100000, "output_tokens": 500}',
        [
            {"message": {"usage": {"input_tokens": 1000, "cache_read_input_tokens": 100_000, "output_tokens": 1}}},
            {"usage": {"output_tokens": 500}},
        ],
    ],
)
def test_usage_is_counted_as_its_provider_means_it(recorded: Recorded, usage: object) -> None:
    opstream.record(provider="anthropic", model="claude-opus-4-5", usage=usage)
    operation = recorded.one()
    assert (operation["input_tokens"], operation["cache_read_tokens"]) == (101_000, 100_000)
    assert operation["output_tokens"] == 500
    assert opstream.problems() == {}


def test_what_the_caller_counts_stands_above_usage(recorded: Recorded) -> None:
    opstream.record(provider="openai", output_tokens=9, usage={"prompt_tokens": 3, "completion_tokens": 4})
    operation = recorded.one()
    assert (operation["input_tokens"], operation["output_tokens"]) == (3, 9)


def test_usage_that_cannot_be_read_costs_the_counts_and_not_the_operation(recorded: Recorded) -> None:
    opstream.record(provider="openai", usage={"prompt_tokens": "many"})
    opstream.record(provider="openai", usage={"id": "x", "usage": None})
    first, second = recorded.all()
    assert "input_tokens" not in first and "input_tokens" not in second
    assert list(opstream.problems()) == ["usage: not_a_count at prompt_tokens; see docs/provider-usage.md"]


def test_wrong_values_are_left_out_counted_and_logged_once(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "the prompt of somebody"
    with caplog.at_level(logging.WARNING, logger="opstream"):
        for _ in range(3):
            opstream.record(
                model="m",
                input_tokens=secret,  # type: ignore[typeddict-item]
                output_tokens=-5,
                latency_us=1.5,  # type: ignore[typeddict-item]
                http_status=42,
                success="yes",  # type: ignore[typeddict-item]
                operation_id="no",
                started_at="yesterday",
                reported_cost_usd=20_000,
                tokens=3,  # type: ignore[call-arg]
            )
    for operation in recorded.all():
        assert operation["model"] == "m"
        assert not {"input_tokens", "output_tokens", "latency_us", "http_status", "reported_cost_usd"} & set(operation)
        assert operation["success"] is True
    assert opstream.problems() == {
        "http_status: is out of range, and was left out": 3,
        "input_tokens: expected a whole number, not str": 3,
        "latency_us: expected a whole number, not a fraction": 3,
        "operation_id: expected a UUIDv7": 3,
        "output_tokens: is negative, and was left out": 3,
        "reported_cost_usd: is out of range, and was left out": 3,
        "started_at: expected RFC 3339 text such as 2026-11-23T08:00:00Z": 3,
        "success: expected true or false, not str": 3,
        "tokens: is no field of an operation; docs/python.md lists them": 3,
    }
    assert len(caplog.records) == 9, "each once"
    assert secret not in caplog.text


def test_an_identifier_that_is_too_long_is_cut_between_characters(recorded: Recorded) -> None:
    opstream.record(session_id="é" * 600, provider="p" * 2000, workspace="w" * 1025)
    operation = recorded.one()
    assert operation["session_id"] == "é" * 512
    assert (len(operation["provider"]), len(operation["workspace"])) == (1024, 1024)


def test_times_that_the_pipeline_refuses_become_now(recorded: Recorded) -> None:
    opstream.record(started_at="2014-01-01T00:00:00Z")
    opstream.record(started_at="2199-01-01T00:00:00Z")
    opstream.record(operation_id="ffffffff-ffff-7fff-bfff-ffffffffffff")
    opstream.record(operation_id="ffffffff-ffff-7fff-bfff-ffffffffffff", started_at=time.time())
    year = datetime.now(timezone.utc).strftime("%Y-")
    assert [operation["started_at"][:5] for operation in recorded.all()] == [year] * 4
    assert opstream.problems() == {
        "operation_id: has a time before 2015 or more than a day ahead, and was replaced": 1,
        "started_at: is before 2015 or more than a day ahead": 3,
    }
    for operation in recorded.all():
        assert abs((UUID(operation["operation_id"]).int >> 80) / 1000 - time.time()) < 60


class Hostile:
    """Raises wherever it is touched."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


def test_hostile_values_raise_nothing_and_cost_nothing_else(recorded: Recorded) -> None:
    endless: list[object] = []
    endless.append(endless)
    opstream.record(model="m", metadata={"a": Hostile(), "b": endless, "c": {1: b"x"}, "d": {2}, "e": "\ud800"})
    opstream.record(model="m", usage=Hostile(), session_id=Hostile(), tags=Hostile(), request=Hostile())  # type: ignore
    first, second = recorded.all()
    assert '"c":{"1":"(bytes)"},"d":[2],"e":"' in first["metadata"]
    assert second["model"] == "m"
    assert "session_id: expected text, not Hostile" in opstream.problems()


KEY = "sk-proj-" + "a1B2c3D4" * 6


def test_content_is_recorded_only_where_it_is_captured(recorded: Recorded) -> None:
    def call() -> None:
        opstream.record(
            request={
                "model": "gpt-5",
                "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "secret"}],
                "tools": [{"type": "function"}],
            },
            response="secret answer",
        )

    call()
    operation = recorded.one()
    assert operation["system_prompt"] == "be brief"
    assert operation["input_messages"] == '[{"role":"user","parts":[{"type":"text","content":"secret"}]}]'
    assert operation["output_messages"] == '[{"role":"assistant","parts":[{"type":"text","content":"secret answer"}]}]'
    assert operation["tool_definitions"] == '[{"type":"function"}]'

    without = recorded.path.with_name("without.jsonl")
    opstream.configure(json_lines=without)
    call()
    opstream.flush()
    text = without.read_text()
    assert "gpt-5" in text and "secret" not in text and "be brief" not in text and "function" not in text


def test_messages_of_both_sdks_read_the_same(recorded: Recorded) -> None:
    openai = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"at": "sea"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    anthropic = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "sea"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    opstream.record(messages=openai)
    opstream.record(request={"messages": anthropic, "system": [{"type": "text", "text": "be brief"}]})
    first, second = recorded.all()
    assert first["system_prompt"] == second["system_prompt"] == "be brief"
    assert first["input_messages"].replace(" ", "") == second["input_messages"].replace(" ", "")
    assert '"type":"tool_call_response","id":"c1","response":"rain"' in first["input_messages"]


def test_arguments_that_hold_keys_are_not_kept(recorded: Recorded) -> None:
    request = {
        "model": "gpt-5",
        "top_p": 0.9,
        "stop": None,
        "max_completion_tokens": 64,
        "extra_headers": {"authorization": "Bearer leak-me-not"},
        "api_key": "sk-leak-me-not",
        "metadata": {"x": "leak-me-not"},
    }
    opstream.record(request=request)
    operation = recorded.one()
    assert operation["request_parameters"] == '{"top_p":0.9}'
    assert operation["max_tokens"] == 64
    assert "leak-me-not" not in recorded.path.read_text()


def test_large_contents_are_recorded_whole(recorded: Recorded) -> None:
    opstream.record(response="x" * 200_000)
    assert len(recorded.one()["output_messages"]) > 200_000


def test_secrets_are_redacted_before_anything_leaves_and_long_content_is_cut(tmp_path: Path) -> None:
    def recorded_with(name: str, **options: Any) -> dict[str, Any]:
        path = tmp_path / name
        opstream.configure(json_lines=path, **options)
        opstream.record(
            model="m", system_prompt=f"use {KEY} for CN-104711 {'and so on ' * 50}", error_message=f"bad {KEY}"
        )
        assert opstream.flush()
        operation: dict[str, Any] = json.loads(path.read_text())
        return operation

    kept = recorded_with("kept", capture="on", redact_patterns={"customer": r"\bCN-\d{6}\b"})
    assert kept["system_prompt"].startswith("use [redacted openai key] for [redacted customer] and so on")
    assert kept["content_redacted"] and not kept["content_truncated"]
    cut = recorded_with("cut", capture=64)
    assert len(cut["system_prompt"].encode()) <= 64 and cut["content_truncated"]
    off = recorded_with("off")
    assert "system_prompt" not in off or off["system_prompt"] is None
    assert off["error_message"] == "bad [redacted openai key]"
    as_given = recorded_with("as_given", capture="on", redact=False)
    assert KEY in as_given["system_prompt"] and KEY in as_given["error_message"]
