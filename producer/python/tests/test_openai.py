"""The patch of the OpenAI SDK, against a server that answers as OpenAI does."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

import opstream
from conftest import FakeServer, Recorded

openai = pytest.importorskip("openai")

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 8},
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5-mini-2026",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": '{"city": "Porto"}', "refusal": None},
        }
    ],
    "usage": USAGE,
}
RESPONSE = {
    "id": "resp-1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-5-2026",
    "output": [
        {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "hi", "annotations": []}],
        }
    ],
    "usage": {
        "input_tokens": 30,
        "output_tokens": 7,
        "total_tokens": 37,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens_details": {"reasoning_tokens": 3},
    },
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
MESSAGES: Any = [{"role": "user", "content": "hello"}]


def chunk(delta: dict[str, Any], reason: str | None = None, usage: Any = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}] if usage is None else []
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-5-mini-2026",
        "choices": choices,
        "usage": usage,
    }


CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "he"}),
    chunk({"content": "llo"}),
    chunk({}, "stop"),
    chunk({}, usage=USAGE),
]


@pytest.fixture(autouse=True)
def _patched() -> Iterator[None]:
    opstream.patch_openai(provider="openai")
    yield
    opstream.unpatch_openai()


@pytest.fixture
def client(server: FakeServer) -> Any:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-leak-me-not", max_retries=0)


@pytest.fixture
def async_client(server: FakeServer) -> Any:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="sk-leak-me-not", max_retries=0)


def assert_counts(operation: dict[str, Any]) -> None:
    assert (operation["input_tokens"], operation["output_tokens"]) == (100, 20)
    assert (operation["cache_read_tokens"], operation["reasoning_tokens"]) == (64, 8)
    assert operation["response_model"] == "gpt-5-mini-2026"


def test_a_completion_records_itself(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.says(COMPLETION)
    with opstream.context(session_id="s"):
        answer = client.chat.completions.create(model="gpt-5-mini", messages=MESSAGES, temperature=0.5, seed=7)
    assert answer.choices[0].message.content == '{"city": "Porto"}'
    operation = recorded.one()
    assert_counts(operation)
    assert (operation["provider"], operation["model"], operation["operation_type"]) == ("openai", "gpt-5-mini", "chat")
    assert (operation["temperature"], operation["request_parameters"]) == (0.5, '{"seed":7}')
    assert (operation["response_id"], operation["service_tier"]) == ("chatcmpl-1", "default")
    assert (operation["finish_reasons"], operation["session_id"]) == (["stop"], "s")
    assert operation["endpoint"].endswith("/v1/chat/completions")
    assert operation["input_messages"] == '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]'
    assert "Porto" in operation["output_messages"] and operation["latency_us"] > 0
    assert "leak-me-not" not in recorded.path.read_text()
    assert opstream.problems() == {}


async def test_an_asynchronous_completion_records_itself(
    recorded: Recorded, server: FakeServer, async_client: Any
) -> None:
    server.says(COMPLETION)
    answer = await async_client.chat.completions.create(model="gpt-5-mini", messages=MESSAGES)
    assert answer.id == "chatcmpl-1"
    assert_counts(recorded.one())


def test_a_stream_records_itself_at_its_end(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.streams(*CHUNKS)
    stream = client.chat.completions.create(
        model="gpt-5-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    assert isinstance(stream, openai.Stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == "hello"
    operation = recorded.one()
    assert_counts(operation)
    assert (operation["stream"], operation["finish_reasons"]) == (True, ["stop"])
    assert 0 < operation["ttft_us"] <= operation["latency_us"]
    assert operation["output_messages"] == '[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]'


async def test_an_asynchronous_stream_records_itself(recorded: Recorded, server: FakeServer, async_client: Any) -> None:
    server.streams(*CHUNKS)
    stream = await async_client.chat.completions.create(model="gpt-5-mini", messages=MESSAGES, stream=True)
    assert isinstance(stream, openai.AsyncStream)
    assert len([chunk async for chunk in stream]) == 5
    assert_counts(recorded.one())


def test_streamed_calls_of_tools_are_put_together(recorded: Recorded, server: FakeServer, client: Any) -> None:
    def call(**part: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [{"index": 0, **part}]})

    server.streams(
        call(id="c1", type="function", function={"name": "look", "arguments": ""}),
        call(function={"arguments": '{"at":'}),
        call(function={"arguments": ' "sea"}'}),
        chunk({}, "tool_calls"),
    )
    list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    assert '{"type":"tool_call","id":"c1","name":"look","arguments":{"at": "sea"}}' in recorded.one()["output_messages"]


def test_a_stream_left_early_or_never_read_is_recorded(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.streams(*CHUNKS)
    for _ in client.chat.completions.create(model="left", messages=MESSAGES, stream=True):
        break
    client.chat.completions.create(model="unread", messages=MESSAGES, stream=True)
    gc.collect()
    assert [(operation["model"], operation["success"]) for operation in recorded.all()] == [
        ("left", True),
        ("unread", True),
    ]


def test_the_helpers_of_the_sdk_record_themselves_once(recorded: Recorded, server: FakeServer, client: Any) -> None:
    pydantic = pytest.importorskip("pydantic")

    class City(pydantic.BaseModel):  # type: ignore[name-defined, misc]
        city: str

    server.says(COMPLETION)
    parsed = client.chat.completions.parse(model="gpt-5-mini", messages=MESSAGES, response_format=City)
    assert parsed.choices[0].message.parsed.city == "Porto"
    server.answers.clear()
    server.streams(*CHUNKS)
    with client.chat.completions.stream(model="gpt-5-mini", messages=MESSAGES) as stream:
        assert stream.get_final_completion().choices[0].message.content == "hello"
    server.answers.clear()
    server.says(COMPLETION)
    raw = client.chat.completions.with_raw_response.create(model="gpt-5-mini", messages=MESSAGES)
    assert raw.parse().id == "chatcmpl-1"
    operations = recorded.all()
    assert len(operations) == 3
    for operation in operations:
        assert_counts(operation)


def test_a_raw_stream_is_left_to_its_reader(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.says(COMPLETION)
    with client.chat.completions.with_streaming_response.create(model="m", messages=MESSAGES) as raw:
        assert raw.parse().id == "chatcmpl-1"
    assert recorded.one()["model"] == "m"


def test_responses_record_themselves(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.says(RESPONSE)
    client.responses.create(model="gpt-5", input="hello", instructions="be brief")
    server.answers.clear()
    server.streams(
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": {**RESPONSE, "status": "in_progress", "usage": None, "output": []},
        },
        {
            "type": "response.output_text.delta",
            "sequence_number": 1,
            "item_id": "m",
            "output_index": 0,
            "content_index": 0,
            "delta": "hi",
            "logprobs": [],
        },
        {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
    )
    assert len(list(client.responses.create(model="gpt-5", input="hello", instructions="be brief", stream=True))) == 3
    whole, streamed = recorded.all()
    for operation in (whole, streamed):
        assert (operation["input_tokens"], operation["cache_read_tokens"]) == (30, 10)
        assert (operation["output_tokens"], operation["reasoning_tokens"]) == (7, 3)
        assert (operation["system_prompt"], operation["finish_reasons"]) == ("be brief", ["stop"])
        assert operation["output_messages"] == '[{"role":"assistant","parts":[{"type":"text","content":"hi"}]}]'
    assert "ttft_us" in streamed


def test_embeddings_record_themselves_and_other_calls_do_not(
    recorded: Recorded, server: FakeServer, client: Any
) -> None:
    server.says(
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        }
    )
    client.embeddings.create(model="text-embedding-3-small", input="hello")
    client.models.list()
    operation = recorded.one()
    assert (operation["operation_type"], operation["input_tokens"]) == ("embeddings", 5)


def test_a_failure_is_recorded_and_raised_unchanged(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.says({"error": {"message": "slow down", "type": "rate_limit"}}, status=429)
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert raised.traceback[-1].name != "fail"
    operation = recorded.one()
    assert (operation["success"], operation["error_type"], operation["http_status"]) == (False, "RateLimitError", 429)


def test_a_stream_that_breaks_is_a_failure(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.answers.append((200, "text/event-stream", 'data: {"error": {"message": "overloaded"}}\n\n'))
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    operation = recorded.one()
    assert (operation["success"], operation["error_type"]) == (False, "APIError")


def test_the_provider_is_told_by_the_address(recorded: Recorded, server: FakeServer, client: Any) -> None:
    from urllib.parse import urlsplit

    from opstream._integrations import _provider

    for address, provider in {
        "https://api.openai.com/v1": "openai",
        "https://api.deepseek.com": "deepseek",
        "https://api.x.ai/v1": "x_ai",
        "https://generativelanguage.googleapis.com/v1beta/openai": "gcp.gemini",
        "https://europe-west1-aiplatform.googleapis.com/v1": "gcp.vertex_ai",
        "https://me.openai.azure.com/openai": "azure.ai.openai",
        "https://notapi.openai.com.evil.example/v1": "notapi.openai.com.evil.example",
        "http://localhost:8000/v1": "localhost",
    }.items():
        assert _provider(client, urlsplit(address).hostname or "") == provider, address
    opstream.patch_openai()
    server.says(COMPLETION)
    client.chat.completions.create(model="m", messages=MESSAGES)
    assert recorded.one()["provider"] == "127.0.0.1"


def test_a_patch_is_taken_back_and_made_once(recorded: Recorded, server: FakeServer, client: Any) -> None:
    server.says(COMPLETION)
    opstream.patch_openai()
    opstream.patch_openai()
    client.chat.completions.create(model="patched", messages=MESSAGES)
    opstream.unpatch_openai()
    opstream.unpatch_openai()
    client.chat.completions.create(model="unpatched", messages=MESSAGES)
    assert recorded.one()["model"] == "patched"
    assert "opstream" not in openai.OpenAI.request.__globals__["__name__"]
