"""Frames and statistics with AiCore's columns, from opstream's tables and files."""

import asyncio
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

import opstream
from conftest import ROOT, Recorded
from opstream import aicore

pl = pytest.importorskip("polars")

# The names of AiCore 0.2.254, in the orders of its two readers.
DATABASE_COLUMNS = """session_id workspace agent_id action_id operation_id timestamp system_prompt user_prompt response
assistant_message history_messages completion_args error_message operation_type provider model success temperature max_tokens
input_tokens output_tokens cached_tokens total_tokens cost latency_ms extras""".split()
FILE_COLUMNS = """session_id workspace agent_id action_id timestamp operation_id operation_type provider model system_prompt
user_prompt response success assistant_message history_messages temperature max_tokens input_tokens output_tokens cached_tokens
total_tokens cost latency_ms error_message completion_args extras""".split()
STATS = """total_calls total_tokens input_tokens output_tokens cached_tokens total_cost average_cost total_latency_ms
average_latency_ms success_count error_count success_rate costs_by_provider_model calls_by_provider_model
tokens_by_provider_model""".split()

NOW = datetime.now(timezone.utc)
MESSAGES = [
    {"role": "user", "parts": [{"type": "text", "content": "first"}]},
    {"role": "assistant", "parts": [{"type": "text", "content": "earlier"}]},
    {"role": "user", "parts": [{"type": "text", "content": "one"}, {"type": "text", "content": "two"}]},
]


