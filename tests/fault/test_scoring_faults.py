"""F38, F43, F44: times that cannot be, devices that fail, models that answer nonsense."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from stream_app.adapters.model.manifest_file import MODEL_FILE
from tests.car_loan import BROKEN, Event, Feed, encoded
from tests.fault import failing_model
from tests.fault.bench import Bench
from tests.fault.odd_model import BROKEN_WITH_NO_ANSWER, pack_odd_model
from tests.kafka_fixtures import RealKafka
from tests.worker import until


@pytest.mark.fault("F44", quick=True)
def test_rows_whose_output_is_no_number_die_alone(
    bench: Bench, kafka: RealKafka, tmp_path: Path
) -> None:
    pack_odd_model(tmp_path / "models")
    with bench.run(
        kafka, share_broken=0.05, model__repository=str(tmp_path / "models"), model__version="1"
    ) as run:
        worker = run.start()
        run.scoring()
        with run.fault("outputs that are no numbers, beside good ones"):
            run.feed.broken = BROKEN_WITH_NO_ANSWER
        until("some have come", lambda: run.feed.codes["NON_FINITE_OUTPUT"] > 20, 60)
        run.recovered()
        assert worker.counts("stream_app_dead_letters_total", "code")["NON_FINITE_OUTPUT"] > 0


@pytest.mark.fault("F44")
def test_a_model_damaged_between_two_starts_is_refused_by_name(
    bench: Bench, kafka: RealKafka, tmp_path: Path
) -> None:
    version = pack_odd_model(tmp_path / "models")
    sound = (version / MODEL_FILE).read_bytes()
    place = bench.chance.randrange(len(sound))
    damaged = sound[:place] + bytes([sound[place] ^ 1 << bench.chance.randrange(8)])
    with bench.run(kafka, model__repository=str(tmp_path / "models"), model__version="1") as run:
        run.allowed_exits.add(78)
        run.start()
        run.scoring()
        with run.fault(f"one bit of the model changed at byte {place}"):
            (version / MODEL_FILE).write_bytes(damaged + sound[place + 1 :])
            run.alive()[0].kill()
        refused = run.start()
        assert refused.wait_exit(60) == 78
        assert MODEL_FILE in refused.log()
        assert "SHA-256" in refused.log()
        (version / MODEL_FILE).write_bytes(sound)
        run.start()
        run.recovered()


# -- F43: what ONNX Runtime raises on a GPU, raised by a stand-in for it --------------------------

STAND_IN = failing_model.__name__


@pytest.mark.fault("F43")
def test_a_device_without_memory_for_a_batch_scores_it_in_halves(
    bench: Bench, kafka: RealKafka
) -> None:
    rows = bench.chance.choice((1, 7, 40))
    with bench.run(kafka, batch__max_records="128") as run:
        run.start()
        run.scoring()
        with run.fault(f"no memory for more than {rows} rows at once"):
            run.alive()[0].kill()
            worker = run.start(module=STAND_IN, FAILING_MODEL=f"memory:{rows}")
        run.recovered(within_s=180)
        assert "stand-in: no memory" in worker.log()
        assert worker.metric("stream_app_predictions_total") > 0


@pytest.mark.fault("F43")
def test_a_device_that_is_lost_ends_the_process_and_a_new_one_goes_on(
    bench: Bench, kafka: RealKafka, tmp_path: Path
) -> None:
    how = f"dead:{bench.chance.randint(20, 60)}:{tmp_path / 'once'}"
    with bench.run(kafka, batch__max_records="128") as run:
        run.allowed_exits.add(70)
        with run.fault("the device is lost"):
            lost = run.start(module=STAND_IN, FAILING_MODEL=how)
            assert lost.wait_exit(90) == 70
        assert "the device is lost" in lost.log()
        assert "nvidia-smi" in lost.log()
        run.start(module=STAND_IN, FAILING_MODEL=how)
        run.recovered()


# -- F38: without windows, times that cannot be are told by their record's timestamp --------------

HOUR_MS = 3_600_000
OUT = "TIME_OUT_OF_RANGE"


def _at(change: timedelta | datetime) -> Callable[[Event], bytes]:
    def write(event: Event) -> bytes:
        given = event["timestamp"]
        return encoded(
            {**event, "timestamp": given + change if isinstance(change, timedelta) else change}
        )

    return write


BROKEN_IN_TIME = BROKEN | {
    "ten years ahead": (OUT, _at(timedelta(days=3_650))),
    "four hours ahead": (OUT, _at(timedelta(hours=4))),
    "four hours behind": (OUT, _at(timedelta(hours=-4))),
    "1970": (OUT, _at(datetime(1970, 1, 1, tzinfo=UTC))),
    "before 1970": (OUT, _at(datetime(1901, 1, 1, tzinfo=UTC))),
}


class FeedOfWrongClocks(Feed):
    """Producers whose clocks, and so their records' timestamps, are up to an hour off."""

    def _hand_over(
        self, value: bytes | None, key: bytes, partition: int, timestamp_ms: int, good: Event | None
    ) -> None:
        skewed_ms = timestamp_ms + self._chance.choice((-HOUR_MS, 0, HOUR_MS))
        super()._hand_over(value, key, partition, skewed_ms, good)


@pytest.mark.fault("F38")
def test_times_that_cannot_be_die_and_clocks_that_are_an_hour_off_do_not_matter(
    bench: Bench, kafka: RealKafka
) -> None:
    feed = partial(FeedOfWrongClocks, broken=BROKEN_IN_TIME)
    with bench.run(kafka, feed=feed, share_broken=0.1, input__max_time_difference_s="7200") as run:
        with run.fault("events from other times, and skewed clocks"):
            run.start()
        until("some have come", lambda: run.feed.codes[OUT] > 50, 60)
        run.recovered()
