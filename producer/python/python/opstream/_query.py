"""Questions to the HTTP API of a running opstream, answered as Polars data frames.

Money stays exact: columns ``…_usd`` are decimals.
"""

import json
import logging
import os
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from opstream import _settings
from opstream._log import logger
from opstream._measures import lines_frame, measures_frame
from opstream._optional import polars

if TYPE_CHECKING:
    import polars as pl

DEFAULT_LIMIT: Final = 10_000
"""Rows of a list whose caller names no limit."""
_PAGE: Final = 1000
_PAGE_OF_LINES: Final = 10_000
"""Each page of lines reads the whole range: few large ones."""
_MONEY_DECIMALS: Final = 9
_LINES: Final = {"sessions": "session_id", "traces": "trace_id"}
"""Lists of what belongs together, and by what."""
_QUESTIONS: Final = ("operations", "query", "totals", "breakdown", "series", "percentiles", *_LINES)

_TEXT_COLUMNS: Final = [
    "operation_id",
    "workspace",
    "call_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "response_id",
    "producer_id",
    "project",
    "team",
    "environment",
    "service",
    "session_id",
    "user_id",
    "agent_id",
    "agent_name",
    "action_id",
    "operation_type",
    "source_type",
    "provider",
    "model",
    "response_model",
    "endpoint",
    "service_tier",
    "processing",
    "error_type",
    "error_message",
    "cost_status",
    "price_model",
    "price_version",
    "price_key",
]
_COUNT_COLUMNS: Final = [
    "source_partition",
    "source_offset",
    "attempt",
    "producer_seq",
    "max_tokens",
    "latency_us",
    "queue_us",
    "ttft_us",
    "generation_us",
    "http_status",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "web_searches",
    "repricing",
]
_CLAIM_COLUMNS: Final = ["stream", "success", "content_truncated", "content_redacted", "has_content"]
_COST_PARTS: Final = [
    "input_cost_usd",
    "cache_read_cost_usd",
    "cache_write_cost_usd",
    "output_cost_usd",
    "unit_cost_usd",
    "cache_savings_usd",
]
"""What a cost consists of, and what caches saved."""
_MONEY_COLUMNS: Final = ["cost_usd", "reported_cost_usd", "catalogue_cost_usd", "billed_cost_usd", *_COST_PARTS]
_MONEY_FIGURES: Final = [
    "cost_usd",
    "reported_cost_usd",
    *_COST_PARTS,
    "reported_difference_usd",
    "reported_as_cost_usd",
]
_FIGURES: Final = ["operations", "failures", "input_tokens", "cache_read_tokens", "output_tokens"]
_DURATIONS: Final = ["latency_count", "latency_mean_us"]
_PERCENTILES: Final = ["count", "p50_us", "p90_us", "p95_us", "p99_us", "max_us"]


class QueryError(RuntimeError):
    """A question that was not answered. Says what the server said."""


class _BusyError(QueryError):
    def __init__(self, said: str, wait_s: float) -> None:
        super().__init__(said)
        self.wait_s = wait_s


def query(
    question: str = "operations",
    *,
    start: "datetime | date | str | None" = None,
    end: "datetime | date | str | None" = None,
    range: str | None = None,
    zone: str | None = None,
    measures: "str | Sequence[str] | None" = None,
    by: "str | Sequence[str] | None" = None,
    resolution: str | None = None,
    order: str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    url: str | None = None,
    token_file: "str | os.PathLike[str] | None" = None,
    timeout: float = 60.0,
    **filters: Any,
) -> "pl.DataFrame":
    """Asks a running opstream and returns its answer as a data frame.

    ``operations`` are single ones, newest first or, with ``order="cost_usd"`` and maybe ``direction="ascending"``, in the order of
    a number; ``sessions`` and ``traces`` have a row for each. Of these three
    ``limit=None`` reads all. ``totals``, ``breakdown`` (with ``by``), ``series`` (with ``start``) and ``percentiles`` come from
    windows: ``start`` and ``end`` are whole minutes there, ``end`` not included. Any dimension is a filter, such as
    ``model="gpt-5"``; None or an empty text asks for operations without one.

    ``query`` asks for any ``measures``, such as ``["cost_usd", "latency_p95_us"]``, ``by`` any dimensions, in steps of a
    ``resolution`` or, with ``compare="previous"``, beside the period before. It takes sessions, users, tags (``tag="tier:gold"``)
    and whatever else is a column, as ``sessions`` and ``traces`` do; what windows do not keep is read from files.
    A filter may have several values: ``model=["a", "b"]``.

    ``zone`` is the IANA time zone in which days, weeks and months of these begin, such as ``"Asia/Kolkata"``; a date is then
    one of that zone, and steps are told in its time. ``range`` names whole days of it in place of ``start`` and ``end``, such as
    ``"last_month"``.

    Raises ``QueryError`` when the server does not answer or refuses, ``ImportError`` without Polars.
    """
    if question not in _QUESTIONS:
        raise QueryError(f"{question!r} is no question; known are {', '.join(_QUESTIONS)}")
    server = _Server(url or _settings.variable("OPSTREAM_URL") or _settings.DEFAULT_URL, token_file, timeout)
    dimensions = [by] if isinstance(by, str) else list(by or [])
    parameters = {
        "from": _moment(start, zone),
        "to": _moment(end, zone),
        "range": range,
        "zone": zone,
        "measures": ",".join([measures] if isinstance(measures, str) else measures or []) or None,
        "by": ",".join(dimensions) or None,
        "resolution": resolution,
        "order": order,
        **{name: _filter(value) for name, value in filters.items()},
    }
    given: dict[str, str | list[str]] = {name: value for name, value in parameters.items() if value is not None}
    if question == "operations":
        return _operations_frame(list(_pages(server, question, given, limit)))
    if question in _LINES:
        return lines_frame(list(_pages(server, question, given, limit)), _LINES[question])
    if question in ("breakdown", "query"):
        given["limit"] = str(_PAGE if limit is None else min(limit, _PAGE))
    answer = server.ask(f"/v1/{question}", given)
    if question == "query":
        _warn_of_what_is_missing(answer)
        return measures_frame(answer)
    names = [name.strip() for dimension in dimensions for name in dimension.split(",")]
    return _answer_frame(question, answer, names, has_steps=resolution is not None)


