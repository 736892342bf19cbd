"""Answers of ``/v1/query``, ``/v1/sessions`` and ``/v1/traces`` as Polars data frames."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from opstream._optional import polars

if TYPE_CHECKING:
    import polars as pl

_MONEY_DECIMALS: Final = 9
_LINE_TEXTS: Final = ("workspace", "session_id", "trace_id")
_LINE_COUNTS: Final = (
    "duration_us",
    "busy_us",
    "operations",
    "failures",
    "unpriced",
    "input_tokens",
    "output_tokens",
)
_LINE_LISTS: Final = ("agents", "models", "users")


def measures_frame(answer: dict[str, Any]) -> "pl.DataFrame":
    """A row for each group, or for each of its steps; ``others`` are no row."""
    pl = polars("opstream.query")
    money = pl.Decimal(38, _MONEY_DECIMALS)
    steps = answer.get("steps")
    types = {"usd": money, "us": pl.Float64, "ratio": pl.Float64, "tokens_per_second": pl.Float64}
    measures = {measure["name"]: types.get(measure["unit"], pl.Int64) for measure in answer["measures"]}
    schema: dict[str, Any] = dict.fromkeys(answer["dimensions"], pl.String)
    if steps is not None:
        schema |= dict.fromkeys(("start", "end"), pl.Datetime("us", "UTC"))
    schema |= measures
    has_previous = answer.get("previous") is not None
    if has_previous and steps is None:
        schema |= {f"previous_{name}": kind for name, kind in measures.items()}
    rows = list(_rows(answer, has_previous=has_previous and steps is None))
    frame = pl.DataFrame(
        {name: [_read(row.get(name), kind, pl) for row in rows] for name, kind in schema.items()}, schema=schema
    )
    if answer.get("zone") and steps is not None:
        return frame.with_columns(pl.col("start", "end").dt.convert_time_zone(answer["zone"]))
    return frame


def _rows(answer: dict[str, Any], *, has_previous: bool) -> Iterator[dict[str, Any]]:
    for group in answer["groups"]:
        steps = answer.get("steps")
        if steps is None:
            previous = group.get("previous") if has_previous else None
            yield {
                **group["dimensions"],
                **group["totals"],
                **{f"previous_{name}": value for name, value in (previous or {}).items()},
            }
            continue
        for place, step in enumerate(steps):
            numbers = {name: series[place] for name, series in group["series"].items()}
            yield {**group["dimensions"], "start": step["start"], "end": step["end"], **numbers}


def lines_frame(lines: list[dict[str, Any]], key: str) -> "pl.DataFrame":
    """A row for each session or trace, told apart by ``key``."""
    pl = polars("opstream.query")
    schema: dict[str, Any] = {name: pl.String for name in _LINE_TEXTS if name in ("workspace", key)}
    schema |= dict.fromkeys(("first_at", "last_at"), pl.Datetime("us", "UTC"))
    schema |= dict.fromkeys(_LINE_COUNTS, pl.Int64)
    schema["cost_usd"] = pl.Decimal(38, _MONEY_DECIMALS)
    schema |= dict.fromkeys(_LINE_LISTS, pl.List(pl.String))
    columns = {name: [_read(line.get(name), kind, pl) for line in lines] for name, kind in schema.items()}
    return pl.DataFrame(columns, schema=schema)


def _read(value: Any, kind: Any, pl: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, pl.Decimal):
        return Decimal(value)
    if isinstance(kind, pl.Datetime):
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    return float(value) if kind == pl.Float64 else value
