"""A callback handler of LangChain: calls of models, tools and retrievers become operations.

    from opstream.langchain import OpstreamCallbackHandler
    chain.invoke(question, config={"callbacks": [OpstreamCallbackHandler()]})

Chains and agents are no operations: they would repeat the tokens of the calls inside. Where the SDK below is patched too, each call
would be recorded twice; use one of both.
"""

import json
import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

try:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult
except ModuleNotFoundError as error:
    raise ImportError("opstream.langchain needs LangChain: pip install langchain-core", name=error.name) from None

from opstream import _client
from opstream._observe import Observation

__all__ = ["OpstreamCallbackHandler"]

_ROLES = {"human": "user", "ai": "assistant"}
_MOST_UNDER_WAY = 10_000
"""Runs that are kept while they are under way: some are never ended, when their task is cancelled."""


class OpstreamCallbackHandler(BaseCallbackHandler):
    """Records what LangChain calls. One handler may serve many runs at once."""

    # It takes microseconds, for which no other thread need be asked.
    run_inline = True

    def __init__(self, client: "_client.Client | None" = None) -> None:
        """``client`` is None for the package's own."""
        self._client = client
        self._lock = threading.Lock()
        self._under_way: dict[UUID, Observation] = {}

    def on_chat_model_start(
        self, serialized: dict[str, Any] | None, messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat begins."""
        fields = _fields_of_start(kwargs)
        if self._keeps_content():
            fields["messages"] = [_message(message) for batch in messages for message in batch]
        self._begin(run_id, "chat", fields)

    def on_llm_start(
        self, serialized: dict[str, Any] | None, prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A text completion begins."""
        fields = _fields_of_start(kwargs)
        if self._keeps_content():
            fields["messages"] = list(prompts)
        self._begin(run_id, "text_completion", fields)

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A token of a stream."""
        observation = self._under_way.get(run_id)
        if observation is not None:
            observation.first_token()
            observation.set(stream=True)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered."""
        self._end(run_id, _fields_of_result(response, keeps_content=self._keeps_content()))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has failed."""
        self._fail(run_id, error)

    def on_tool_start(self, serialized: dict[str, Any] | None, input_str: str, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool begins; its name is the action."""
        self._begin(run_id, "execute_tool", {"action_id": kwargs.get("name") or (serialized or {}).get("name")})

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has ended."""
        self._end(run_id, {})

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has failed."""
        self._fail(run_id, error)

    def on_retriever_start(self, serialized: dict[str, Any] | None, query: str, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever begins; its name is the action."""
        self._begin(run_id, "retrieval", {"action_id": kwargs.get("name") or (serialized or {}).get("name")})

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever has ended."""
        self._end(run_id, {})

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever has failed."""
        self._fail(run_id, error)

    def _keeps_content(self) -> bool:
        return (self._client or _client.default_client()).keeps_content

    def _begin(self, run_id: UUID, operation_type: str, fields: dict[str, Any]) -> None:
        observation = Observation(self._client, {"operation_type": operation_type, **fields})
        with self._lock:
            if len(self._under_way) >= _MOST_UNDER_WAY:
                self._under_way.pop(next(iter(self._under_way)))
            self._under_way[run_id] = observation

    def _end(self, run_id: UUID, fields: dict[str, Any]) -> None:
        with self._lock:
            observation = self._under_way.pop(run_id, None)
        if observation is not None:
            observation.set(**fields)
            observation.end()

    def _fail(self, run_id: UUID, error: BaseException) -> None:
        observation = self._under_way.get(run_id)
        if observation is not None:
            observation.fail(error)
        self._end(run_id, {})


def _fields_of_start(kwargs: dict[str, Any]) -> dict[str, Any]:
    metadata = kwargs.get("metadata") or {}
    parameters = kwargs.get("invocation_params") or {}
    request = {name: value for name, value in parameters.items() if name not in ("messages", "prompt", "tools")}
    fields: dict[str, Any] = {
        "provider": metadata.get("ls_provider") or parameters.get("_type"),
        "request": request,
        "model": metadata.get("ls_model_name") or parameters.get("model") or parameters.get("model_name"),
        "temperature": metadata.get("ls_temperature"),
        "max_tokens": metadata.get("ls_max_tokens"),
    }
    for field, name in (("session_id", "session_id"), ("session_id", "thread_id"), ("user_id", "user_id")):
        if metadata.get(name) is not None:
            fields.setdefault(field, str(metadata[name]))
    return fields


def _fields_of_result(result: LLMResult, *, keeps_content: bool) -> dict[str, Any]:
    generations = [generation for batch in result.generations for generation in batch]
    messages = [message for message in (getattr(generation, "message", None) for generation in generations) if message]
    output = result.llm_output or {}
    fields: dict[str, Any] = {}
    counted = [usage for usage in (getattr(message, "usage_metadata", None) for message in messages) if usage]
    if counted:
        fields |= _counts(counted)
    else:
        fields["usage"] = output.get("token_usage") or output.get("usage")
    reasons = []
    for holder in (getattr(message, "response_metadata", None) or {} for message in messages):
        reasons.append(holder.get("finish_reason") or holder.get("stop_reason"))
        fields["response_model"] = holder.get("model_name") or holder.get("model") or fields.get("response_model")
        fields["response_id"] = holder.get("id") or fields.get("response_id")
        fields["service_tier"] = holder.get("service_tier") or fields.get("service_tier")
    for generation in generations if not messages else ():
        reasons.append((generation.generation_info or {}).get("finish_reason"))
    fields["finish_reasons"] = [reason for reason in reasons if isinstance(reason, str)]
    if keeps_content:
        texts = [{"role": "assistant", "content": generation.text} for generation in generations]
        fields["response"] = [_message(message) for message in messages] or texts
    return fields


def _counts(usages: list[dict[str, Any]]) -> dict[str, int]:
    """LangChain's counts, which are canonical: the input contains what caches held, the output reasoning."""
    counts: dict[str, int] = {}
    for usage in usages:
        read, written = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
        for field, value in (
            ("input_tokens", usage.get("input_tokens")),
            ("output_tokens", usage.get("output_tokens")),
            ("cache_read_tokens", read.get("cache_read")),
            ("cache_write_tokens", read.get("cache_creation") or read.get("ephemeral_5m_input_tokens")),
            ("cache_write_1h_tokens", read.get("ephemeral_1h_input_tokens")),
            ("input_audio_tokens", read.get("audio")),
            ("reasoning_tokens", written.get("reasoning")),
            ("output_audio_tokens", written.get("audio")),
        ):
            if value is not None:
                counts[field] = counts.get(field, 0) + int(value)
    return counts


def _message(message: BaseMessage) -> dict[str, Any]:
    calls = [
        {"id": call.get("id"), "function": {"name": call.get("name"), "arguments": json.dumps(call.get("args"))}}
        for call in getattr(message, "tool_calls", None) or ()
    ]
    return {
        "role": _ROLES.get(message.type, message.type),
        "content": message.content,
        "tool_call_id": getattr(message, "tool_call_id", None),
        "tool_calls": calls,
    }
