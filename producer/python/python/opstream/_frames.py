"""Operations as data frames with AiCore's columns: from the database, the lake's files, or files of JSON.

What AiCore has no column for stands behind its 26, see ``OWN_COLUMNS``. Ids are opstream's UUIDs, times are UTC.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from opstream import _database, _settings
from opstream._log import log_once, logger
from opstream._messages import last_text, message_texts
from opstream._optional import polars
from opstream._query import QueryError

if TYPE_CHECKING:
    import polars as pl

FILE_COLUMNS: Final = [
    "session_id",
    "workspace",
    "agent_id",
    "action_id",
    "timestamp",
    "operation_id",
    "operation_type",
    "provider",
    "model",
    "system_prompt",
    "user_prompt",
    "response",
    "success",
    "assistant_message",
    "history_messages",
    "temperature",
    "max_tokens",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "total_tokens",
    "cost",
    "latency_ms",
    "error_message",
    "completion_args",
    "extras",
]
"""AiCore's columns in the order of its files."""

DATABASE_COLUMNS: Final = [
    "session_id",
    "workspace",
    "agent_id",
    "action_id",
    "operation_id",
    "timestamp",
    "system_prompt",
    "user_prompt",
    "response",
    "assistant_message",
    "history_messages",
    "completion_args",
    "error_message",
    "operation_type",
    "provider",
    "model",
    "success",
    "temperature",
    "max_tokens",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "total_tokens",
    "cost",
    "latency_ms",
    "extras",
]
"""The same in the order of its queries."""

OWN_COLUMNS: Final = [
    "user_id",
    "error_type",
    "cost_nano_usd",
    "cost_status",
    "reported_cost_nano_usd",
    "cache_write_tokens",
    "reasoning_tokens",
    "ttft_ms",
    "tags",
]
"""What opstream knows beside them."""

_ROW: Final = [
    "session_id",
    "workspace",
    "agent_id",
    "action_id",
    "operation_id",
    "started_at_us",
    "error_type",
    "error_message",
    "operation_type",
    "source_type",
    "provider",
    "model",
    "success",
    "temperature",
    "max_tokens",
    "request_parameters",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
    "cost_status",
    "reported_cost_nano_usd",
    "latency_us",
    "ttft_us",
    "user_id",
    "tags",
    "metadata",
]
_CONTENT: Final = ["system_prompt", "input_messages", "output_messages", "tool_definitions"]
_FLOATS: Final = frozenset({"temperature", "cost", "latency_ms", "ttft_ms"})
_COUNTS: Final = frozenset(
    [
        "max_tokens",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "total_tokens",
        "cost_nano_usd",
        "reported_cost_nano_usd",
        "cache_write_tokens",
        "reasoning_tokens",
    ]
)
_NANOS: Final = 1e9
_FIRST_DAY: Final = datetime(1970, 1, 2, tzinfo=timezone.utc)


