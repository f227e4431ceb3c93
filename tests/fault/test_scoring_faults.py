"""F38, F43, F44: times that cannot be, devices that fail, models that answer nonsense."""

from pathlib import Path

import pytest

from stream_app.adapters.model.manifest_file import MODEL_FILE
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
