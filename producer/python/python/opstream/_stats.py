"""AiCore's statistics: fifteen keys, from the database or from files.

A failure is an operation without success, in every one of them. Costs are those of opstream's prices; AiCore's own files have
AiCore's.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from opstream import _database, _frames
from opstream._optional import polars

_NANOS: Final = 1e9
_SQL: Final = """
select provider, model, count(*), sum(case when success then 0 else 1 end), sum(input_tokens), sum(output_tokens),
    sum(cache_read_tokens), sum(cost_nano_usd), sum(latency_us)
from operations{where} group by provider, model order by provider, model
"""


class _Sums:
    """Sums by provider and model."""

    def __init__(self) -> None:
        self.calls = self.failures = self.input = self.output = self.cached = 0
        self.cost = self.latency_ms = 0.0
        self.cost_of: defaultdict[str, float] = defaultdict(float)
        self.calls_of: defaultdict[str, int] = defaultdict(int)
        self.tokens_of: defaultdict[str, int] = defaultdict(int)

    def add(self, row: Iterable[Any]) -> None:
        """Adds a row: provider, model, calls, failures, input, output, cached, USD, milliseconds. None is nothing."""
        provider, model, *numbers = row
        calls, failures, n_input, n_output, cached = (int(number or 0) for number in numbers[:5])
        cost, latency_ms = (float(number or 0) for number in numbers[5:])
        self.calls += calls
        self.failures += failures
        self.input += n_input
        self.output += n_output
        self.cached += cached
        self.cost += cost
        self.latency_ms += latency_ms
        name = f"{provider or 'unknown'}/{model or 'unknown'}"
        self.cost_of[name] += cost
        self.calls_of[name] += calls
        self.tokens_of[name] += n_input + n_output

    def stats(self) -> dict[str, Any]:
        """The fifteen keys."""
        calls = self.calls or 1
        successes = self.calls - self.failures
        return {
            "total_calls": self.calls,
            "total_tokens": self.input + self.output,
            "input_tokens": self.input,
            "output_tokens": self.output,
            "cached_tokens": self.cached,
            "total_cost": round(self.cost, 6),
            "average_cost": round(self.cost / calls, 6),
            "total_latency_ms": round(self.latency_ms, 2),
            "average_latency_ms": round(self.latency_ms / calls, 2),
            "success_count": successes,
            "error_count": self.failures,
            "success_rate": round(successes / calls * 100, 2),
            "costs_by_provider_model": dict(self.cost_of),
            "calls_by_provider_model": dict(self.calls_of),
            "tokens_by_provider_model": dict(self.tokens_of),
        }


def of_database(session_id: str | None, database: "str | os.PathLike[str] | None") -> dict[str, Any]:
    """Statistics of the database; it adds up, not Python."""
    sums = _Sums()
    where = " where session_id = :session_id" if session_id else ""
    with _database.reading(database) as reader:
        for row in reader.rows(_SQL.format(where=where), {"session_id": session_id} if session_id else {}):
            *numbers, cost, latency_us = row
            sums.add([*numbers, float(cost or 0) / _NANOS, float(latency_us or 0) / 1000])
    return sums.stats()


def of_files(session_id: str | None, storage_path: "str | os.PathLike[str] | None") -> dict[str, Any]:
    """Statistics of files, of any kind that ``polars_from_file`` reads."""
    pl = polars("get_json_stats")
    table = _frames.from_files(storage_path, session_id)
    columns = ["input_tokens", "output_tokens", "cached_tokens", "cost", "latency_ms"]
    grouped = (
        table.group_by("provider", "model")
        .agg(pl.len(), (~pl.col("success")).sum().alias("failures"), *(pl.col(name).sum() for name in columns))
        .sort("provider", "model")
    )
    sums = _Sums()
    for row in grouped.iter_rows():
        sums.add(row)
    return sums.stats()
