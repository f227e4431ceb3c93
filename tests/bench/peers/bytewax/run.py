"""Bytewax: Kafka in, a batch at a time through one step, Kafka out.

    python -m tests.bench.peers.bytewax.run < order.json

With a recovery store, as at-least-once needs one; epochs are ten seconds, the default, because a
snapshot costs and nothing here waits for one. Its sink flushes every batch that it writes, so what
the step after it has seen is delivered.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from tests.bench.peers.byhand import Clock, Codec, Model, Order


def main() -> None:
    """Score the whole topic."""
    order = Order.read()
    clock, codec, model = Clock(order.records), Codec(order), Model(order)
    done = 0

    def score(messages: list[Any]) -> Iterable[Any]:
        nonlocal done
        clock.fetched()
        # The batches before this one are written: one goes through all steps before the next.
        if done:
            clock.reached(done)
        events = [codec.decode(message.value) for message in messages]
        scores = model.scores(codec.matrix(events))
        done += len(messages)
        return [
            KafkaSinkMessage(
                message.key,
                codec.encode(event, found, message.partition, message.offset),
                timestamp=message.timestamp[1],
            )
            for message, event, found in zip(messages, events, scores, strict=True)
        ]

    flow = Dataflow("peer")
    source: Any = KafkaSource([order.servers], [order.input], tail=False)
    sending = {"compression.type": order.compression, "linger.ms": str(order.linger_ms)}
    events = op.input("events", flow, source)
    predictions = op.flat_map_batch("score", events, score)
    op.output("predictions", predictions, KafkaSink([order.servers], order.output, sending))
    recovery = Path(order.folder)
    init_db_dir(recovery, 1)
    cli_main(flow, recovery_config=RecoveryConfig(recovery))
    clock.reached(done)
    clock.answer("bytewax", "confluent-kafka")


if __name__ == "__main__":
    main()
