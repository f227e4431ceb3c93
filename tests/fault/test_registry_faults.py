"""F40, F41: the schema registry away, slow, or answering what no registry should.

What is known already is scored without it; what is not waits for it, and no record dies of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from stream_app.adapters.avro.registry import Registry
from stream_app.adapters.avro.registry_subjects import ensure_subject
from stream_app.adapters.local_kafka import LocalRegistry
from stream_app.resources import schema_path
from stream_app.settings import RegistrySettings
from tests.avro_kit import CountedTelemetry
from tests.car_loan import Feed
from tests.fake_registry import NOT_FOUND, Answer, FakeRegistry, fake_registry, found, refused
from tests.fault.bench import Bench, Run
from tests.fault.confluent_feed import UNKNOWN_ID, confluent_feed
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker, until

ID = 7
LOOKUP = f"GET /schemas/ids/{ID}"
AWAY = refused(503, 50301)
EVENTS = confluent_feed(ID)


def known() -> Answer:
    return found(schema_path("event").read_text("utf-8"))


@contextmanager
def scored_with(
    bench: Bench,
    kafka: RealKafka,
    url: str,
    feed: Callable[..., Feed] = EVENTS,
    *,
    topic: str = "",
    timeout_s: str = "5",
    unknown_retry_s: str = "0",
) -> Iterator[Run]:
    """A run whose events' schemas are in the registry at this address."""
    with bench.run(
        kafka,
        feed=feed,
        input__topic=topic or kafka.topic("loans"),
        input__framing="confluent",
        output__framing="single-object",
        registry__url=url,
        registry__timeout_s=timeout_s,
        registry__unknown_retry_s=unknown_retry_s,
    ) as run:
        yield run


def paused_and_alive(worker: Worker) -> None:
    """It waits, says so, keeps its place in the group, and has buried nothing."""
    worker.wait_for("paused")
    until("it is not ready", lambda: worker.get("/readyz")[0] == 503, 30)
    assert worker.get("/livez")[0] == 200
    assert worker.metric("stream_app_dead_letters_total") == 0
    assert worker.metric("stream_app_predictions_total") == 0


@pytest.mark.fault("F40", quick=True)
def test_a_registry_that_is_away_stops_only_who_does_not_know_the_schema(
    bench: Bench, kafka: RealKafka
) -> None:
    with (
        fake_registry() as registry,
        scored_with(bench, kafka, registry.url) as run,
    ):
        with run.fault("away at the start: nothing is known"):
            registry.answers[LOOKUP] = AWAY
            first = run.start()
        paused_and_alive(first)
        registry.answers[LOOKUP] = known()
        run.recovered()
        pauses = len(first.events("paused"))
        with run.fault("away when the schema is known"):
            registry.answers[LOOKUP] = AWAY
        run.recovered()
        assert len(first.events("paused")) == pauses
        with run.fault("away when another worker starts"):
            second = run.start()
        paused_and_alive(second)
        registry.answers[LOOKUP] = known()
        run.recovered()
        run.scoring()


def registered(registry: LocalRegistry, topic: str) -> int:
    """The id of the event schema, which is registered if it is not."""
    client = Registry(RegistrySettings(url=registry.url), CountedTelemetry())
    text = schema_path("event").read_text("utf-8")
    return ensure_subject(client, f"{topic}-value", text, register=True)


@pytest.mark.fault("F40")
def test_a_real_registry_killed_and_started_again(
    bench: Bench, kafka: RealKafka, registry_installed: None
) -> None:
    topic = kafka.topic("loans")
    with LocalRegistry() as before:
        schema_id = registered(before, topic)
        feed = confluent_feed(schema_id)
        # It comes back without a schema, until that is registered again.
        patience = {"unknown_retry_s": "60"}
        with scored_with(bench, kafka, before.url, feed, topic=topic, **patience) as run:
            first = run.start()
            run.scoring()
            with run.fault("killed when the schema is known"):
                before.process.kill()
            run.recovered()
            with run.fault("killed when another worker starts"):
                second = run.start()
            paused_and_alive(second)
            with LocalRegistry(port=before.port) as after:
                assert registered(after, topic) == schema_id
                run.recovered()
                run.scoring()
                assert not first.events("paused")


BAD_ANSWERS: dict[str, Answer] = {
    "30 s late": Answer(pause_s=30, body=b"{}"),
    "an error of its own": refused(500, 50001),
    "no rights": refused(401, 40101),
    "another program's 404": Answer(404, b"<html>no such page</html>"),
    "a page for people": Answer(body=b"<html>sign in first</html>"),
    "a redirect": Answer(302, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
    "1 GB": Answer(body=b" " * 2**20, chunks=1024),
    "a byte now and then": Answer(body=b" ", chunks=1_000, pause_s=0.2),
    "JSON of another kind": Answer(body=b'["no", "schema"]'),
}


@pytest.mark.fault("F41")
def test_no_answer_of_a_registry_costs_a_record_or_the_membership(
    bench: Bench, kafka: RealKafka
) -> None:
    with (
        fake_registry() as registry,
        scored_with(bench, kafka, registry.url, timeout_s="1") as run,
    ):
        worker = run.start()
        for name in bench.chance.sample(sorted(BAD_ANSWERS), len(BAD_ANSWERS)):
            with run.fault(f"the registry answers: {name}"):
                registry.answers[LOOKUP] = BAD_ANSWERS[name]
            asked(registry, times=2)
            paused_and_alive(worker)
        assert worker.metric("stream_app_assigned_partitions") == 4
        assert worker.counts("stream_app_rebalances_total", "event").keys() == {"assigned"}
        registry.answers[LOOKUP] = known()
        run.recovered()


def asked(registry: FakeRegistry, times: int) -> None:
    """Return when it has been asked so often from now on."""
    goal = registry.requests.count(LOOKUP) + times
    until("the registry is asked again", lambda: registry.requests.count(LOOKUP) >= goal, 90)


@pytest.mark.fault("F41")
def test_a_schema_published_late_costs_nothing_and_one_never_published_its_own_records(
    bench: Bench, kafka: RealKafka
) -> None:
    feed = confluent_feed(ID, of_unknown="UNKNOWN_SCHEMA")
    with (
        fake_registry() as registry,
        scored_with(bench, kafka, registry.url, feed, unknown_retry_s="15") as run,
    ):
        with run.fault("the schema is not there yet"):
            registry.answers[LOOKUP] = NOT_FOUND
            run.start().wait_for("paused")
        registry.answers[LOOKUP] = known()
        run.recovered(within_s=120)
    assert run.feed.codes["UNKNOWN_SCHEMA"] > 0


@pytest.mark.fault("F41")
def test_records_of_another_schema_die_and_the_others_are_scored(
    bench: Bench, kafka: RealKafka
) -> None:
    feed = confluent_feed(ID, of_unknown="SCHEMA_NOT_ALLOWED")
    with (
        fake_registry() as registry,
        scored_with(bench, kafka, registry.url, feed) as run,
    ):
        registry.answers[LOOKUP] = known()
        other = schema_path("prediction").read_text("utf-8")
        with run.fault("the registry has the schema of other records"):
            registry.answers[f"GET /schemas/ids/{UNKNOWN_ID}"] = found(other)
            run.start()
        run.recovered()
    assert run.feed.codes["SCHEMA_NOT_ALLOWED"] > 0
