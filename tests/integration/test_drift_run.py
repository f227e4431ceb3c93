"""Windows of a file beside live ones: the same events, two ways, the same bits."""

from pathlib import Path
from typing import Any

import pytest

from stream_app.adapters.drift.reference_build import BuildOptions, build_reference
from stream_app.adapters.drift.reference_file import store, write_reference
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.repository import ModelRepository
from stream_app.settings import ModelSettings
from tests.aggregator_feed import PartialsFeed, aggregator_job
from tests.car_loan import Feed, assert_exactly_once
from tests.fault.odd_model import BROKEN_WITH_NO_ANSWER, pack_odd_model
from tests.kafka_fixtures import RealKafka
from tests.offline import Place, events_in, told_of_events
from tests.reference_kit import open_loans, write_avro
from tests.worker import Workers, until

pytestmark = pytest.mark.kafka

WINDOW_MS = 21_600_000


def repository_with_reference(folder: Path) -> Path:
    """A model that has no answer to some sound events, and its reference."""
    repository = folder / "models"
    pack_odd_model(repository)
    files = ModelRepository(repository).open("car_loan")
    data = write_avro(folder / "past.avro", open_loans(1_500).rows)
    model = load_model(files, ModelSettings())
    made = build_reference(files, model, BuildOptions(data, calibrated=False))
    write_reference(files.folder, store(*made, created_ms=1_700_000_000_000))
    return repository


def newest(feed: PartialsFeed) -> dict[Place, dict[str, Any]]:
    return {(length, start): window for (_, length, start), window in feed.told().items()}


def test_past_events_give_the_bits_of_the_live_windows(kafka: RealKafka, tmp_path: Path) -> None:
    job = aggregator_job(
        kafka,
        tmp_path,
        4,
        drift__window_s=str(WINDOW_MS // 1000),
        drift__idle_after_s="1",
        model__repository=str(repository_with_reference(tmp_path)),
    )
    feed = Feed(job, share_broken=0.1, broken=BROKEN_WITH_NO_ANSWER)
    windows = PartialsFeed(job)
    feed.send(1_500)
    with Workers(job) as workers:
        aggregator = workers.start(command=("drift", "aggregate"))
        scorers = [workers.start(), workers.start()]
        feed.send(500)
        assert_exactly_once(feed)
        rows = events_in(job)
        assert len(rows) < feed.sent, "some records are no events at all"
        offline = told_of_events(job, rows)
        hashes = {place: w["input_hash"] for place, w in offline.items() if place[0] == WINDOW_MS}

        def told() -> bool:
            live = {p: w["input_hash"] for p, w in newest(windows).items() if p[0] == WINDOW_MS}
            return live == hashes

        until("live windows are those of the file", told, within_s=60)
        assert [worker.stop() for worker in (*scorers, aggregator)] == [0, 0, 0]
    live = newest(windows)
    final = {place: window for place, window in live.items() if window["is_final"]}
    assert {length for length, _ in final} == {WINDOW_MS, 86_400_000}
    assert final.keys() <= offline.keys()
    for place, window in live.items():
        past = offline[place]
        assert past["input_hash"] == window["input_hash"]
        assert past["output_hash"] == window["output_hash"]
        assert past["rows"] == window["rows"]
        assert past["dead_letters"] == {each["name"]: each["count"] for each in window["letters"]}
    letters = sum(
        w["dead_letters"].get("NON_FINITE_OUTPUT", 0)
        for p, w in offline.items()
        if p[0] == WINDOW_MS
    )
    assert letters == feed.codes["NON_FINITE_OUTPUT"] > 0
