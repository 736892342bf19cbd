"""A logger for LiteLLM: every completion and embedding becomes an operation.

    import litellm
    from opstream.litellm import OpstreamLogger
    litellm.callbacks = [OpstreamLogger()]

In the proxy's configuration: ``litellm_settings: {callbacks: opstream.litellm.logger}``. Session and tags come from the call's
``metadata`` (``session_id``, ``user_id``, ``agent_id``, ``tags``) and the context of the call where LiteLLM keeps it.
"""

from datetime import datetime
from typing import Any

try:
    from litellm.integrations.custom_logger import CustomLogger
except ModuleNotFoundError as error:
    raise ImportError("opstream.litellm needs LiteLLM: pip install litellm", name=error.name) from None

from opstream import _client
from opstream._answers import content_of_answer, fields_of_error, finish_reasons, get
from opstream._log import log_once

__all__ = ["OpstreamLogger", "logger"]

_CONTEXT = ("session_id", "user_id", "agent_id", "agent_name", "action_id", "trace_id", "workspace", "project", "team")
_TYPES = {
    "embedding": "embeddings",
    "aembedding": "embeddings",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
}
_NO_OPERATIONS = ("image", "transcription", "speech", "moderation", "file", "batch", "vector_store", "rerank")


class OpstreamLogger(CustomLogger):
    """Records what LiteLLM calls."""

    def __init__(self, client: "_client.Client | None" = None) -> None:
        """``client`` is None for the package's own."""
        super().__init__()
        self._client = client

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call has been answered."""
        self._record(kwargs, response_obj, start_time, end_time, is_failure=False)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call has failed."""
        self._record(kwargs, response_obj, start_time, end_time, is_failure=True)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """An asynchronous call has been answered."""
        self._record(kwargs, response_obj, start_time, end_time, is_failure=False)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """An asynchronous call has failed."""
        self._record(kwargs, response_obj, start_time, end_time, is_failure=True)

    def _record(self, kwargs: Any, response: Any, begun: Any, ended: Any, *, is_failure: bool) -> None:
        try:
            call_type = str(kwargs.get("call_type") or "completion")
            if any(word in call_type for word in _NO_OPERATIONS):
                return
            fields = _fields_of_call(kwargs, call_type, begun, ended)
            whole = kwargs.get("complete_streaming_response") or kwargs.get("async_complete_streaming_response")
            fields |= _fields_of_failure(kwargs, response) if is_failure else _fields_of_response(whole or response)
            client = self._client or _client.default_client()
            client.record(**fields)
        except Exception:
            log_once("litellm", "a call of LiteLLM could not be recorded", exc_info=True)


def _fields_of_call(kwargs: dict[str, Any], call_type: str, begun: Any, ended: Any) -> dict[str, Any]:
    parameters = kwargs.get("litellm_params") or {}
    metadata = parameters.get("metadata") or {}
    request = {**(kwargs.get("optional_params") or {}), "messages": kwargs.get("messages") or kwargs.get("input")}
    fields: dict[str, Any] = {
        "operation_type": _TYPES.get(call_type, "chat"),
        "source_type": call_type if call_type in _TYPES else None,
        "provider": kwargs.get("custom_llm_provider") or parameters.get("custom_llm_provider"),
        "model": kwargs.get("model"),
        "request": request,
        "stream": kwargs.get("stream") or None,
        "user_id": kwargs.get("user"),
        "endpoint": _host(parameters.get("api_base")),
    }
    if isinstance(begun, datetime):
        fields["started_at"] = begun
        if isinstance(ended, datetime):
            fields["latency_ms"] = max((ended - begun).total_seconds() * 1000, 0.0)
        first = kwargs.get("completion_start_time")
        if kwargs.get("stream") and isinstance(first, datetime):
            fields["ttft_ms"] = max((first - begun).total_seconds() * 1000, 0.0)
    cost = kwargs.get("response_cost")
    fields["reported_cost_usd"] = cost if isinstance(cost, (int, float)) and cost > 0 else None
    fields |= {name: str(metadata[name]) for name in _CONTEXT if metadata.get(name) is not None}
    tags = metadata.get("tags")
    if isinstance(tags, dict):
        fields["tags"] = {str(name): str(value) for name, value in tags.items()}
    elif isinstance(tags, (list, tuple)):
        fields["tags"] = {str(tag): "true" for tag in tags}
    return fields


def _fields_of_response(response: Any) -> dict[str, Any]:
    model, response_id = get(response, "model"), get(response, "id")
    return {
        "usage": _usage(get(response, "usage")),
        "response_model": model if isinstance(model, str) else None,
        "response_id": response_id if isinstance(response_id, str) else None,
        "finish_reasons": finish_reasons(response),
        "response": content_of_answer(response),
    }


def _usage(usage: Any) -> dict[str, Any] | None:
    """LiteLLM's counts in OpenAI's dialect, into which it translates those of every provider.

    Keys of Anthropic stand beside them and would be counted again.
    """
    if usage is None or get(usage, "prompt_tokens") is None:
        return None
    details, written = get(usage, "prompt_tokens_details"), get(usage, "completion_tokens_details")
    read = get(details, "cached_tokens")
    counts: dict[str, Any] = {
        "prompt_tokens": get(usage, "prompt_tokens"),
        "completion_tokens": get(usage, "completion_tokens") or 0,
        "total_tokens": get(usage, "total_tokens"),
        "prompt_tokens_details": {
            "cached_tokens": read if read is not None else get(usage, "cache_read_input_tokens"),
            "cache_write_tokens": get(usage, "cache_creation_input_tokens"),
            "audio_tokens": get(details, "audio_tokens"),
        },
        "completion_tokens_details": {
            "reasoning_tokens": get(written, "reasoning_tokens"),
            "audio_tokens": get(written, "audio_tokens"),
        },
    }
    return counts


def _fields_of_failure(kwargs: dict[str, Any], response: Any) -> dict[str, Any]:
    error = kwargs.get("exception") or response
    if isinstance(error, BaseException):
        return fields_of_error(error)
    return {"success": False, "error_type": "_OTHER", "error_message": str(error) if error is not None else None}


def _host(address: Any) -> str | None:
    return str(address).partition("://")[2].rpartition("@")[2] or None if address else None


logger = OpstreamLogger()
"""For the configuration of LiteLLM's proxy, which wants an instance."""
