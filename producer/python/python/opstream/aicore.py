"""AiCore's names, so that its users change one import.

``from opstream.aicore import LlmOperationCollector`` takes the place of ``from aicore.observability.collector import …``, and
``from opstream.aicore import get_json_stats`` that of ``from aicore.observability.utils import …``. docs/python.md says what
differs.
"""

import asyncio
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from opstream import _client, _frames, _stats
from opstream._database import reading

if TYPE_CHECKING:
    import polars as pl

    from opstream._client import Client

__all__ = [
    "LlmOperationCollector",
    "LlmOperationRecord",
    "aget_available_sessions",
    "apolars_from_db",
    "arecord_completion",
    "async_get_json_stats",
    "get_available_sessions",
    "get_db_stats",
    "get_json_stats",
    "polars_from_db",
    "polars_from_file",
    "record_completion",
]

_DISABLED = _client.Client(disabled=True)


class LlmOperationRecord:
    """What was recorded, by AiCore's names. Holds what it was given, and nothing once it is let go."""

    __slots__ = ("_arguments", "operation_id")

    def __init__(self, operation_id: str | None, arguments: dict[str, Any]) -> None:
        """``operation_id`` is None where nothing was recorded."""
        self.operation_id = operation_id
        """opstream's id, a UUID; None where nothing was recorded."""
        self._arguments = arguments

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "_arguments")[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}") from None

    @property
    def model(self) -> str:
        """Model as requested; empty without one."""
        arguments = self._arguments["completion_args"]
        return str(arguments.get("model") or "") if isinstance(arguments, dict) else ""

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return (self._arguments["input_tokens"] or 0) + (self._arguments["output_tokens"] or 0)

    @property
    def success(self) -> bool:
        """Whether there is no error; an empty answer is a success."""
        return not self._arguments["error_message"]


def record_completion(
    completion_args: "dict[str, Any] | str",
    operation_type: str,
    provider: str,
    response: Any = None,
    session_id: str | None = None,
    workspace: str | None = None,
    agent_id: str | None = None,
    action_id: str | None = None,
    input_tokens: int | None = 0,
    output_tokens: int | None = 0,
    cached_tokens: int | None = 0,
    cost: float | None = 0,
    latency_ms: float | None = None,
    error_message: str | None = None,
    extras: "dict[str, Any] | str | None" = None,
    *,
    client: "Client | None" = None,
) -> LlmOperationRecord:
    """Records a call that has ended, with AiCore's arguments. Never raises, never waits.

    ``cached_tokens`` are a part of ``input_tokens`` and are not added to the output. ``completion_args`` may hold any argument of
    the call; headers and keys are not kept.
    """
    arguments: dict[str, Any] = {
        "completion_args": completion_args,
        "operation_type": operation_type,
        "provider": provider,
        "response": response,
        "session_id": session_id,
        "workspace": workspace,
        "agent_id": agent_id,
        "action_id": action_id,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cached_tokens": cached_tokens,
        "cost": cost,
        "latency_ms": latency_ms,
        "error_message": error_message,
        "extras": extras,
    }
    recorder = client if client is not None else _client.default_client()
    return LlmOperationRecord(recorder.record_completion(arguments), arguments)


async def arecord_completion(*args: Any, **kwargs: Any) -> LlmOperationRecord:
    """``record_completion`` for ``await``: it does not wait either, so there is nothing to wait for."""
    return record_completion(*args, **kwargs)


def polars_from_db(
    agent_id: str | None = None,
    action_id: str | None = None,
    session_id: str | None = None,
    workspace: str | None = None,
    start_date: "str | datetime | None" = None,
    end_date: "str | datetime | None" = None,
    *,
    database: "str | os.PathLike[str] | None" = None,
) -> "pl.DataFrame":
    """Operations of opstream's database with AiCore's columns, the newest first.

    Without ``session_id`` and dates those since yesterday, 00:00 local time. The database is ``database``, else that of
    ``OPSTREAM_DATABASE_URL`` or ``CONNECTION_STRING``, else that of ``opstream up`` in this folder.

    Raises ``QueryError`` when it cannot be read, ``ImportError`` without Polars, or without psycopg for Postgres.
    """
    if session_id is None and start_date is None:
        yesterday = datetime.now() - timedelta(days=1)
        start_date = yesterday.replace(hour=0, minute=0, second=0, microsecond=0)
    filters = {"agent_id": agent_id, "action_id": action_id, "session_id": session_id, "workspace": workspace}
    return _frames.from_database(filters, start_date, end_date, database)


