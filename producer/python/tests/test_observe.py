"""Measured operations: the context manager and the decorator."""

import asyncio
from typing import Any

import pytest

import opstream
from conftest import Recorded
from opstream._observe import current_operation

ANSWER = {
    "id": "r-1",
    "model": "gpt-5-2026",
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
}


class Refused(Exception):
    """As SDKs raise it."""

    status_code = 429


def test_a_block_is_measured_and_described(recorded: Recorded) -> None:
    with opstream.operation("chat", provider="openai", model="gpt-5") as operation:
        operation.first_token()
        operation.answer(ANSWER)
        operation.set(action_id="plan")
    found = recorded.one()
    assert operation.operation_id == found["operation_id"]
    assert (found["input_tokens"], found["response_id"], found["response_model"]) == (3, "r-1", "gpt-5-2026")
    assert (found["finish_reasons"], found["action_id"], found["success"]) == (["stop"], "plan", True)
    assert 0 <= found["ttft_us"] <= found["latency_us"]
    assert found["generation_us"] == found["latency_us"] - found["ttft_us"]


def test_an_exception_fails_the_operation_and_comes_out_unchanged(recorded: Recorded) -> None:
    error = Refused("slow down")
    with pytest.raises(Refused) as raised, opstream.operation(provider="openai"):
        raise error
    assert raised.value is error
    found = recorded.one()
    assert (found["success"], found["error_type"], found["error_message"]) == (False, "Refused", "slow down")
    assert found["http_status"] == 429


def test_functions_are_recorded_with_their_answers(recorded: Recorded) -> None:
    @opstream.observe(provider="openai", model="gpt-5")
    def ask(question: str) -> dict[str, Any]:
        """Documentation."""
        return {**ANSWER, "asked": question}

    assert ask("x")["asked"] == "x"
    assert (ask.__name__, ask.__doc__) == ("ask", "Documentation.")
    assert recorded.one()["output_tokens"] == 4


async def test_coroutines_are_recorded_also_when_they_are_cancelled(recorded: Recorded) -> None:
    started = asyncio.Event()

    @opstream.observe(operation_type="execute_tool")
    async def look() -> None:
        operation = current_operation()
        assert operation is not None
        operation.set(tags={"a": "b"})
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(look())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = recorded.one()
    assert (found["operation_type"], found["action_id"], found["tags"]) == ("execute_tool", "look", {"a": "b"})
    assert (found["success"], found["error_type"]) == (False, "CancelledError")


def test_generators_are_recorded_with_the_first_token_and_their_protocol(recorded: Recorded) -> None:
    @opstream.observe(provider="openai")
    def stream():  # type: ignore[no-untyped-def]
        assert current_operation() is not None
        sent = yield {"choices": [{"delta": {"content": "a"}}]}
        assert sent == "sent"
        try:
            yield "b"
        except KeyError:
            yield {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
        return "returned"

    running = stream()
    next(running)
    assert current_operation() is None, "its reader is not inside"
    assert running.send("sent") == "b"
    assert "usage" in running.throw(KeyError())
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == "returned"
    found = recorded.one()
    assert (found["success"], found["stream"], found["output_tokens"]) == (True, True, 4)
    assert 0 <= found["ttft_us"] <= found["latency_us"]


def test_a_generator_left_early_is_no_failure_and_one_that_raises_is(recorded: Recorded) -> None:
    closed = []

    @opstream.observe
    def stream(error: Exception | None = None):  # type: ignore[no-untyped-def]
        try:
            yield 1
            if error:
                raise error
            yield 2
        finally:
            closed.append(True)

    for _ in stream():
        break
    with pytest.raises(Refused):
        list(stream(Refused("no")))
    left, failed = recorded.all()
    assert (left["success"], failed["success"], failed["error_type"]) == (True, False, "Refused")
    assert closed == [True, True]


async def test_asynchronous_generators_are_recorded(recorded: Recorded) -> None:
    @opstream.observe(provider="openai")
    async def stream(error: Exception | None = None):  # type: ignore[no-untyped-def]
        yield {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
        assert current_operation() is not None
        if error:
            raise error

    assert [item async for item in stream()] != []
    with pytest.raises(Refused):
        async for _ in stream(Refused("no")):
            assert current_operation() is None
    good, failed = recorded.all()
    assert (good["output_tokens"], good["success"], failed["success"]) == (4, True, False)
    assert "ttft_us" in good
