"""Faust (faust-streaming): an agent that takes a thousand events at a time.

    python -m tests.bench.peers.faust.run < order.json

At least once: its exactly-once has a producer for each partition and none for what an agent sends
of several events together. A batch is done when all its predictions are acknowledged.
"""

import asyncio
import signal
from typing import Any

import faust

from tests.bench.peers.byhand import Clock, Codec, Model, Order

_TAKEN = 1_000
_LONGEST_WAIT_S = 0.1
_COMMIT_TRIES = 100


def main() -> None:
    """Score so many records."""
    order = Order.read()
    clock, codec, model = Clock(order.records), Codec(order), Model(order)
    app = faust.App(
        order.group,
        broker=f"kafka://{order.servers}",
        store="memory://",
        datadir=order.folder,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        producer_compression_type=order.compression,
        producer_linger=order.linger_ms / 1000,
        producer_max_batch_size=256 * 1024,
    )
    raw: Any = {"key_serializer": "raw", "value_serializer": "raw"}
    events = app.topic(order.input, key_type=bytes, value_type=bytes, **raw)
    predictions = app.topic(order.output, key_type=bytes, value_type=bytes, **raw)
    done = 0
    ending: set[asyncio.Task[None]] = set()

    async def finish() -> None:
        # What was just handled counts as such when the agent comes for more.
        for _ in range(_COMMIT_TRIES):
            await asyncio.sleep(0.001)
            if await app.commit(None):
                break
        clock.reached(done)
        clock.answer("faust-streaming", "aiokafka")
        # How a worker is ended; `app.stop` would leave it waiting for another signal.
        signal.raise_signal(signal.SIGTERM)

    @app.agent(events)
    async def score(stream: Any) -> None:
        nonlocal done
        async for taken in stream.take_events(_TAKEN, within=_LONGEST_WAIT_S):
            clock.fetched()
            read = [codec.decode(event.value) for event in taken]
            scores = model.scores(codec.matrix(read))
            sent = [
                await predictions.send(
                    key=event.key,
                    value=codec.encode(one, found, event.message.partition, event.message.offset),
                    partition=event.message.partition,
                    timestamp=event.message.timestamp,
                )
                for event, one, found in zip(taken, read, scores, strict=True)
            ]
            await asyncio.gather(*sent)
            done += len(taken)
            clock.reached(done)
            if done >= order.records and not ending:
                ending.add(asyncio.get_running_loop().create_task(finish()))

    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
