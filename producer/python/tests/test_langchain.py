"""The callback handler of LangChain, with its own models for tests."""

from typing import Any

import pytest

import opstream
from conftest import Recorded

pytest.importorskip("langchain_core")

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from opstream.langchain import OpstreamCallbackHandler


def answer() -> AIMessage:
    return AIMessage(
        content="fine",
        tool_calls=[{"name": "look", "args": {"at": "sea"}, "id": "c1"}],
        usage_metadata={
            "input_tokens": 100,
            "output_tokens": 20,
            "total_tokens": 120,
            "input_token_details": {"cache_read": 64, "cache_creation": 8},
            "output_token_details": {"reasoning": 5},
        },
        response_metadata={"finish_reason": "stop", "model_name": "gpt-5-2026", "id": "r-1"},
    )


class Model(GenericFakeChatModel):
    """Says who it is, as the models of LangChain's packages do."""

    def _get_ls_params(self, stop: Any = None, **_kwargs: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": "gpt-5", "ls_model_type": "chat", "ls_temperature": 0.5}


def model(*answers: Any) -> Model:
    return Model(messages=iter(answers or [answer()]))


def config(**metadata: Any) -> dict[str, Any]:
    return {"callbacks": [OpstreamCallbackHandler()], "metadata": metadata}


def assert_counts(operation: dict[str, Any]) -> None:
    assert (operation["input_tokens"], operation["output_tokens"]) == (100, 20)
    assert (operation["cache_read_tokens"], operation["cache_write_tokens"], operation["reasoning_tokens"]) == (
        64,
        8,
        5,
    )


def test_a_chat_records_itself_and_its_chain_does_not(recorded: Recorded) -> None:
    chain = RunnableLambda(lambda text: [SystemMessage("be brief"), HumanMessage(text)]) | model()
    with opstream.context(agent_id="planner"):
        chain.invoke("hello", config=config(session_id="s-1"))  # type: ignore[arg-type]
    operation = recorded.one()
    assert_counts(operation)
    assert (operation["operation_type"], operation["provider"], operation["session_id"]) == ("chat", "openai", "s-1")
    assert (operation["model"], operation["temperature"]) == ("gpt-5", 0.5)
    assert (operation["agent_id"], operation["response_model"], operation["response_id"]) == (
        "planner",
        "gpt-5-2026",
        "r-1",
    )
    assert (operation["finish_reasons"], operation["system_prompt"]) == (["stop"], "be brief")
    assert operation["input_messages"] == '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]'
    assert '{"type":"tool_call","id":"c1","name":"look","arguments":{"at": "sea"}}' in operation["output_messages"]
    assert opstream.problems() == {}


async def test_an_asynchronous_chat_has_its_context(recorded: Recorded) -> None:
    with opstream.context(session_id="task"):
        await model().ainvoke([HumanMessage("hello"), ToolMessage("rain", tool_call_id="c1")], config=config())  # type: ignore
    operation = recorded.one()
    assert_counts(operation)
    assert operation["session_id"] == "task"
    assert '"type":"tool_call_response","id":"c1","response":"rain"' in operation["input_messages"]


def test_a_stream_has_its_first_token(recorded: Recorded) -> None:
    assert len(list(model(AIMessage(content="a b c")).stream("hello", config=config()))) >= 3  # type: ignore[arg-type]
    operation = recorded.one()
    assert operation["stream"] is True
    assert 0 < operation["ttft_us"] <= operation["latency_us"]


def test_a_failure_is_recorded_and_raised(recorded: Recorded) -> None:
    class Failing(Model):
        def _generate(self, *_args: Any, **_kwargs: Any) -> Any:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        Failing(messages=iter([])).invoke("hello", config=config())  # type: ignore[arg-type]
    operation = recorded.one()
    assert (operation["success"], operation["error_type"]) == (False, "RuntimeError")


def test_tools_and_retrievers_record_themselves(recorded: Recorded) -> None:
    @tool
    def look(at: str) -> str:
        """Looks."""
        if at == "nowhere":
            raise ValueError(at)
        return at

    class Documents(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Any]:
            return []

    look.invoke({"at": "sea"}, config=config())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nowhere"):
        look.invoke({"at": "nowhere"}, config=config())  # type: ignore[arg-type]
    Documents().invoke("x", config=config())  # type: ignore[arg-type]
    found = [
        (operation["operation_type"], operation.get("action_id"), operation["success"]) for operation in recorded.all()
    ]
    assert found == [("execute_tool", "look", True), ("execute_tool", "look", False), ("retrieval", "Documents", True)]


def test_without_capture_no_content_is_kept(recorded: Recorded) -> None:
    path = recorded.path.with_name("without.jsonl")
    opstream.configure(json_lines=path)
    model().invoke("secret", config=config())  # type: ignore[arg-type]
    opstream.flush()
    text = path.read_text()
    assert '"input_tokens":100' in text and "secret" not in text and "fine" not in text
