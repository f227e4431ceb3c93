"""The alerts topic as a webhook reads it: where it begins, and where it goes on."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from stream_app.adapters.drift.alert_codec import AlertCodec
from stream_app.adapters.monitor.alert_topic import AlertFeedReader, read_published
from stream_app.adapters.process.clock import SystemClock
from stream_app.core.drift.alerts import Alert
from stream_app.ports_drift import Unreadable
from stream_app.ports_monitor import PlacedAlert
from stream_app.settings import Settings, load_settings
from tests.kafka_fixtures import RealKafka, unique
from tests.unit.test_webhook import OPENED
from tests.worker import until

pytestmark = pytest.mark.kafka

PARTITIONS = 2


@pytest.fixture
def settings(kafka: RealKafka) -> Settings:
    return load_settings(
        overrides={
            "kafka.bootstrap_servers": kafka.bootstrap_servers,
            "kafka.group": unique("scorers"),
            "input.topic": "events",
            "drift.alerts_topic": kafka.topic("alerts", PARTITIONS),
        }
    )


def write(settings: Settings, *alerts: Alert | bytes, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for alert in alerts:
        value = AlertCodec().encode(alert) if isinstance(alert, Alert) else alert
        producer.produce(settings.alerts_topic, value, partition=partition)
    assert producer.flush(10) == 0


def reader(settings: Settings) -> AlertFeedReader:
    return AlertFeedReader(settings, f"{settings.monitor_group}.webhook", PARTITIONS, SystemClock())


def read(feed: AlertFeedReader, count: int) -> Sequence[PlacedAlert]:
    found: list[PlacedAlert] = []

    def look() -> bool:
        found.extend(feed.read(0.1))
        return len(found) >= count

    until("they are read", look, 20)
    return found


def step(sequence: int) -> Alert:
    return replace(OPENED, sequence=sequence)


def test_a_reader_begins_with_what_comes_and_goes_on_where_it_was(settings: Settings) -> None:
    write(settings, step(0))
    feed = reader(settings)
    feed.begin()
    write(settings, step(1), step(2), step(3))
    write(settings, step(9), partition=1)
    found = read(feed, 4)
    of_first = [each for each in found if each.partition == 0]
    assert [each.alert for each in of_first] == [step(1), step(2), step(3)]
    feed.delivered(of_first[0])
    feed.close()
    feed.close()
    again = reader(settings)
    try:
        alerts = [each.alert for each in read(again, 3)]
    finally:
        again.close()
    assert sorted(a.sequence for a in alerts if isinstance(a, Alert)) == [2, 3, 9]


def test_history_is_all_of_an_alert_up_to_a_record(settings: Settings) -> None:
    other = replace(OPENED, id="b" * 32)
    feed = reader(settings)
    feed.begin()
    write(settings, step(0), other, step(1), step(2))
    placed = next(each for each in read(feed, 4) if each.alert == step(1))
    assert list(feed.history(placed)) == [step(0), step(1)]
    feed.close()


def test_all_that_is_there_is_read_and_what_is_no_alert_is_left_out(settings: Settings) -> None:
    write(settings, step(0), b"what", step(1))
    write(settings, step(2), partition=1)
    found = list(read_published(settings, range(PARTITIONS)))
    assert sorted(alert.sequence for alert in found) == [0, 1, 2]
    feed = reader(settings)
    feed.begin()
    write(settings, b"what")
    (placed,) = read(feed, 1)
    assert isinstance(placed.alert, Unreadable)
    assert feed.history(placed) == ()
    feed.close()
