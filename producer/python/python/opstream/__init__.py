"""Records every LLM call of an application, in microseconds, and brings it to opstream.

>>> import opstream
>>> opstream.configure(json_lines="operations.jsonl")
>>> with opstream.context(session_id="s-1", agent_id="planner"):
...     opstream.record(provider="openai", model="gpt-5-mini", input_tokens=1200, output_tokens=85, latency_ms=900)

Recording never raises and never waits: see ``counters()`` and ``problems()`` for what became of it.
"""

from opstream._client import (
    Client,
    close,
    configure,
    counters,
    default_client,
    flush,
    problems,
    record,
)
from opstream._context import context, current_context
from opstream._integrations import patch_anthropic, patch_openai, unpatch_anthropic, unpatch_openai
from opstream._observe import Observation, current_operation, observe, operation
from opstream._query import QueryError, query
from opstream._settings import ConfigurationError
from opstream.aicore import (
    LlmOperationCollector,
    LlmOperationRecord,
    apolars_from_db,
    arecord_completion,
    async_get_json_stats,
    get_db_stats,
    get_json_stats,
    polars_from_db,
    polars_from_file,
    record_completion,
)

__all__ = [
    "Client",
    "ConfigurationError",
    "LlmOperationCollector",
    "LlmOperationRecord",
    "Observation",
    "QueryError",
    "apolars_from_db",
    "arecord_completion",
    "async_get_json_stats",
    "close",
    "configure",
    "context",
    "counters",
    "current_context",
    "current_operation",
    "default_client",
    "flush",
    "get_db_stats",
    "get_json_stats",
    "observe",
    "operation",
    "patch_anthropic",
    "patch_openai",
    "polars_from_db",
    "polars_from_file",
    "problems",
    "query",
    "record",
    "record_completion",
    "unpatch_anthropic",
    "unpatch_openai",
]
