"""``query()``: questions over HTTP, answered as frames."""

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import opstream
from conftest import FakeServer

pl = pytest.importorskip("polars")

OPERATION = {
    "operation_id": "01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f",
    "time": "2026-11-23T08:00:00.123Z",
    "started_at": "2026-11-23T08:00:00.123456Z",
    "workspace": "default",
    "model": "gpt-5",
    "success": True,
    "input_tokens": 12,
    "cost_usd": "0.000000001",
    "finish_reasons": ["stop"],
}
FIGURES = {
    "operations": 3,
    "failures": 1,
    "input_tokens": 30,
    "cache_read_tokens": 4,
    "output_tokens": 6,
    "cost_usd": "9223372036.854775807",
    "reported_cost_usd": "0.00",
    "input_cost_usd": "9223372036.854775807",
    "cache_read_cost_usd": "0.00",
    "cache_write_cost_usd": "0.00",
    "output_cost_usd": "0.00",
    "unit_cost_usd": "0.00",
    "cache_savings_usd": "-0.000000001",
    "reported_difference_usd": "-0.000000002",
    "reported_as_cost_usd": "0.00",
    "unpriced": 0,
    "compared": 2,
}


def asked(server: FakeServer, request: int = -1) -> tuple[str, dict[str, str]]:
    """Path and parameters of a request."""
    address = urlsplit(server.requests[request][0])
    return address.path, {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}


def test_operations_are_read_page_by_page(server: FakeServer) -> None:
    server.says({"operations": [OPERATION] * 1000, "next_cursor": "c-1"})
    server.says({"operations": [], "next_cursor": "c-2"})
    server.says({"operations": [{**OPERATION, "cost_usd": None, "model": None}], "next_cursor": None})
    frame = opstream.query(url=server.url, session_id="s-1", success=False, model=None, limit=None)
    assert frame.height == 1001
    assert frame["cost_usd"].to_list()[-2:] == [Decimal("0.000000001"), None]
    assert frame["started_at"][0] == datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=timezone.utc)
    assert frame["finish_reasons"][0].to_list() == ["stop"]
    assert [asked(server, number)[1].get("cursor") for number in range(3)] == [None, "c-1", "c-2"]
    assert asked(server)[1]["session_id"] == "s-1"
    assert (asked(server)[1]["success"], asked(server)[1]["model"]) == ("false", "")


def test_a_limit_asks_for_no_more(server: FakeServer) -> None:
    server.says({"operations": [OPERATION] * 1000, "next_cursor": "c-1"})
    server.says({"operations": [OPERATION] * 5, "next_cursor": "c-2"})
    assert opstream.query(url=server.url, limit=1005).height == 1005
    assert [asked(server, number)[1]["limit"] for number in range(2)] == ["1000", "5"]
    assert len(server.requests) == 2


def test_no_operations_are_a_frame_with_all_columns(server: FakeServer) -> None:
    server.says({"operations": [], "next_cursor": None})
    frame = opstream.query(url=server.url)
    assert frame.height == 0
    assert (frame.schema["cost_usd"], frame.schema["success"]) == (pl.Decimal(38, 9), pl.Boolean)


def test_totals_are_one_exact_row(server: FakeServer) -> None:
    server.says({**FIGURES, "complete_to": "2026-11-23T08:00:00Z"})
    frame = opstream.query(
        "totals",
        url=server.url,
        start=datetime(2026, 11, 1, tzinfo=timezone.utc),
        end="2026-11-02T00:00:00Z",
        team="search",
    )
    assert frame.height == 1
    assert (frame["operations"][0], frame["cost_usd"][0]) == (3, Decimal("9223372036.854775807"))
    assert frame["complete_to"][0] == datetime(2026, 11, 23, 8, tzinfo=timezone.utc)
    path, parameters = asked(server)
    assert (path, parameters["to"], parameters["team"]) == ("/v1/totals", "2026-11-02T00:00:00Z", "search")
    assert datetime.fromisoformat(parameters["from"]) == datetime(2026, 11, 1, tzinfo=timezone.utc)


def test_a_breakdown_has_its_dimensions_as_columns(server: FakeServer, caplog: pytest.LogCaptureFixture) -> None:
    row = {**FIGURES, "latency_count": 2, "latency_mean_us": 7}
    rows = [{"dimensions": {"provider": "openai", "model": None}, **row}]
    server.says({"rows": rows, "left_out": 4, "complete_to": None})
    frame = opstream.query("breakdown", by=["provider", "model"], order="operations", url=server.url)
    assert frame.columns[:2] == ["provider", "model"]
    assert frame.row(0)[:2] == ("openai", None)
    assert (frame["latency_mean_us"][0], asked(server)[1]["by"]) == (7, "provider,model")
    assert "4 groups are beyond the limit" in caplog.text