class _Server:
    def __init__(self, url: str, token_file: "str | os.PathLike[str] | None", timeout: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise QueryError(f"{url!r} is no address; expected http://host:port (OPSTREAM_URL)")
        self._url = url.rstrip("/")
        self._timeout = timeout
        try:
            self._token = _settings.token(token_file)
        except OSError as error:
            raise QueryError(f"the token file cannot be read: {error}") from None

    def ask(self, path: str, parameters: "Mapping[str, str | list[str]]") -> dict[str, Any]:
        """The answer; a server that is busy with the files of others is asked again until the timeout is over."""
        until = clock.monotonic() + self._timeout
        while True:
            try:
                return self._ask(path, parameters)
            except _BusyError as busy:
                if clock.monotonic() + busy.wait_s > until:
                    raise
                clock.sleep(busy.wait_s)

    def _ask(self, path: str, parameters: "Mapping[str, str | list[str]]") -> dict[str, Any]:
        request = Request(
            f"{self._url}{path}?{urlencode(parameters, doseq=True)}", headers={"accept": "application/json"}
        )
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urlopen(request, timeout=self._timeout) as response:
                answer = json.load(response)
        except HTTPError as error:
            said, code = _said(error)
            said = f"{self._url}{path} answers {error.code}: {said}"
            if code == "busy":
                raise _BusyError(said, _seconds(error.headers.get("Retry-After"))) from None
            raise QueryError(said) from None
        except (URLError, TimeoutError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise QueryError(
                f"{self._url} does not answer: {reason}; is opstream running there (OPSTREAM_URL)?"
            ) from None
        except ValueError as error:
            raise QueryError(f"{self._url}{path} answers no JSON: {error}") from None
        if not isinstance(answer, dict):
            raise QueryError(f"{self._url}{path} is not opstream's")
        return answer


def _said(error: HTTPError) -> tuple[str, str | None]:
    """What the server said, and its code for it."""
    text = error.read(4096).decode("utf-8", "replace")
    try:
        answer = json.loads(text)
        detail = answer.get("error", answer)
        if not isinstance(detail, dict):
            return str(detail), None
        return str(detail.get("message") or detail), detail.get("code")
    except (ValueError, AttributeError):
        return text.strip() or str(error.reason), None


def _seconds(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or ""), 0.1), 30.0)
    except ValueError:
        return 1.0


def _pages(
    server: _Server, what: str, parameters: "Mapping[str, str | list[str]]", limit: int | None
) -> Iterator[dict[str, Any]]:
    left = limit
    most = _PAGE_OF_LINES if what in _LINES else _PAGE
    page: dict[str, str | list[str]] = dict(parameters)
    began = datetime.now(timezone.utc).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while left is None or left > 0:
        page["limit"] = str(most if left is None else min(left, most))
        answer = server.ask(f"/v1/{what}", page)
        yield from answer[what]
        cursor = answer.get("next_cursor")
        if cursor is None:
            return
        page["cursor"] = cursor
        if what in _LINES:
            # All pages are of the same moments, whatever "today" or an open end would mean by then.
            page.pop("range", None)
            page["to"] = answer.get("to") or began.isoformat().replace("+00:00", "Z")
            if answer.get("from"):
                page["from"] = answer["from"]
        if left is not None:
            left -= len(answer[what])
    level = logging.WARNING if limit == DEFAULT_LIMIT else logging.INFO
    logger.log(level, "there are more than %s %s; limit=None reads all of them", limit, what)


