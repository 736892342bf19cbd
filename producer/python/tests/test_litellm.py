"""The logger for LiteLLM, with its own mock answers."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

import opstream
from conftest import Recorded, eventually

# Read when LiteLLM is imported: it would fetch its prices from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
litellm = pytest.importorskip("litellm")

from opstream.litellm import OpstreamLogger, _usage  # noqa: E402

MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def _logger() -> Iterator[None]:
    litellm.callbacks = [OpstreamLogger()]
    yield
    litellm.callbacks = []


def recorded_once(recorded: Recorded) -> dict[str, Any]:
    """LiteLLM calls its loggers in threads of its own."""
    eventually(lambda: recorded.all())
    return recorded.one()


def test_a_completion_records_itself_once(recorded: Recorded) -> None:
    with opstream.context(agent_id="planner"):
        litellm.completion(
            model="gpt-4o",
            messages=MESSAGES,
            mock_response="hi",
            temperature=0.5,
            user="u-1",
            metadata={"session_id": "s-1", "tags": ["blue"], "trace_id": "t"},
        )
    operation = recorded_once(recorded)
    assert (operation["operation_type"], operation["provider"], operation["model"]) == ("chat", "openai", "gpt-4o")
    assert (operation["input_tokens"], operation["output_tokens"]) == (10, 20), "LiteLLM's mock"
    assert operation["reported_cost_usd"] == "0.000225"
    assert (operation["session_id"], operation["user_id"], operation["tags"]) == ("s-1", "u-1", {"blue": "true"})
    assert (operation["temperature"], operation["finish_reasons"]) == (0.5, ["stop"])
    assert '"content":"hello"' in operation["input_messages"] and '"content":"hi"' in operation["output_messages"]
    assert operation["latency_us"] >= 0
    assert opstream.problems() == {}


async def test_an_asynchronous_completion_records_itself_once_with_its_context(recorded: Recorded) -> None:
    with opstream.context(session_id="task"):
        await litellm.acompletion(model="anthropic/claude-3-5-sonnet-20241022", messages=MESSAGES, mock_response="hi")
    while not recorded.all():
        await asyncio.sleep(0.01)
    operation = recorded.one()
    assert (operation["provider"], operation["session_id"]) == ("anthropic", "task")


def test_a_stream_records_itself_once_at_its_end(recorded: Recorded) -> None:
    stream = litellm.completion(
        model="gpt-4o",
        messages=MESSAGES,
        mock_response="one two three",
        stream=True,
        stream_options={"include_usage": True},
    )
    assert len(list(stream)) > 1
    operation = recorded_once(recorded)
    assert (operation["stream"], operation["output_tokens"]) == (True, 3)
    assert 0 <= operation["ttft_us"] <= operation["latency_us"]
    assert '"content":"one two three"' in operation["output_messages"]


def test_a_failure_is_recorded_and_raised(recorded: Recorded) -> None:
    with pytest.raises(litellm.exceptions.InternalServerError):
        litellm.completion(model="gpt-4o", messages=MESSAGES, mock_response=Exception("no"), num_retries=0)
    operation = recorded_once(recorded)
    assert operation["success"] is False
    assert (operation["error_type"], operation["http_status"]) == ("InternalServerError", 500)


def test_embeddings_record_themselves(recorded: Recorded) -> None:
    litellm.embedding(model="text-embedding-3-small", input=["hello"], mock_response=[0.1, 0.2])
    operation = recorded_once(recorded)
    assert (operation["operation_type"], operation["source_type"]) == ("embeddings", "embedding")


def test_counts_of_anthropic_are_counted_once() -> None:
    """LiteLLM has OpenAI's and Anthropic's words for the same counts side by side."""
    usage = litellm.Usage(
        prompt_tokens=101_000,
        completion_tokens=500,
        total_tokens=101_500,
        cache_read_input_tokens=100_000,
        cache_creation_input_tokens=300,
    )
    counts = _usage(usage)
    assert counts is not None
    assert "cache_read_input_tokens" not in counts
    assert counts["prompt_tokens_details"]["cached_tokens"] == 100_000
    assert counts["prompt_tokens_details"]["cache_write_tokens"] == 300
    assert counts["prompt_tokens"] == 101_000