def test_a_series_is_one_row_for_each_step(server: FakeServer) -> None:
    points = [
        {"start": f"2026-11-2{day}T00:00:00Z", **FIGURES, "latency_count": 0, "latency_mean_us": None} for day in (3, 4)
    ]
    series = [{"dimensions": {"model": model}, "points": points} for model in ("a", "b")]
    server.says({"series": series, "from": "x", "to": "y", "resolution": "day"})
    frame = opstream.query("series", by="model", start=date(2026, 11, 23), resolution="day", url=server.url)
    assert frame.select("model", pl.col("start").dt.day()).rows() == [("a", 23), ("a", 24), ("b", 23), ("b", 24)]


def test_a_zone_goes_along_and_steps_are_told_in_it(server: FakeServer) -> None:
    point = {"start": "2026-10-31T18:30:00Z", "end": "2026-11-30T18:30:00Z", **FIGURES}
    server.says({"series": [{"dimensions": {}, "points": [point]}], "zone": "Asia/Kolkata", "resolution": "month"})
    server.says({**FIGURES, "complete_to": None, "zone": "Asia/Kolkata"})
    frame = opstream.query(
        "series", start=date(2026, 11, 1), end="2026-12-01", zone="Asia/Kolkata", resolution="month", url=server.url
    )
    local = frame.select(pl.col("start", "end").dt.to_string("%Y-%m-%d %H:%M"))
    assert local.row(0) == ("2026-11-01 00:00", "2026-12-01 00:00")
    assert frame["start"][0] == datetime(2026, 10, 31, 18, 30, tzinfo=timezone.utc)
    expected = {"from": "2026-11-01", "to": "2026-12-01", "zone": "Asia/Kolkata", "resolution": "month"}
    assert asked(server) == ("/v1/series", expected)
    opstream.query("totals", range="last_month", zone="Asia/Kolkata", url=server.url)
    assert asked(server, 1)[1] == {"range": "last_month", "zone": "Asia/Kolkata"}


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("stepped", [False, True])
def test_percentiles_of_every_shape(server: FakeServer, grouped: bool, stepped: bool) -> None:
    distribution: Any = {name: {"count": 3, "p50_us": 1.5, "p99_us": None} for name in ("latency", "ttft")}
    over_time = {"points": [{"start": "2026-11-23T00:00:00Z", **distribution}]} if stepped else distribution
    server.says({"groups": [{"dimensions": {"model": "a"}, **over_time}]} if grouped else over_time)
    frame = opstream.query(
        "percentiles", by="model" if grouped else None, resolution="day" if stepped else None, url=server.url
    )
    expected = {"latency_count": 3, "latency_p50_us": 1.5, "latency_p99_us": None, "ttft_count": 3}
    assert {name: frame[name][0] for name in expected} == expected
    assert (("model" in frame.columns), ("start" in frame.columns)) == (grouped, stepped)


