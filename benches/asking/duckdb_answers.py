"""Answers queries over Parquet files with DuckDB and says how long each took at the median.

In: JSON on standard input: files, queries over a view `operations` of them, repetitions, threads. Out: seconds by query, as JSON.
"""

import json
import statistics
import sys
import time

import duckdb


def main():
    asked = json.load(sys.stdin)
    connection = duckdb.connect(config={"threads": asked["threads"]})
    files = connection.read_parquet(asked["files"], union_by_name=True)
    files.create_view("operations")
    medians = {}
    for query in asked["queries"]:
        durations = []
        for repetition in range(asked["repetitions"] + 1):
            began = time.perf_counter()
            connection.sql(query).fetchall()
            # The first one finds nothing prepared.
            if repetition:
                durations.append(time.perf_counter() - began)
        medians[query] = statistics.median(durations)
    json.dump(medians, sys.stdout)


if __name__ == "__main__":
    main()