def frame(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> "pl.DataFrame":
    """A frame of these columns, each of its fixed type, also without rows."""
    pl = polars("reading operations")
    schema = {name: _type_of(name, pl) for name in columns}
    gathered = list(rows)
    return pl.DataFrame({name: [row.get(name) for row in gathered] for name in schema}, schema=schema)


def _type_of(name: str, pl: Any) -> Any:
    if name in _FLOATS:
        return pl.Float64
    if name in _COUNTS:
        return pl.Int64
    return pl.Boolean if name == "success" else pl.String


def from_database(
    filters: Mapping[str, str | None],
    start: "datetime | date | str | None",
    end: "datetime | date | str | None",
    database: "str | os.PathLike[str] | None",
) -> "pl.DataFrame":
    """Operations of the database, the newest first. See ``polars_from_db``."""
    polars("polars_from_db")
    given = {name: value for name, value in filters.items() if value}
    with _database.reading(database) as reader:
        conditions = [f"o.{name} = :{name}" for name in given]
        values: dict[str, object] = dict(given)
        for name, comparison, moment in (("first", ">=", _moment(start)), ("end", "<", _moment(end, is_end=True))):
            if moment is not None:
                conditions.append(f"o.operation_id {comparison} :{name}")
                values[name] = reader.id(_lowest_id(moment))
        where = f" where {' and '.join(conditions)}" if conditions else ""
        selected = ", ".join([f"o.{name}" for name in _ROW] + [f"c.{name}" for name in _CONTENT])
        sql = (
            f"select {selected} from operations o left join operation_contents c on c.operation_id = o.operation_id"
            f"{where} order by o.operation_id desc"
        )
        rows = (_aicore_row(dict(zip(_ROW + _CONTENT, row, strict=False))) for row in reader.rows(sql, values))
        return frame(rows, DATABASE_COLUMNS + OWN_COLUMNS)


def from_files(storage_path: "str | os.PathLike[str] | None", session_id: str | None) -> "pl.DataFrame":
    """Operations of files. See ``polars_from_file``."""
    polars("polars_from_file")
    path = _storage(storage_path)
    if not path.exists():
        logger.warning("there is no %s", path)
        return frame([], FILE_COLUMNS + OWN_COLUMNS)
    if path.is_dir() and (path / "opstream.db").is_file():
        rows: Iterator[Mapping[str, Any]] = _lake_rows(path, session_id)
    elif path.suffix == ".parquet":
        rows = _parquet_rows([path], [], session_id)
    elif path.suffix in (".jsonl", ".ndjson"):
        rows = (_aicore_row(_json_line_row(line)) for line in _json_lines(path))
    else:
        rows = _aicore_file_rows(path)
    kept = (row for row in rows if session_id is None or row.get("session_id") == session_id)
    return frame(kept, FILE_COLUMNS + OWN_COLUMNS)


def _storage(given: "str | os.PathLike[str] | None") -> Path:
    if given is not None:
        return Path(given)
    data = Path(_settings.variable("OPSTREAM_DATA") or _settings.DEFAULT_DATA)
    if (data / "opstream.db").is_file():
        return data
    # The variables of AiCore, in its order.
    names = ("OPSTREAM_JSON_LINES", "OBSERVABILITY_DATA_ROOT", "OBSERVABILITY_DATA_DEFAULT_FILE", "OBSERVABILITY_DIR")
    return Path(next(filter(None, map(_settings.variable, names)), "observability_data"))


def _lake_rows(folder: Path, session_id: str | None) -> Iterator[Mapping[str, Any]]:
    live: dict[str, list[Path]] = {"operations": [], "contents": []}
    lake = Path(_settings.variable("OPSTREAM_LAKE") or folder / "lake")
    lake = folder / "lake" if (folder / "lake").is_dir() else lake
    with _database.reading(folder / "opstream.db") as reader:
        for kind, path in reader.rows("select kind, path from lake_files where removed_at_ms is null", {}):
            live[kind].append(lake / path)
    yield from _parquet_rows(live["operations"], live["contents"], session_id)


def _parquet_rows(files: list[Path], contents: list[Path], session_id: str | None) -> Iterator[Mapping[str, Any]]:
    if not files:
        return
    pl = polars("polars_from_file")
    try:
        operations = pl.scan_parquet(files).select(_ROW)
        if session_id is not None:
            operations = operations.filter(pl.col("session_id") == session_id)
        if contents:
            operations = operations.join(
                pl.scan_parquet(contents).select("operation_id", *_CONTENT), on="operation_id", how="left"
            )
        table = operations.sort("operation_id").collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise QueryError(f"the files cannot be read as opstream's: {error}") from None
    for row in table.iter_rows(named=True):
        yield _aicore_row(row)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    n_unreadable = 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                value = None
            if isinstance(value, dict):
                yield value
            elif line.strip():
                n_unreadable += 1
    if n_unreadable:
        logger.warning("%s has %s lines that are no operations", path, n_unreadable)


def _json_line_row(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the producer, whose moments and amounts are text; it knows no price."""
    row = dict(line)
    started_at = datetime.fromisoformat(str(line.get("started_at", "1970-01-01T00:00:00Z")).replace("Z", "+00:00"))
    row["started_at_us"] = (started_at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
    reported = line.get("reported_cost_usd")
    row["reported_cost_nano_usd"] = round(float(reported) * _NANOS) if reported is not None else None
    row["tags"] = json.dumps(line["tags"]) if line.get("tags") else None
    return row


def _aicore_file_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    files = (
        sorted(path.rglob("*.json"), key=lambda file: (str(file.parent), len(file.stem), file.stem))
        if path.is_dir()
        else [path]
    )
    for file in files:
        try:
            records = json.loads(file.read_bytes())
        except (ValueError, OSError) as error:
            logger.warning("%s cannot be read: %s", file, error)
            continue
        for record in records if isinstance(records, list) else [records]:
            if isinstance(record, dict):
                row = {name: _aicore_value(name, record.get(name)) for name in FILE_COLUMNS}
                # AiCore takes an empty answer for a failure in one place, and an error in the other.
                yield {**row, "success": not row["error_message"]}


def _aicore_value(name: str, value: Any) -> Any:
    """AiCore's value in the column's type; None for what does not fit it, rather than losing the whole file."""
    if value is None:
        return None
    try:
        if name in _FLOATS:
            return float(value)
        if name in _COUNTS:
            return int(value)
    except (TypeError, ValueError):
        return None
    if name == "success":
        return bool(value)
    return value if isinstance(value, str) else json.dumps(value)


def _aicore_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of opstream's table in AiCore's words."""
    messages, answer = row.get("input_messages"), row.get("output_messages")
    input_tokens, output_tokens, cost = row.get("input_tokens"), row.get("output_tokens"), row.get("cost_nano_usd")
    known = [count for count in (input_tokens, output_tokens) if count is not None]
    arguments = {name: row.get(name) for name in ("model", "temperature", "max_tokens") if row.get(name) is not None}
    return {
        **row,
        "operation_id": _id_text(row.get("operation_id")),
        "timestamp": (
            datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=row["started_at_us"])
        ).isoformat(),
        "operation_type": row.get("source_type") or row.get("operation_type"),
        "success": bool(row.get("success", True)),
        "user_prompt": last_text(messages, "user"),
        "assistant_message": last_text(messages, "assistant"),
        "history_messages": messages,
        "response": message_texts(answer),
        "completion_args": json.dumps({**arguments, **_object(row.get("request_parameters"))}),
        "extras": row.get("metadata"),
        "cached_tokens": row.get("cache_read_tokens") or 0,
        "cache_write_tokens": (row.get("cache_write_tokens") or 0) + (row.get("cache_write_1h_tokens") or 0),
        "reasoning_tokens": row.get("reasoning_tokens") or 0,
        "total_tokens": sum(known) if known else None,
        "cost": cost / _NANOS if cost is not None else None,
        "latency_ms": row["latency_us"] / 1000 if row.get("latency_us") is not None else None,
        "ttft_ms": row["ttft_us"] / 1000 if row.get("ttft_us") is not None else None,
    }


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _id_text(value: Any) -> str:
    return str(UUID(bytes=value)) if isinstance(value, bytes) else str(value)


def _moment(given: "datetime | date | str | None", *, is_end: bool = False) -> datetime | None:
    """The first moment that counts, or for an end the first that does not: the day and the moment named are included."""
    if given is None or given == "":
        return None
    is_day = (isinstance(given, str) and len(given) == len("2026-11-23")) or type(given) is date
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given.replace("Z", "+00:00"))
        except ValueError:
            raise QueryError(f"{given!r} is no moment; expected ISO 8601 such as 2026-11-23T08:00:00") from None
    else:
        moment = given if isinstance(given, datetime) else datetime.combine(given, time())
    if is_end:
        moment += timedelta(days=1) if is_day else timedelta(milliseconds=1)
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.astimezone()


def _lowest_id(moment: datetime) -> bytes:
    millis = max(moment, _FIRST_DAY).timestamp() * 1000
    return int(millis).to_bytes(6, "big") + bytes(10)


def warn_of_purge() -> None:
    """AiCore deletes files that it cannot read where it is asked to; here nothing is ever deleted."""
    log_once(
        "purge", "purge_corrupted is not done: opstream deletes none of your files; those it cannot read are named"
    )
