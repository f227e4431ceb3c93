"""A job for tests: its topics, its group and the settings that its workers are started with.

Decides which settings differ from those of users: time-outs so short that a test need not wait
for them. Refuses to start anything (``tests/worker.py``).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stream_app.settings import Settings, load_settings
from tests.kafka_fixtures import KafkaForTests, unique

ROOT = Path(__file__).parents[1]
CLIENT = "public"
"""Of workers whose test does not say it; ``--client`` sets it."""


@dataclass(frozen=True, slots=True)
class Job:
    """Topics, a group and the settings of its workers; made anew for each test.

    Attributes:
        overrides: Settings by dotted name, the same for every worker.
        folder: For logs, slots and flags.
    """

    overrides: Mapping[str, str]
    folder: Path

    @property
    def settings(self) -> Settings:
        """As a worker reads them."""
        return load_settings(overrides=self.overrides)

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Ours without settings, and the job's."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("STREAM_APP_")}
        given = {
            "STREAM_APP_" + name.upper().replace(".", "__"): value
            for name, value in self.overrides.items()
        }
        return {**kept, **given, **extra}


def car_loan_job(
    kafka: KafkaForTests,
    folder: Path,
    *,
    protocol: str = "classic",
    create_topics: bool = True,
    **overrides: str,
) -> Job:
    """The car-loan example on topics and a group of its own.

    Args:
        kafka: Where.
        folder: A folder of the test's own.
        protocol: ``classic`` or ``consumer``.
        create_topics: Or leave them to the test, named by convention.
        overrides: Further settings, with ``__`` for the dot.
    """
    topics = {"input.topic": unique("loans")}
    if create_topics:
        topics = {
            "input.topic": kafka.topic("loans"),
            "output.predictions_topic": kafka.topic("loans-predictions"),
            "output.dlq_topic": kafka.topic("loans-dlq"),
            "drift.partials_topic": kafka.topic("loans-partials"),
        }
    settings = topics | {
        "kafka.bootstrap_servers": kafka.bootstrap_servers,
        "kafka.group": unique("scorers"),
        "kafka.group_protocol": protocol,
        "kafka.client": CLIENT,
        # A killed worker's partitions and transaction are free soon.
        "kafka.session_timeout_s": "2",
        "kafka.transaction_timeout_s": "5",
        "kafka.request_timeout_s": "4",
        "input.framing": "single-object",
        "input.schema_dir": str(ROOT / "schemas"),
        "model.repository": str(ROOT / "examples" / "car_loan" / "models"),
        "model.name": "car_loan",
        "registry.unknown_retry_s": "0",
        "start.new_group": "earliest",
        "http.port": "0",
        "worker.state_dir": str(folder),
        "log.format": "json",
    }
    settings |= {name.replace("__", "."): value for name, value in overrides.items()}
    return Job(settings, folder)