def _operations_frame(rows: list[dict[str, Any]]) -> "pl.DataFrame":
    pl = polars("opstream.query")
    schema: dict[str, Any] = {"time": pl.Datetime("us", "UTC"), "started_at": pl.Datetime("us", "UTC")}
    schema |= dict.fromkeys(_TEXT_COLUMNS, pl.String)
    schema |= dict.fromkeys(_COUNT_COLUMNS, pl.Int64)
    schema |= dict.fromkeys(_CLAIM_COLUMNS, pl.Boolean)
    schema |= dict.fromkeys(_MONEY_COLUMNS, pl.Decimal(38, _MONEY_DECIMALS))
    schema |= {"temperature": pl.Float64, "finish_reasons": pl.List(pl.String)}
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in schema}
    for name in ("time", "started_at"):
        columns[name] = [_read_moment(text) for text in columns[name]]
    for name in _MONEY_COLUMNS:
        columns[name] = [_read_money(text) for text in columns[name]]
    return pl.DataFrame(columns, schema=schema)


def _warn_of_what_is_missing(answer: dict[str, Any]) -> None:
    if answer.get("unattributed"):
        logger.warning("%s operations may or may not pass the filters and are not counted", answer["unattributed"])
    if answer.get("left_out"):
        logger.warning("%s groups are beyond the limit and left out", answer["left_out"])


def _answer_frame(question: str, answer: dict[str, Any], dimensions: list[str], *, has_steps: bool) -> "pl.DataFrame":
    _warn_of_what_is_missing(answer)
    pl = polars("opstream.query")
    schema: dict[str, Any] = dict.fromkeys(dimensions, pl.String)
    if question == "series" or has_steps:
        schema |= dict.fromkeys(("start", "end"), pl.Datetime("us", "UTC"))
    if question == "percentiles":
        for duration in ("latency", "ttft"):
            schema |= {f"{duration}_{name}": pl.Int64 if name == "count" else pl.Float64 for name in _PERCENTILES}
    else:
        schema |= dict.fromkeys(_FIGURES, pl.Int64)
        schema |= dict.fromkeys(_MONEY_FIGURES, pl.Decimal(38, _MONEY_DECIMALS))
        schema |= dict.fromkeys(("unpriced", "compared"), pl.Int64)
        if question != "totals":
            schema |= dict.fromkeys(_DURATIONS, pl.Int64)
    if question == "totals":
        schema["complete_to"] = pl.Datetime("us", "UTC")
    rows = [_read_row(row) for row in _rows(question, answer)]
    frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in schema}, schema=schema)
    if answer.get("zone") and "start" in schema:
        return frame.with_columns(pl.col("start", "end").dt.convert_time_zone(answer["zone"]))
    return frame


def _rows(question: str, answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if question == "totals":
        yield answer
    elif question == "breakdown":
        for row in answer["rows"]:
            yield {**row["dimensions"], **row}
    elif question == "series":
        for series in answer["series"]:
            for point in series["points"]:
                yield {**series["dimensions"], **point}
    else:
        for group in answer.get("groups") or [answer]:
            for step in group.get("points") or [group]:
                row = {**group.get("dimensions", {}), "start": step.get("start"), "end": step.get("end")}
                for duration in ("latency", "ttft"):
                    row |= {f"{duration}_{name}": (step.get(duration) or {}).get(name) for name in _PERCENTILES}
                yield row


def _read_row(row: dict[str, Any]) -> dict[str, Any]:
    read = dict(row)
    for name in ("start", "end", "complete_to"):
        read[name] = _read_moment(row.get(name))
    for name in _MONEY_FIGURES:
        read[name] = _read_money(row.get(name))
    return read


def _read_moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _read_money(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None


def _moment(given: "datetime | date | str | None", zone: str | None) -> str | None:
    """RFC 3339 text; a moment without a zone is local time, as everywhere in Python. A date of a zone stays one."""
    if given is None or isinstance(given, str):
        return given or None
    if not isinstance(given, datetime):
        if zone is not None:
            return given.isoformat()
        given = datetime.combine(given, time())
    return given.astimezone().isoformat()


def _filter(value: Any) -> "str | list[str]":
    if isinstance(value, (list, tuple, set, frozenset)):
        return [text for one in value if isinstance(text := _filter(one), str)]
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