async def apolars_from_db(*args: Any, **kwargs: Any) -> "pl.DataFrame":
    """``polars_from_db`` in a thread of its own."""
    return await asyncio.to_thread(polars_from_db, *args, **kwargs)


def polars_from_file(
    storage_path: "str | os.PathLike[str] | None" = None, session_id: str | None = None, purge_corrupted: bool = False
) -> "pl.DataFrame":
    """Operations of files with AiCore's columns, the oldest first.

    ``storage_path`` is the folder of ``opstream up`` (its lake is read by its manifest), one Parquet file, a file of JSON lines
    (``.jsonl``) that a client wrote, or AiCore's folder. Files that cannot be read are named in the log, and none is deleted.

    Raises ``QueryError`` for Parquet files that are not opstream's, ``ImportError`` without Polars.
    """
    if purge_corrupted:
        _frames.warn_of_purge()
    return _frames.from_files(storage_path, session_id)


def get_json_stats(
    session_id: str | None = None, storage_path: "str | os.PathLike[str] | None" = None
) -> dict[str, Any]:
    """AiCore's fifteen statistics, of what ``polars_from_file`` reads."""
    return _stats.of_files(session_id, storage_path)


async def async_get_json_stats(
    session_id: str | None = None, storage_path: "str | os.PathLike[str] | None" = None
) -> dict[str, Any]:
    """``get_json_stats`` in a thread of its own."""
    return await asyncio.to_thread(_stats.of_files, session_id, storage_path)


async def get_db_stats(
    session_id: str | None = None, db_connection_string: "str | os.PathLike[str] | None" = None
) -> dict[str, Any]:
    """AiCore's fifteen statistics of opstream's database, which adds up itself."""
    return await asyncio.to_thread(_stats.of_database, session_id, db_connection_string)


def get_available_sessions(
    workspace: str | None = None, *, database: "str | os.PathLike[str] | None" = None
) -> list[str]:
    """Sessions of opstream's database, in the order of their names."""
    where = " and workspace = :workspace" if workspace else ""
    sql = f"select distinct session_id from operations where session_id is not null{where} order by session_id"
    with reading(database) as reader:
        return [session for (session,) in reader.rows(sql, {"workspace": workspace} if workspace else {})]


async def aget_available_sessions(
    workspace: str | None = None, *, database: "str | os.PathLike[str] | None" = None
) -> list[str]:
    """``get_available_sessions`` in a thread of its own."""
    return await asyncio.to_thread(get_available_sessions, workspace, database=database)


class LlmOperationCollector:
    """AiCore's collector: the functions of this module as methods. Holds no records; all collectors share one client."""

    def __init__(self, client: "Client | None" = None) -> None:
        """``client`` is None for the package's own."""
        self._client = client
        self.storage_path: str | os.PathLike[str] | None = None
        """Where ``polars_from_file`` of AiCore's would look. opstream writes no files there."""
        self.is_enabled = True
        """Whether it records; AiCore's providers turn their collector off by this."""

    @classmethod
    def fom_observable_storage_path(
        cls, storage_path: "str | os.PathLike[str] | None" = None
    ) -> "LlmOperationCollector":
        """A collector; AiCore's spelling. The path is kept, and nothing is written there."""
        collector = cls()
        collector.storage_path = storage_path
        return collector

    def record_completion(self, *args: Any, **kwargs: Any) -> LlmOperationRecord:
        """See ``record_completion`` of this module."""
        return record_completion(*args, **kwargs, client=self._client if self.is_enabled else _DISABLED)

    async def arecord_completion(self, *args: Any, **kwargs: Any) -> LlmOperationRecord:
        """See ``record_completion`` of this module; it does not wait."""
        return self.record_completion(*args, **kwargs)

    polars_from_db = staticmethod(polars_from_db)
    apolars_from_db = staticmethod(apolars_from_db)
    polars_from_file = staticmethod(polars_from_file)
    aget_available_sessions = staticmethod(aget_available_sessions)
