"""Rereads and resends one topic with the native client: ``python -m tests.native_reread RECORDS``.

Everything that the client takes from the library, and gives to it, is done over and over: records
with and without keys, values, headers; positions, metadata, errors. Prints the memory of this very
process as it grows with the records, as JSON. The brokers are the library's own, in here too: what
they keep is bounded, and is there before the first sample.
"""

import json
import os
import sys
from typing import Any

import numpy as np
from confluent_kafka import TopicPartition

from stream_app.adapters.kafka.native.consumer import NativeConsumer
from stream_app.adapters.kafka.native.library import library
from stream_app.adapters.kafka.native.producer import NativeProducer
from stream_app.adapters.local_kafka import MockCluster
from stream_app.core.columns import BytesColumn, OutputBatch, RecordBatch
from tests.fault.usage import usage

BATCH = 1_000
ROWS = 150_000
"""The mock keeps about twice as many."""
SAMPLES = 20
PARTITIONS = range(4)
"""Of the mock's topics."""


def main(records: int) -> None:
    """Read that many, and send every tenth batch again."""
    with MockCluster() as cluster:
        common = {"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0}
        reading = {
            "group.id": "g",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 5,
        }
        producer = NativeProducer(library(), common)
        consumer = NativeConsumer(library(), {**common, **reading})
        for topic in ("again", "beside"):
            cluster.create_topic(topic)
        send(producer, source())
        consumer.subscribe(["again"], came, went, went)
        samples = reread(producer, consumer, records)
        producer.close()
        consumer.close()
    sys.stdout.write(json.dumps({"records": records, "rss_mib": samples}) + "\n")


def came(consumer: Any, partitions: list[Any]) -> None:
    consumer.incremental_assign(partitions)


def went(consumer: Any, partitions: list[Any]) -> None:
    consumer.incremental_unassign(partitions)


def source() -> OutputBatch:
    rows = range(ROWS)
    return OutputBatch(
        topic="again",
        rows=np.arange(ROWS),
        values=BytesColumn.of([None if r % 11 == 0 else b"v" * (r % 120) for r in rows]),
        keys=BytesColumn.of([None if r % 3 else b"k" * (r % 30) for r in rows]),
        partition=np.array([r % len(PARTITIONS) for r in rows], dtype=np.int32),
        timestamp_ms=np.arange(1, ROWS + 1, dtype=np.int64),
        headers=dict.fromkeys(range(0, ROWS, 50), (("a", b"1"), ("b", None))),
    )


def send(producer: NativeProducer, outputs: OutputBatch) -> None:
    sent = producer.send(outputs, 0)
    while sent.error is not None:
        producer.poll(0.01)
        sent = producer.send(outputs, sent.position)
    producer.poll(0)


def reread(producer: NativeProducer, consumer: NativeConsumer, records: int) -> list[float]:
    done, batches, samples = 0, 0, list[float]()
    while done < records:
        fetched = consumer.fetch("again", BATCH, 0.05, lambda: None)
        done, batches = done + len(fetched.records), batches + 1
        if not len(fetched.records):
            start_again(consumer)
        if batches % 10 == 0:
            send(producer, beside(fetched.records))
        if done * SAMPLES >= records * len(samples) and done > records / SAMPLES:
            samples.append(round(usage(os.getpid())["rss_mib"], 1))
    return samples


def beside(records: RecordBatch) -> OutputBatch:
    return OutputBatch(
        topic="beside",
        rows=np.arange(len(records)),
        values=records.values,
        keys=records.keys,
        partition=records.partition,
        timestamp_ms=records.timestamp_ms,
        headers=records.headers,
    )


def start_again(consumer: NativeConsumer) -> None:
    """From the beginning, by way of everything else that hands values over."""
    places = [TopicPartition("again", p, 0, metadata="note") for p in PARTITIONS]
    consumer.list_topics("again", timeout=5)
    consumer.consumer_group_metadata()
    consumer.position(places)
    if not consumer.committed(places, timeout=5):
        raise AssertionError("the group's offsets are not told")
    for place in places:
        consumer.get_watermark_offsets(place, cached=True)
        consumer.seek(place)


if __name__ == "__main__":
    main(int(sys.argv[1]))
