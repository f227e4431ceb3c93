"""What is not the group's doing: start policies, a broken deploy, brokers that refuse."""

import time
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.car_loan import Feed, encoded, event
from tests.kafka_fixtures import RealKafka
from tests.worker import Job, Worker, Workers, car_loan_job, until

HOUR_MS = 3_600_000


def exit_of(worker: Worker) -> int:
    return worker.wait_exit(within_s=60)


def send(job: Job, value: bytes, *, partition: int = 0, timestamp_ms: int = 1_000) -> None:
    producer = Producer({"bootstrap.servers": job.overrides["kafka.bootstrap_servers"]})
    topic = job.settings.input.topic
    producer.produce(topic, value, b"key", partition=partition, timestamp=timestamp_ms)
    assert producer.flush(10) == 0


def read(job: Job, topic: str, count: int) -> list[tuple[bytes | None, dict[str, bytes]]]:
    """Values and headers of the first ``count`` committed records."""
    consumer = Consumer(
        {
            "bootstrap.servers": job.overrides["kafka.bootstrap_servers"],
            "group.id": "reader",
            "auto.offset.reset": "earliest",
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[tuple[bytes | None, dict[str, bytes]]] = []

    def enough() -> bool:
        found.extend((m.value(), dict(m.headers() or [])) for m in consumer.consume(count, 0.2))
        return len(found) >= count

    try:
        until(f"{count} records in {topic}", enough, 30)
    finally:
        consumer.close()
    return found


def test_a_new_group_without_a_decision_does_not_start(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(kafka, tmp_path, start__new_group="fail")
    with Workers(job) as workers:
        worker = workers.start()
        assert exit_of(worker) == 78
        assert "start.new_group = earliest" in worker.log()
        assert "Traceback" not in worker.log()


def test_a_new_group_may_begin_at_the_end(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(kafka, tmp_path, start__new_group="latest")
    send(job, encoded(event(0)))
    with Workers(job) as workers:
        workers.start().wait_ready()
        send(job, encoded(event(1)))
        ((value, _),) = read(job, job.settings.predictions_topic, 1)
        assert b"test-0000001" in (value or b"")


def verdict_of(job: Job) -> tuple[int, int, int]:
    """Events with an outcome, lost, duplicated."""
    from stream_app.adapters.verifier.reader import verify  # noqa: PLC0415

    report = verify(job.settings)
    done = report.predictions + sum(report.dead_letters.values())
    return done, report.lost.count, report.duplicated.count


def test_a_deploy_that_makes_everything_bad_stops_the_worker(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = car_loan_job(kafka, tmp_path, dead_letters__breaker_run="200")
    Feed(job, share_broken=1.0).send(1_500)
    with Workers(job) as workers:
        worker = workers.start()
        assert exit_of(worker) == 65
        assert "circuit breaker" in worker.log()
    done, lost, duplicated = verdict_of(job)
    assert done < 1_500
    assert (lost, duplicated) == (0, 0)


def test_on_bad_record_stop_names_the_record_and_commits_nothing_of_it(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = car_loan_job(kafka, tmp_path, dead_letters__on_bad_record="stop")
    send(job, b"no Avro at all")
    with Workers(job) as workers:
        worker = workers.start()
        assert exit_of(worker) == 65
        assert f"{job.settings.input.topic}[0] offset 0: BAD_MAGIC" in worker.log()
        assert "Traceback" not in worker.log()
    assert verdict_of(job) == (0, 0, 0)


def test_a_prediction_too_large_for_its_topic_becomes_a_dead_letter(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = car_loan_job(kafka, tmp_path, output__max_record_bytes="20000")
    send(job, encoded({**event(0), "application_id": "x" * 40_000}))
    send(job, encoded(event(1)))
    with Workers(job) as workers:
        workers.start()
        ((value, headers),) = read(job, job.settings.dlq_topic, 1)
        assert headers["err.code"] == b"OUTPUT_TOO_LARGE"
        assert headers["err.truncated"] == b"true"
        assert int(headers["err.value_length"]) > 40_000
        assert len(value or b"") < 20_000
        until("both have an outcome", lambda: verdict_of(job) == (2, 0, 0), 30)


def test_a_timestamp_that_brokers_refuse_is_sent_as_now_and_kept_in_a_header(
    kafka: RealKafka, tmp_path: Path
) -> None:
    job = car_loan_job(
        kafka,
        tmp_path,
        input__topic=kafka.topic("future", 4, message_timestamp_after_max_ms=str(2**62)),
    )
    future_ms = int(time.time() * 1000) + 5 * HOUR_MS
    send(job, encoded(event(0)), timestamp_ms=future_ms)
    send(job, encoded(event(1)))
    with Workers(job) as workers:
        workers.start()
        found = read(job, job.settings.predictions_topic, 2)
        kept = [headers.get("stream_app.timestamp") for _, headers in found]
        assert sorted(kept, key=str) == sorted([None, str(future_ms).encode()], key=str)
    assert verdict_of(job) == (2, 0, 0)


def test_a_worker_waits_for_brokers_that_start_later(kafka: RealKafka, tmp_path: Path) -> None:
    job = car_loan_job(kafka, tmp_path, kafka__bootstrap_servers="127.0.0.1:9")
    with Workers(job) as workers:
        worker = workers.start()
        worker.wait_for("waiting")
        assert worker.get("/livez")[0] == 200
        assert worker.get("/readyz")[0] == 503
        assert worker.stop() == 0