def operation(number: int, at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """A row of the table."""
    millis = int(at.timestamp() * 1000)
    return {
        "operation_id": millis.to_bytes(6, "big") + bytes([0x70, 0, 0x80]) + number.to_bytes(7, "big"),
        "time_ms": millis,
        "stream_id": 1,
        "source_partition": 0,
        "source_offset": number,
        "workspace": "default",
        "attempt": 1,
        "operation_type": "chat",
        "started_at_us": millis * 1000,
        "success": True,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "input_image_tokens": 0,
        "output_image_tokens": 0,
        "web_searches": 0,
        "cost_status": "unpriced",
        "price_version": "1",
        "content_truncated": False,
        "content_redacted": False,
        "has_content": False,
        **changes,
    }


ROWS = [
    operation(
        1,
        session_id="s-1",
        agent_id="a",
        source_type="acompletion",
        provider="openai",
        model="gpt-5",
        temperature=0.5,
        max_tokens=64,
        request_parameters='{"top_p":0.9}',
        input_tokens=100,
        output_tokens=20,
        cache_read_tokens=64,
        cache_write_tokens=1,
        cache_write_1h_tokens=2,
        cost_nano_usd=1_500_000_000,
        cost_status="priced",
        latency_us=1500,
        ttft_us=500,
        metadata='{"x":1}',
        tags='{"team":"search"}',
        has_content=True,
    ),
    operation(
        2,
        session_id="s-1",
        provider="openai",
        model="gpt-5",
        success=False,
        error_type="RateLimitError",
        latency_us=500,
    ),
    operation(
        3,
        NOW - timedelta(days=30),
        session_id="old",
        workspace="lab",
        input_tokens=7,
        cost_nano_usd=1,
        cost_status="priced",
    ),
]
CONTENT = {
    "operation_id": ROWS[0]["operation_id"],
    "system_prompt": "be brief",
    "input_messages": json.dumps(MESSAGES),
    "output_messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "answer"}]}]),
    "tool_definitions": None,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder as ``opstream up`` has it: the database of the real migrations, and a lake with a file that is no longer live."""
    folder = tmp_path / "opstream-data"
    (folder / "lake").mkdir(parents=True)
    connection = sqlite3.connect(folder / "opstream.db")
    for migration in sorted((ROOT / "schemas/migrations/sqlite").glob("*.sql")):
        connection.executescript(migration.read_text())
    connection.execute("pragma foreign_keys = off")
    for table, rows in (("operations", ROWS), ("operation_contents", [CONTENT])):
        for row in rows:
            names = ", ".join(row)
            connection.execute(
                f"insert into {table} ({names}) values ({', '.join('?' * len(row))})", list(row.values())
            )
    types = {row[1]: row[2] for row in connection.execute("pragma table_info(operations)")}
    of_type = {"integer": pl.Int64, "real": pl.Float64, "text": pl.String, "blob": pl.Binary}
    schema = {
        name: pl.Boolean if isinstance(ROWS[0].get(name), bool) else of_type[kind.lower()]
        for name, kind in types.items()
    }
    pl.DataFrame(ROWS, schema=schema).write_parquet(folder / "lake/operations.parquet")
    pl.DataFrame(ROWS, schema=schema).write_parquet(folder / "lake/merged.parquet")
    contents = dict.fromkeys(CONTENT, pl.String) | {"operation_id": pl.Binary}
    pl.DataFrame([CONTENT], schema=contents).write_parquet(folder / "lake/contents.parquet")
    columns = {row[1]: row for row in connection.execute("pragma table_info(lake_files)")}
    for number, (kind, path, removed) in enumerate(
        [
            ("operations", "operations.parquet", None),
            ("operations", "merged.parquet", 5),
            ("contents", "contents.parquet", None),
        ]
    ):
        known = {"file_number": number, "kind": kind, "path": path, "removed_at_ms": removed}
        row = {name: known.get(name, bytes(16) if "_operation_id" in name else 0) for name in columns}
        row["operations_file"] = 0 if kind == "contents" else None
        connection.execute(
            f"insert into lake_files ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values())
        )
    connection.commit()
    connection.close()
    return folder


def test_the_database_answers_with_aicores_columns(data: Path) -> None:
    frame = opstream.polars_from_db(session_id="s-1")
    assert frame.columns[:26] == DATABASE_COLUMNS
    assert frame.height == 2
    row = frame.row(1, named=True)
    assert row["operation_id"] == str(UUID(bytes=ROWS[0]["operation_id"]))
    assert datetime.fromisoformat(row["timestamp"]) == NOW.replace(microsecond=NOW.microsecond // 1000 * 1000)
    assert (row["system_prompt"], row["user_prompt"]) == ("be brief", "one\ntwo")
    assert (row["response"], row["assistant_message"]) == ("answer", "earlier")
    assert json.loads(row["history_messages"]) == MESSAGES
    assert json.loads(row["completion_args"]) == {"model": "gpt-5", "temperature": 0.5, "max_tokens": 64, "top_p": 0.9}
    assert (row["operation_type"], row["success"]) == ("acompletion", True)
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"], row["total_tokens"]) == (100, 20, 64, 120)
    assert (row["cost"], row["cost_nano_usd"], row["latency_ms"], row["ttft_ms"]) == (1.5, 1_500_000_000, 1.5, 0.5)
    assert (row["cache_write_tokens"], row["extras"], row["tags"]) == (3, '{"x":1}', '{"team":"search"}')
    failed = frame.row(0, named=True)
    assert (failed["success"], failed["error_type"], failed["cost"], failed["total_tokens"]) == (
        False,
        "RateLimitError",
        None,
        None,
    )


def test_without_a_session_it_is_since_yesterday(data: Path) -> None:
    assert opstream.polars_from_db().height == 2
    old = opstream.polars_from_db(start_date="2020-01-01", workspace="lab")
    assert old["session_id"].to_list() == ["old"]
    assert opstream.polars_from_db(start_date="2020-01-01").height == 3


def test_the_named_day_and_moment_are_included(data: Path) -> None:
    day = (NOW - timedelta(days=30)).astimezone()
    for start, end, rows in [
        (day.date().isoformat(), day.date().isoformat(), 1),
        (day, day, 1),
        (day.isoformat(), day.isoformat(), 1),
        (day + timedelta(seconds=1), None, 2),
        (None, day - timedelta(seconds=1), 0),
    ]:
        found = opstream.polars_from_db(start_date=start or datetime(2020, 1, 1), end_date=end)
        assert found.height == rows, (start, end)
    with pytest.raises(opstream.QueryError, match="'soon' is no moment"):
        opstream.polars_from_db(start_date="soon")


def test_no_rows_are_a_frame_with_all_columns(data: Path) -> None:
    frame = opstream.polars_from_db(session_id="none")
    assert (frame.height, frame.columns[:26]) == (0, DATABASE_COLUMNS)
    assert (frame.schema["cost"], frame.schema["input_tokens"]) == (pl.Float64, pl.Int64)


async def test_the_asynchronous_readers_answer_the_same(data: Path) -> None:
    assert (await opstream.apolars_from_db(session_id="s-1")).equals(opstream.polars_from_db(session_id="s-1"))
    assert await aicore.aget_available_sessions() == ["old", "s-1"]
    assert await opstream.LlmOperationCollector.aget_available_sessions(workspace="lab") == ["old"]


@pytest.mark.parametrize("address", ["{}", "sqlite:{}", "sqlite:///{}", "sqlite+aiosqlite:///{}"])
def test_addresses_of_sqlite(data: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTION_STRING", address.format(data / "opstream.db"))
    assert opstream.polars_from_db(session_id="s-1").height == 2


def test_what_is_no_database_of_opstream_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(opstream.QueryError, match=r"no database is given, and there is no .*opstream.db"):
        opstream.polars_from_db()
    with pytest.raises(opstream.QueryError, match=r"there is no database x\.db"):
        opstream.polars_from_db(database="sqlite:x.db")
    with pytest.raises(opstream.QueryError, match="another kind of database") as raised:
        opstream.polars_from_db(database="mysql://u:hunter2@h/d")
    assert "hunter2" not in str(raised.value)
    foreign = sqlite3.connect(tmp_path / "aicore.db")
    foreign.execute("create table Message (operation_id text)")
    foreign.commit()
    with pytest.raises(opstream.QueryError, match="opstream import aicore"):
        opstream.polars_from_db(database=tmp_path / "aicore.db")


def test_the_lake_is_read_by_its_manifest(data: Path) -> None:
    frame = opstream.polars_from_file(data)
    assert frame.columns[:26] == FILE_COLUMNS
    assert frame["session_id"].to_list() == ["old", "s-1", "s-1"], "the merged file counts no second time"
    assert opstream.polars_from_file(data, session_id="s-1")["user_prompt"].to_list() == ["one\ntwo", ""]
    assert opstream.polars_from_file()["cost"].to_list() == [1e-9, 1.5, None], "the folder of opstream up is found"
    assert opstream.polars_from_file(data / "lake/operations.parquet").height == 3
    with pytest.raises(opstream.QueryError, match="cannot be read as opstream's"):
        pl.DataFrame({"a": [1]}).write_parquet(data / "other.parquet")
        opstream.polars_from_file(data / "other.parquet")


def test_the_clients_own_file_is_read(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    opstream.record_completion(
        {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        "acompletion",
        "openai",
        "yo",
        session_id="s",
        input_tokens=3,
        cost=0.25,
        latency_ms=2,
    )
    opstream.record(success=False)
    opstream.flush()
    with recorded.path.open("a") as file:
        file.write("torn {\n")
    frame = opstream.polars_from_file(recorded.path)
    row = frame.row(0, named=True)
    assert (row["operation_type"], row["user_prompt"], row["response"]) == ("acompletion", "hi", "yo")
    assert (row["total_tokens"], row["cost"], row["reported_cost_nano_usd"]) == (3, None, 250_000_000)
    assert opstream.get_json_stats(storage_path=recorded.path)["error_count"] == 1
    assert "has 1 lines that are no operations" in caplog.text


def test_aicores_folder_is_read_and_nothing_is_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = {name: "" for name in FILE_COLUMNS} | {
        "session_id": "s",
        "provider": "openai",
        "model": "m",
        "success": False,
        "temperature": 0.0,
        "max_tokens": "many",
        "input_tokens": 10,
        "output_tokens": 2,
        "cached_tokens": 0,
        "total_tokens": 12,
        "cost": 0.5,
        "latency_ms": 3.5,
    }
    folder = tmp_path / "observability_data/s"
    folder.mkdir(parents=True)
    (folder / "0.json").write_text(json.dumps([record, {**record, "error_message": "Timeout: none"}]))
    (folder / "10.json").write_text(json.dumps(record))
    (folder / "2.json").write_text("{")
    frame = opstream.polars_from_file(purge_corrupted=True)
    assert (frame.height, frame["max_tokens"].to_list()) == (3, [None] * 3)
    assert frame["success"].to_list() == [True, False, True], "an empty answer is no failure, an error is"
    assert (folder / "2.json").exists() and "2.json cannot be read" in caplog.text
    stats = opstream.get_json_stats("s")
    assert (stats["total_calls"], stats["error_count"], stats["total_cost"]) == (3, 1, 1.5)
    assert opstream.polars_from_file(session_id="other").height == 0


def test_statistics_have_aicores_keys_and_add_up(data: Path) -> None:
    of_database = asyncio.run(opstream.get_db_stats())
    of_lake = opstream.get_json_stats(storage_path=data)
    assert list(of_database) == list(of_lake) == STATS
    assert of_database == of_lake
    assert of_database == {
        "total_calls": 3,
        "total_tokens": 127,
        "input_tokens": 107,
        "output_tokens": 20,
        "cached_tokens": 64,
        "total_cost": 1.5,
        "average_cost": 0.5,
        "total_latency_ms": 2.0,
        "average_latency_ms": 0.67,
        "success_count": 2,
        "error_count": 1,
        "success_rate": 66.67,
        "costs_by_provider_model": {"openai/gpt-5": 1.5, "unknown/unknown": 1e-9},
        "calls_by_provider_model": {"openai/gpt-5": 2, "unknown/unknown": 1},
        "tokens_by_provider_model": {"openai/gpt-5": 120, "unknown/unknown": 7},
    }
    one = asyncio.run(opstream.get_db_stats("s-1", str(data / "opstream.db")))
    assert (one["total_calls"], one["success_rate"]) == (2, 50.0)
    none = asyncio.run(opstream.get_db_stats("none"))
    assert (none["total_calls"], none["average_cost"], none["success_rate"], none["costs_by_provider_model"]) == (
        0,
        0.0,
        0.0,
        {},
    )
    assert asyncio.run(opstream.async_get_json_stats(storage_path=data)) == of_lake


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database of its own on the server that ``OPSTREAM_TEST_POSTGRES`` names, with the same rows."""
    server = os.environ.get("OPSTREAM_TEST_POSTGRES")
    if not server:
        pytest.skip("OPSTREAM_TEST_POSTGRES names no server")
    psycopg = pytest.importorskip("psycopg")
    name = f"opstream_python_{secrets.token_hex(6)}"
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"create database {name}")
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                for migration in sorted((ROOT / "schemas/migrations/postgres").glob("*.sql")):
                    connection.execute(migration.read_text())
                connection.execute("create table operations_rest partition of operations default")
                for table, rows in (("operations", ROWS), ("operation_contents", [CONTENT])):
                    for row in rows:
                        values = {**row, "operation_id": UUID(bytes=row["operation_id"])}
                        places = ", ".join(["%s"] * len(values))
                        connection.execute(
                            f"insert into {table} ({', '.join(values)}) values ({places})", list(values.values())
                        )
            # As AiCore's users have it: SQLAlchemy's form, with a driver.
            monkeypatch.setenv("CONNECTION_STRING", url.replace("postgres://", "postgresql+asyncpg://"))
            yield
        finally:
            admin.execute(f"drop database {name} with (force)")


def test_postgres_answers_what_sqlite_answers(data: Path, postgres: None) -> None:
    for session_id, start in (("s-1", None), (None, "2020-01-01"), (None, None)):
        of_sqlite = opstream.polars_from_db(session_id=session_id, start_date=start, database=data / "opstream.db")
        assert opstream.polars_from_db(session_id=session_id, start_date=start).equals(of_sqlite)
    assert asyncio.run(opstream.get_db_stats()) == asyncio.run(opstream.get_db_stats(None, data / "opstream.db"))
    assert aicore.get_available_sessions() == ["old", "s-1"]


def test_a_postgres_that_does_not_answer_is_said_without_its_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(opstream.QueryError, match="the database does not answer") as raised:
        opstream.polars_from_db(database="postgres://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(raised.value)