def test_the_token_goes_along_and_nowhere_else(
    server: FakeServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("secret\nmore\n")
    monkeypatch.setenv("OPSTREAM_URL", server.url)
    monkeypatch.setenv("OPSTREAM_TOKEN_FILE", str(tmp_path / "token"))
    server.says({"error": {"code": "unauthorized", "message": "the token is wrong"}}, status=401)
    with pytest.raises(opstream.QueryError, match="/v1/totals answers 401: the token is wrong") as raised:
        opstream.query("totals")
    assert server.requests[0][1]["Authorization"] == "Bearer secret"
    assert "secret" not in str(raised.value)


def test_what_cannot_be_answered_is_said(server: FakeServer) -> None:
    for arguments, words in [
        ({"question": "sums"}, "'sums' is no question; known are operations, query, totals"),
        ({"url": "127.0.0.1:8080"}, "is no address; expected http://host:port"),
        ({"url": "http://127.0.0.1:1"}, "does not answer.*is opstream running there"),
        ({"token_file": "missing"}, "the token file cannot be read"),
    ]:
        with pytest.raises(opstream.QueryError, match=words):
            opstream.query(**arguments)
    server.answers.append((200, "text/html", "<html>"))
    with pytest.raises(opstream.QueryError, match="answers no JSON"):
        opstream.query("totals", url=server.url)
    server.answers[0] = (200, "application/json", json.dumps([1]))
    with pytest.raises(opstream.QueryError, match="is not opstream's"):
        opstream.query("totals", url=server.url)


def test_a_busy_server_is_asked_again_while_there_is_time(server: FakeServer) -> None:
    busy = {"error": {"code": "busy", "message": "other questions are read from files"}}
    server.headers = {"retry-after": "0.2"}
    server.says(busy, status=503)
    server.says(busy, status=503)
    server.says({"operations": [OPERATION], "next_cursor": None})
    assert opstream.query(url=server.url).height == 1
    assert len(server.requests) == 3
    server.answers = [(503, "application/json", json.dumps(busy))]
    server.headers = {"retry-after": "20"}
    with pytest.raises(opstream.QueryError, match="answers 503: other questions are read from files"):
        opstream.query(url=server.url, timeout=10)
    assert len(server.requests) == 4
    down = {"error": {"code": "unavailable", "message": "no database"}}
    server.answers = [(503, "application/json", json.dumps(down))]
    with pytest.raises(opstream.QueryError, match="no database"):
        opstream.query(url=server.url)
    assert len(server.requests) == 5


def test_without_polars_it_says_what_to_install(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "polars", None)
    server.says({"operations": [], "next_cursor": None})
    for call in (
        lambda: opstream.query(url=server.url),
        lambda: opstream.polars_from_db(database="x.db"),
        lambda: opstream.polars_from_file("x"),
        lambda: opstream.get_json_stats(storage_path="x"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'opstream\[polars\]'"):
            call()


MEASURED = {
    "dimensions": ["user_id"],
    "measures": [
        {"name": "operations", "unit": "operations"},
        {"name": "cost_usd", "unit": "usd"},
        {"name": "failure_rate", "unit": "ratio"},
    ],
    "source": "files",
    "left_out": 1,
}


def test_measures_are_a_row_for_each_group_beside_the_period_before(server: FakeServer) -> None:
    totals = {"operations": 3, "cost_usd": "0.000000001", "failure_rate": None}
    previous = {"operations": 1, "cost_usd": "0.50", "failure_rate": 1}
    group = {"dimensions": {"user_id": None}, "totals": totals, "previous": previous}
    server.says({**MEASURED, "previous": {"from": None, "to": None}, "groups": [group]})
    frame = opstream.query(
        "query",
        url=server.url,
        measures=["operations", "cost_usd", "failure_rate"],
        by="user_id",
        compare="previous",
        model=["a", None],
    )
    assert frame.rows() == [(None, 3, Decimal("0.000000001"), None, 1, Decimal("0.50"), 1.0)]
    assert frame.columns[4] == "previous_operations"
    path, parameters = asked(server)
    assert (path, parameters["measures"], parameters["compare"]) == (
        "/v1/query",
        "operations,cost_usd,failure_rate",
        "previous",
    )
    assert parse_qs(urlsplit(server.requests[-1][0]).query, keep_blank_values=True)["model"] == ["a", ""]


def test_steps_of_measures_are_rows_in_the_time_of_the_zone(server: FakeServer) -> None:
    steps = [{"start": "2026-11-22T18:30:00.000Z", "end": "2026-11-23T18:30:00.000Z"}]
    series = {"operations": [3], "cost_usd": ["1.25"], "failure_rate": [0.5]}
    group = {"dimensions": {"user_id": "u"}, "totals": {}, "series": series}
    server.says(
        {
            **MEASURED,
            "zone": "Asia/Kolkata",
            "steps": steps,
            "groups": [group, {**group, "dimensions": {"user_id": "v"}}],
        }
    )
    frame = opstream.query(
        "query", url=server.url, measures="operations", by="user_id", zone="Asia/Kolkata", resolution="day"
    )
    assert frame["user_id"].to_list() == ["u", "v"]
    assert frame["start"][0].isoformat() == "2026-11-23T00:00:00+05:30"
    assert frame["cost_usd"].to_list() == [Decimal("1.25")] * 2


def test_sessions_and_traces_are_a_row_each(server: FakeServer) -> None:
    line = {
        "workspace": "w",
        "session_id": "s",
        "first_at": "2026-11-23T08:00:00.000001Z",
        "last_at": "2026-11-23T08:01:00.000000Z",
        "duration_us": 59_999_999,
        "operations": 2,
        "cost_usd": "0.10",
        "agents": ["Planner"],
    }
    span = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
    server.says({**span, "sessions": [line], "left_out": 1, "next_cursor": "c-1"})
    server.says({"sessions": [line], "left_out": 0, "next_cursor": None})
    server.says({"traces": [], "left_out": 0, "next_cursor": None})
    frame = opstream.query("sessions", url=server.url, order="cost_usd", tag="tier:gold", range="yesterday", limit=5)
    chosen = {"order": "cost_usd", "tag": "tier:gold"}
    assert [asked(server, page)[1] for page in range(2)] == [
        {**chosen, "range": "yesterday", "limit": "5"},
        {**chosen, **span, "limit": "4", "cursor": "c-1"},
    ]
    assert frame["session_id"].to_list() == ["s", "s"] and frame["cost_usd"].to_list() == [Decimal("0.10")] * 2
    assert frame["agents"].to_list() == [["Planner"]] * 2 and "trace_id" not in frame.columns
    assert opstream.query("traces", url=server.url).height == 0
