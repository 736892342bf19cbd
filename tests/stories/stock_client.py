"""A stock Confluent consumer: reads both topics through the api's registry and prints what it saw as one JSON line.

usage: stock_client.py BOOTSTRAP REGISTRY OPERATIONS_TOPIC WINDOWS_TOPIC LAKE PATH...
"""
import json
import sys
import time

import duckdb
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


def read_whole(bootstrap, topic):
    """Every record from the beginning to the end of the log as it is now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "stock", "auto.offset.reset": "earliest"})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    remaining = 0
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
        if high > low:
            remaining += 1
            consumer.assign([TopicPartition(topic, partition, low)])
            position = low
            deadline = time.monotonic() + 60
            while position < high and time.monotonic() < deadline:
                message = consumer.poll(1.0)
                if message is None:
                    continue
                if message.error():
                    raise RuntimeError(message.error())
                position = message.offset() + 1
                yield message
            assert position >= high, f"{topic} {partition}: read to {position} of {high}"
    consumer.close()


def main():
    bootstrap, registry, operations_topic, windows_topic, lake, *paths = sys.argv[1:]
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}))

    def decoded(message):
        return deserialize(message.value(), SerializationContext(message.topic(), MessageField.VALUE))

    operations = [decoded(message) for message in read_whole(bootstrap, operations_topic)]
    latest = {}
    for message in read_whole(bootstrap, windows_topic):
        latest[message.key()] = message.value() and decoded(message)
    windows = [window for window in latest.values() if window]
    totals = [w for w in windows if w["dimension_set"] == "workspace" and w["level"] == "day"]
    rows, tokens, cost = duckdb.sql(
        "select count(*), sum(input_tokens)::bigint, sum(cost_nano_usd)::bigint from read_parquet($files)",
        params={"files": [f"{lake}/{path}" for path in paths]},
    ).fetchall()[0]
    print(
        json.dumps(
            {
                "operations": len(operations),
                "operations_input_tokens": sum(operation["input_tokens"] or 0 for operation in operations),
                "window_operations": sum(window["operations"] for window in totals),
                "window_input_tokens": sum(window["input_tokens"] for window in totals),
                "window_cost_nano_usd": sum(window["cost_nano_usd"] for window in totals),
                "windows": len(windows),
                "file_rows": rows,
                "file_input_tokens": tokens,
                "file_cost_nano_usd": cost,
            }
        )
    )


main()
