"""AiCore's ``record_completion``: the same signature, without its collector's quirks."""

import inspect
from typing import Any

import pytest

import opstream
from conftest import Recorded
from opstream.aicore import LlmOperationCollector

SIGNATURE = [
    ("completion_args", inspect.Parameter.empty),
    ("operation_type", inspect.Parameter.empty),
    ("provider", inspect.Parameter.empty),
    ("response", None),
    ("session_id", None),
    ("workspace", None),
    ("agent_id", None),
    ("action_id", None),
    ("input_tokens", 0),
    ("output_tokens", 0),
    ("cached_tokens", 0),
    ("cost", 0),
    ("latency_ms", None),
    ("error_message", None),
    ("extras", None),
]
"""Of AiCore 0.2.254, names and defaults in their order."""


def call(**changes: Any) -> opstream.LlmOperationRecord:
    arguments = {
        "completion_args": {"model": "gpt-4o"},
        "operation_type": "completion",
        "provider": "openai",
        **changes,
    }
    return opstream.record_completion(**arguments)


def test_the_signature_is_aicores() -> None:
    parameters = [
        (name, parameter.default)
        for name, parameter in inspect.signature(opstream.record_completion).parameters.items()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    assert parameters == SIGNATURE


def test_a_completion_becomes_an_operation(recorded: Recorded) -> None:
    record = call(
        completion_args={
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "hello"}],
            "temperature": 0.0,
            "max_tokens": 100,
            "api_key": "sk-leak-me-not",
        },
        operation_type="acompletion.tool_call",
        response={"city": "Porto"},
        session_id="s-1",
        workspace="lab",
        agent_id="planner",
        action_id="plan",
        input_tokens=10,
        output_tokens=5,
        cost=0.0675,
        latency_ms=1234.5678,
        extras={"project": "p", "team": "t", "x": 1},
    )
    operation = recorded.one()
    assert record.operation_id == operation["operation_id"]
    assert (record.model, record.total_tokens, record.success, record.session_id) == ("gpt-4o", 15, True, "s-1")
    assert {name: operation[name] for name in ("operation_type", "source_type", "provider", "model")} == {
        "operation_type": "chat",
        "source_type": "acompletion.tool_call",
        "provider": "openai",
        "model": "gpt-4o",
    }
    assert [operation[name] for name in ("session_id", "workspace", "agent_id", "action_id", "project", "team")] == [
        "s-1",
        "lab",
        "planner",
        "plan",
        "p",
        "t",
    ]
    assert (operation["temperature"], operation["max_tokens"]) == (0.0, 100)
    assert (operation["input_tokens"], operation["output_tokens"], operation["latency_us"]) == (10, 5, 1_234_568)
    assert operation["reported_cost_usd"] == "0.0675"
    assert '{\\"city\\":\\"Porto\\"}' in operation["output_messages"]
    assert operation["metadata"] == '{"project":"p","team":"t","x":1}'
    assert "leak-me-not" not in recorded.path.read_text()


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ((10, 5, 7), (10, 5, 7)),
        ((10, 5, 5000), (5010, 5, 5000)),
        ((0, 0, 0), (None, None, 0)),
        ((None, 5, None), (None, 5, 0)),
    ],
)
def test_cached_tokens_are_a_part_of_the_input_and_never_of_the_output(
    recorded: Recorded, given: tuple[int, int, int], counted: tuple[int, int, int]
) -> None:
    call(input_tokens=given[0], output_tokens=given[1], cached_tokens=given[2])
    operation = recorded.one()
    assert (operation.get("input_tokens"), operation.get("output_tokens"), operation["cache_read_tokens"]) == counted


def test_an_empty_answer_is_a_success_and_an_error_is_none(recorded: Recorded) -> None:
    assert call(response="").success
    assert not call(response="partial", error_message="RateLimitError: 429 too many requests").success
    call(error_message="something went wrong: no")
    empty, failed, other = recorded.all()
    assert empty["success"] and "output_messages" not in empty
    assert (failed["success"], failed["error_type"]) == (False, "RateLimitError")
    assert failed["error_message"] == "RateLimitError: 429 too many requests"
    assert other["error_type"] == "_OTHER"


def test_a_cost_of_0_is_no_cost(recorded: Recorded) -> None:
    call(cost=0)
    assert "reported_cost_usd" not in recorded.one()


@pytest.mark.parametrize("response", [True, 7, 1.5, ["a", "b"], object()])
def test_an_answer_of_any_type_is_recorded(recorded: Recorded, response: object) -> None:
    assert call(response=response).operation_id
    assert recorded.one()["output_messages"]


@pytest.mark.parametrize(
    ("completion_args", "model"),
    [('{"model": "m", "temperature": 1}', "m"), ("{", None), (None, None), ([1], None)],
)
def test_completion_args_may_be_json_or_wrong(recorded: Recorded, completion_args: Any, model: str | None) -> None:
    assert call(completion_args=completion_args).operation_id
    assert recorded.one().get("model") == model


async def test_the_collector_of_aicore_has_its_methods(recorded: Recorded) -> None:
    collector = LlmOperationCollector.fom_observable_storage_path("somewhere")
    collector.record_completion({"model": "a"}, "completion", "openai")
    await collector.arecord_completion({"model": "b"}, "acompletion", "openai", session_id="s")
    await opstream.arecord_completion({"model": "c"}, "acompletion", "openai")
    collector.is_enabled = False
    assert collector.record_completion({"model": "d"}, "completion", "openai").operation_id is None
    assert [operation["model"] for operation in recorded.all()] == ["a", "b", "c"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = call().nothing


def test_extras_may_be_json_text_and_empty_text_is_nothing(recorded: Recorded) -> None:
    call(extras='{"a": 1}')
    call(extras="")
    call(extras="no json")
    first, second, third = recorded.all()
    assert (first["metadata"], second.get("metadata"), third.get("metadata")) == ('{"a": 1}', None, None)
    assert opstream.problems() == {"extras: expected a dict, not str": 1}


def test_a_context_applies_to_aicores_calls_too(recorded: Recorded) -> None:
    with opstream.context(session_id="s", workspace="w"):
        opstream.record_completion({}, "completion", "openai", session_id=None, workspace="")
    operation = recorded.one()
    assert (operation["session_id"], operation["workspace"]) == ("s", "w")
