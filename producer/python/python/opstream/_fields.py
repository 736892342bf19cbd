"""The fields of ``record()``, for type checkers and editors."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict
from uuid import UUID


class Fields(TypedDict, total=False):
    """All are optional; None is not given. Counts are tokens, durations in the unit of their name."""

    operation_type: str
    provider: str | None
    model: str | None
    usage: Any
    request: Mapping[str, Any] | None
    messages: Any
    response: Any
    system_prompt: Any
    tools: Any
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cache_write_1h_tokens: int | None
    reasoning_tokens: int | None
    input_audio_tokens: int | None
    output_audio_tokens: int | None
    input_image_tokens: int | None
    output_image_tokens: int | None
    web_searches: int | None
    billable_units: Mapping[str, int] | None
    reported_cost_usd: "float | Decimal | str | None"
    started_at: "datetime | float | str | None"
    latency_ms: float | None
    latency_us: int | None
    ttft_ms: float | None
    ttft_us: int | None
    queue_us: int | None
    generation_us: int | None
    success: bool | None
    error_type: str | None
    error_message: str | None
    http_status: int | None
    finish_reasons: "Sequence[str] | None"
    workspace: str | None
    project: str | None
    team: str | None
    environment: str | None
    service: str | None
    session_id: str | None
    user_id: str | None
    agent_id: str | None
    agent_name: str | None
    action_id: str | None
    operation_id: "str | UUID | None"
    call_id: str | None
    attempt: int | None
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    response_id: str | None
    response_model: str | None
    endpoint: str | None
    service_tier: str | None
    processing: str | None
    stream: bool | None
    temperature: float | None
    max_tokens: int | None
    request_parameters: Mapping[str, Any] | None
    source_type: str | None
    tags: Mapping[str, str] | None
    metadata: Mapping[str, Any] | None
