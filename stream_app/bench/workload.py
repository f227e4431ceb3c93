"""The input of a bench, written once, and the settings under which everybody reads it.

Decides that the events lie in a topic of the bench's own, also those of a person's own model: they
are copied from the settings' topic, read without joining a group. So each run reads the same
number of the same records, nothing that happens to the original meanwhile changes a figure, and
nothing is asked of the original but to be read once.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stream_app.adapters.bench.topics import Content, TopicWriter, copy_records, read_content
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.bench.clusters import Cluster
from stream_app.bench.events import EXAMPLE, make_readings
from stream_app.bench.options import (
    COUNTED,
    LEAST_RECORDS,
    PARTITIONS,
    BenchOptions,
    Contender,
)
from stream_app.core.columns import OutputBatch
from stream_app.errors import DataError
from stream_app.resources import example_dir, schema_path
from stream_app.settings import Settings

_BLOCK: Final = 10_000
SAMPLE_ROWS: Final = 100
"""Of each partition, compared by their content."""

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Workload:
    """What everybody reads.

    Attributes:
        name: Of this bench; topics, groups and transactional ids begin with it.
        config: The settings file, if there is one.
        overrides: Settings over file and environment, the same for every run.
        partitions: Of the input, and so of every output.
        records: In the input.
        content: Of the input.
    """

    name: str
    config: Path | None
    overrides: Mapping[str, str]
    partitions: int
    records: int
    content: Content

    @property
    def topic(self) -> str:
        """The input."""
        return self.overrides["input.topic"]

    def run_name(self, contender: Contender, turn: str) -> str:
        """Of one run."""
        return f"{self.name}.{contender}-{turn}"

    def of_run(self, contender: Contender, turn: str) -> dict[str, str]:
        """Settings of one run: a group and outputs of its own."""
        run = self.run_name(contender, turn)
        own = {"kafka.client": contender.client} if contender.client else {}
        if contender in COUNTED:
            own["drift.counting"] = "off"
        return {**self.overrides, **own, **outputs_of(run), "kafka.group": run}


def outputs_of(run: str) -> dict[str, str]:
    """Where a run writes."""
    return {
        "output.predictions_topic": f"{run}.predictions",
        "output.dlq_topic": f"{run}.dlq",
        "drift.partials_topic": f"{run}.partials",
    }


def prepare(
    options: BenchOptions,
    settings: Settings,
    given: Mapping[str, str],
    config: Path | None,
    cluster: Cluster,
    name: str,
    folder: Path,
    tell: Tell,
) -> Workload:
    """Make the input topic and fill it.

    Args:
        options: Of this bench.
        settings: The user's.
        given: Single settings over file and environment, as ``--set`` gave them.
        config: The user's file.
        cluster: Which is up.
        name: Of this bench.
        folder: For state; goes in the end.
        tell: Hears how many records are written.

    Raises:
        DataError: a topic of one's own has too few records.
        StreamAppError: it cannot be made, read or filled.
    """
    topic = f"{name}.input"
    overrides = {
        **given,
        **cluster.overrides,
        **_of_bench(folder),
        **(_of_model(options.model) if options.model else _OF_OWN_MODEL),
        "input.topic": topic,
    }
    partitions = PARTITIONS
    if options.model is None:
        partitions = KafkaAdmin(cluster.kafka).partitions(settings.input.topic)
    cluster.make_topics([topic], partitions)
    if options.model is None:
        source = settings.input.topic
        records = copy_records(cluster.kafka, source, topic, options.records, tell)
        if records < LEAST_RECORDS:
            raise DataError(
                f"{source} has {records} records, and a bench needs {LEAST_RECORDS}: let more "
                "come, or choose a built-in model with --model mlp"
            )
    else:
        records = options.records
        _fill(cluster, topic, records, tell)
    content = read_content(cluster.kafka, topic, partitions, SAMPLE_ROWS)
    return Workload(name, config, overrides, partitions, records, content)


def _of_bench(folder: Path) -> dict[str, str]:
    return {
        "delivery": "exactly_once",
        "kafka.group_instance_id": "",
        "start.new_group": "earliest",
        "http.enabled": "false",
        "worker.state_dir": str(folder / "slots"),
    }


def _of_model(model: str) -> dict[str, str]:
    """All that a built-in model needs, whatever model the user's settings are about."""
    example = example_dir(EXAMPLE)
    return {
        "input.framing": "single-object",
        "input.schema_dir": str(example / "schemas"),
        "input.max_time_difference_s": "0",
        "output.framing": "single-object",
        "output.prediction_schema": str(schema_path("prediction")),
        "model.repository": str(example / "models"),
        "model.name": model,
        "model.version": "1",
    }


_OF_OWN_MODEL: Final = {
    # Nobody registers a schema for topics that are there for a minute.
    "output.framing": "single-object",
}


def _fill(cluster: Cluster, topic: str, records: int, tell: Tell) -> None:
    writer = TopicWriter(cluster.kafka)
    begin_ms = time.time_ns() // 1_000_000 - records
    for first in range(0, records, _BLOCK):
        count = min(_BLOCK, records - first)
        made = make_readings(first, count, begin_ms)
        rows = np.arange(count)
        writer.write(
            OutputBatch(
                topic=topic,
                rows=rows,
                values=made.values,
                keys=made.keys,
                partition=(rows % PARTITIONS).astype(np.int32),
                timestamp_ms=made.timestamp_ms,
            )
        )
        tell(first + count)
    writer.flush()
