"""``stream-app drift report`` on a real Kafka, over windows that a real aggregator told of."""

from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream_app.adapters.drift.alert_codec import AlertCodec
from stream_app.core.drift.alerts import Alert, Ground, Level, Reason, State
from stream_app.core.drift.series import Series
from stream_app.errors import ExitStatus
from tests.aggregator_feed import ROLES, WINDOW_MS, PartialsFeed, aggregator_job
from tests.command_line import Answer, command_line
from tests.job import Job
from tests.kafka_fixtures import RealKafka, unique
from tests.worker import Workers, until

COMMAND = ("drift", "aggregate")


class Reports:
    """Runs the command with a job's settings."""

    def __init__(
        self, job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._job = job
        self._run = command_line(job.overrides["kafka.bootstrap_servers"], monkeypatch, capsys)

    def __call__(self, *arguments: object) -> Answer:
        given = [f"{name}={value}" for name, value in self._job.overrides.items()]
        sets = [part for each in given for part in ("--set", each)]
        return self._run("drift", "report", *arguments, *sets)


def publish(job: Job, alerts: list[Alert], *, commit: bool) -> None:
    producer = Producer(
        {
            "bootstrap.servers": job.overrides["kafka.bootstrap_servers"],
            "transactional.id": unique("monitor"),
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for alert in alerts:
        value = AlertCodec().encode(alert)
        producer.produce(job.settings.alerts_topic, key=alert.key.encode(), value=value)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.flush(10)
        producer.abort_transaction(30)


def test_what_an_aggregator_told_is_what_a_report_says(
    kafka: RealKafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = aggregator_job(kafka, tmp_path)
    reports = Reports(job, monkeypatch, capsys)

    def empty() -> Answer | None:
        """Of a topic that was just made, brokers do not know its leader yet."""
        answer = reports("--html", tmp_path / "none.html")
        return None if answer.status == ExitStatus.UNAVAILABLE else answer

    nothing = until("the new topic can be read", empty, within_s=30)
    assert nothing.status == ExitStatus.DATA
    assert f"topic '{job.settings.windows_topic}' holds no windows" in nothing.err
    assert not (tmp_path / "none.html").exists()

    feed = PartialsFeed.of(job, seed=5, count=200)
    with Workers(job) as workers:
        aggregator = workers.start(command=COMMAND)
        feed.send(abort_every=5)
        told = feed.wait_all_told()
        assert aggregator.stop() == 0

    page = tmp_path / "report.html"
    answer = reports("--json", "--html", page)
    assert answer.status == ExitStatus.OK, answer.err
    document = answer.document
    assert document["stream"]["role"] == "primary"
    expected = {
        start: (window["revision"], window["rows"], window["input_hash"], window["threshold"])
        for (role, length, start), window in told.items()
        if (role, length) == ("primary", WINDOW_MS)
    }
    assert expected
    assert expected == {
        window["start_ms"]: (
            window["revision"], window["rows"], window["input_hash"], window["threshold"],
        )
        for window in document["windows"]
    }  # fmt: skip
    assert document["alerts"] == []
    assert {other["role"] for other in document["other_streams"]} == set(ROLES) - {"primary"}
    assert "car_loan" in page.read_text(encoding="utf-8")
    shadow = reports("--json", "--role", "shadow").document
    assert shadow["stream"]["role"] == "shadow"

    start = document["windows"][0]["start_ms"]
    series = Series(feed.events["primary"].stream, WINDOW_MS)
    opened = alert(series, start)
    worse = replace(opened, sequence=1, state=State.UPDATED, level=Level.CRITICAL)
    gone = replace(opened, sequence=2, state=State.WITHDRAWN)
    hour = replace(alert(Series(series.stream, 3_600_000), start), id="f" * 32)
    publish(job, [opened, worse, hour], commit=True)
    publish(job, [gone], commit=False)
    (shown,) = reports("--json").document["alerts"]
    assert (shown["id"], shown["sequence"], shown["state"]) == (opened.id, 1, "updated")
    assert (shown["level"], shown["opened_ms"]) == ("critical", start)
    assert reports("--json", "--role", "shadow").document["alerts"] == []


def alert(series: Series, start: int) -> Alert:
    return Alert(
        id="a" * 32,
        sequence=0,
        state=State.OPENED,
        level=Level.WARN,
        reason=Reason.WINDOW,
        stream=series.name,
        rule="distribution",
        column="car_value",
        statistic="wasserstein_1_in_reference_sd",
        value=0.4,
        score=1.5,
        threshold=1.25,
        opened=start,
        grounds=(Ground(start, 1),),
    )
