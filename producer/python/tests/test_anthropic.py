"""The patch of the Anthropic SDK, against a server that answers as Anthropic does."""

from collections.abc import Iterator
from typing import Any

import pytest

import opstream
from conftest import FakeServer, Recorded

anthropic = pytest.importorskip("anthropic")

MESSAGES: Any = [{"role": "user", "content": "hello"}]
MESSAGE = {
    "id": "msg-1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5-2026",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 1000,
        "cache_read_input_tokens": 100_000,
        "cache_creation_input_tokens": 0,
        "output_tokens": 500,
    },
}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": {**MESSAGE["usage"], "output_tokens": 1}},
    },  # type: ignore[dict-item]
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "h"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "i"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"at": '}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"sea"}'}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 500},
    },
    {"type": "message_stop"},
]


@pytest.fixture(autouse=True)
def _patched() -> Iterator[None]:
    opstream.patch_anthropic()
    yield
    opstream.unpatch_anthropic()


def arguments(server: FakeServer) -> dict[str, Any]:
    return {"base_url": server.url, "api_key": "sk-leak-me-not", "max_retries": 0}


def assert_counts(operation: dict[str, Any]) -> None:
    assert (operation["input_tokens"], operation["cache_read_tokens"], operation["output_tokens"]) == (
        101_000,
        100_000,
        500,
    )
    assert (operation["provider"], operation["response_model"]) == ("anthropic", "claude-sonnet-5-5-2026")
    assert (operation["finish_reasons"], operation["response_id"]) == (["end_turn"], "msg-1")


def test_a_message_records_itself(recorded: Recorded, server: FakeServer) -> None:
    server.says(MESSAGE)
    client = anthropic.Anthropic(**arguments(server))
    client.messages.create(model="claude-sonnet-5-5", max_tokens=64, system="be brief", messages=MESSAGES)
    operation = recorded.one()
    assert_counts(operation)
    assert (operation["model"], operation["max_tokens"], operation["system_prompt"]) == (
        "claude-sonnet-5-5",
        64,
        "be brief",
    )
    assert operation["output_messages"] == '[{"role":"assistant","parts":[{"type":"text","content":"hi"}]}]'
    assert "leak-me-not" not in recorded.path.read_text()
    assert opstream.problems() == {}


async def test_an_asynchronous_message_records_itself(recorded: Recorded, server: FakeServer) -> None:
    server.says(MESSAGE)
    client = anthropic.AsyncAnthropic(**arguments(server))
    await client.messages.create(model="claude-sonnet-5-5", max_tokens=64, messages=MESSAGES)
    assert_counts(recorded.one())


def test_a_stream_counts_the_cache_once(recorded: Recorded, server: FakeServer) -> None:
    server.streams(*EVENTS, names=True)
    client = anthropic.Anthropic(**arguments(server))
    stream = client.messages.create(model="claude-sonnet-5-5", max_tokens=64, messages=MESSAGES, stream=True)
    assert len(list(stream)) == len(EVENTS)
    operation = recorded.one()
    assert_counts(operation)
    assert 0 < operation["ttft_us"] <= operation["latency_us"]
    assert operation["output_messages"] == (
        '[{"role":"assistant","parts":[{"type":"text","content":"hi"},'
        '{"type":"tool_call","id":"t1","name":"look","arguments":{"at": "sea"}}]}]'
    )


def test_the_helper_of_the_sdk_records_itself_once(recorded: Recorded, server: FakeServer) -> None:
    server.streams(*EVENTS, names=True)
    client = anthropic.Anthropic(**arguments(server))
    with client.messages.stream(model="claude-sonnet-5-5", max_tokens=64, messages=MESSAGES) as stream:
        assert stream.get_final_message().usage.output_tokens == 500
    assert_counts(recorded.one())


async def test_an_asynchronous_stream_records_itself(recorded: Recorded, server: FakeServer) -> None:
    server.streams(*EVENTS, names=True)
    client = anthropic.AsyncAnthropic(**arguments(server))
    async with client.messages.stream(model="claude-sonnet-5-5", max_tokens=64, messages=MESSAGES) as stream:
        assert [text async for text in stream.text_stream] == ["h", "i"]
    assert_counts(recorded.one())


def test_a_failure_is_recorded_and_raised(recorded: Recorded, server: FakeServer) -> None:
    server.says({"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}, status=529)
    client = anthropic.Anthropic(**arguments(server))
    with pytest.raises(anthropic.APIStatusError):
        client.messages.create(model="m", max_tokens=1, messages=MESSAGES)
    operation = recorded.one()
    assert (operation["success"], operation["http_status"]) == (False, 529)


def test_counting_tokens_is_no_operation(recorded: Recorded, server: FakeServer) -> None:
    server.says({"input_tokens": 3})
    anthropic.Anthropic(**arguments(server)).messages.count_tokens(model="m", messages=MESSAGES)
    assert recorded.all() == []
