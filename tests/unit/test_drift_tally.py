"""Laws of what a transaction tells of drift: all its rows, each once, and nothing of another's."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.columns import NO_TIMESTAMP, EventBatch, RecordBatch, ScoreBatch
from stream_app.core.drift import kernels
from stream_app.core.drift.counter import Arithmetic
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Coverage, Partial, Stream
from stream_app.core.faults import Fault
from stream_app.drift_tally import DriftTally, TallyConfig
from tests.drift_kit import odd_values, small_reference
from tests.fakes import FakeClock, records

STREAM = Stream("model", "1", "primary", "0123456789abcdef", 1_000)


class Bench:
    """A tally whose partials are kept as they are."""

    def __init__(self, max_windows: int = 100, max_record_bytes: int = 1_000_000) -> None:
        self.clock = FakeClock()
        self.told: list[Partial] = []
        config = TallyConfig(STREAM, "partials", "me", 10.0, max_windows, max_record_bytes)
        layout = Layout(small_reference())
        way = cast(Arithmetic, kernels)
        self.tally = DriftTally(config, layout, way, self._encode, self.clock, NullTelemetry())

    def _encode(self, partial: Partial) -> bytes:
        self.told.append(partial)
        return b"partial"

    def count(
        self, positions: list[tuple[int, int]], times: list[int], faults: list[Fault] | None = None
    ) -> RecordBatch:
        """Count a batch; faults of the decode and validate stages are the events'."""
        batch = records(positions)
        rows = len(positions)
        fault = np.array(faults or [Fault.NONE] * rows, dtype=np.uint16)
        of_event = np.where(fault < Fault.MODEL_FAILED, fault, 0).astype(np.uint16)
        values, _ = odd_values(rows, rows)
        events = replace(
            EventBatch.undecoded(of_event, {}),
            tensors={"x": values.numbers},
            kinds=values.kinds,
            event_time_ms=np.array(times, dtype=np.int64),
        )
        good = np.flatnonzero(fault == 0)
        scores = ScoreBatch(good, {"y": np.full((len(good), 2), 0.5)}, fault)
        self.tally.count(batch, events, scores)
        return batch

    def conclude(self) -> list[Partial]:
        self.told.clear()
        batch = self.tally.conclude()
        assert (batch is None) == (not self.told)
        if batch is not None:
            assert batch.keys[0] == b"model/1/primary/0123456789abcdef/1000"
            assert len(batch) == len(self.told)
        return list(self.told)


def test_a_partial_covers_every_row_and_counts_each_once() -> None:
    bench = Bench()
    none, model, cut = Fault.NONE, Fault.MODEL_FAILED, Fault.DECODE_ERROR
    bench.count([(0, 5), (0, 6), (2, 9)], [100, 1_100, 1_200], [none, none, model])
    bench.count([(0, 7), (0, 8)], [2_300, 99_999], [none, cut])
    (partial,) = bench.conclude()
    assert partial.coverage == (Coverage(0, 5, 8, 2_300), Coverage(2, 9, 9, 1_200))
    found = {window.start_ms: (window.rows, window.letters) for window in partial.windows}
    assert found == {0: (1, {}), 1_000: (1, {model: 1}), 2_000: (1, {})}
    assert partial.letters_without_time == {cut: 1}
    assert (partial.part, partial.parts, partial.rows_without_time) == (0, 1, 0)


def test_a_transaction_in_which_every_row_died_covers_them_too() -> None:
    bench = Bench()
    bench.count([(1, 3)], [NO_TIMESTAMP], [Fault.TOMBSTONE])
    (partial,) = bench.conclude()
    assert partial.coverage == (Coverage(1, 3, 3, NO_TIMESTAMP),)
    assert partial.windows == ()


def test_an_event_that_is_itself_at_fault_moves_no_watermark() -> None:
    bench = Bench()
    out = Fault.TIME_OUT_OF_RANGE
    bench.count([(0, 0), (0, 1)], [500, 1 << 50], [Fault.NONE, out])
    (partial,) = bench.conclude()
    assert partial.coverage[0].greatest_ms == 500
    assert partial.letters_without_time == {out: 1}


def test_an_event_without_a_time_has_its_records() -> None:
    bench = Bench()
    bench.count([(0, 0)], [NO_TIMESTAMP])
    assert [window.start_ms for window in bench.conclude()[0].windows] == [1_000]


@pytest.mark.parametrize("ending", ["committed", "rolled_back"])
def test_after_the_transaction_nothing_of_it_is_left(ending: str) -> None:
    bench = Bench()
    bench.count([(0, 0), (0, 1)], [0, 1])
    bench.conclude()
    getattr(bench.tally, ending)()
    assert bench.conclude() == []
    bench.count([(0, 2)], [2])
    (partial,) = bench.conclude()
    assert (partial.coverage[0].first, partial.windows[0].rows) == (2, 1)


def test_a_prediction_that_was_refused_is_a_dead_letter_of_its_window() -> None:
    bench = Bench()
    bench.count(
        [(0, 0), (0, 1), (0, 2)], [0, 1_000, 1_001], [Fault.TOMBSTONE, Fault.NONE, Fault.NONE]
    )
    bench.tally.redirect(np.array([2], dtype=np.intp), Fault.OUTPUT_TOO_LARGE)
    (partial,) = bench.conclude()
    (window,) = partial.windows
    assert (window.rows, window.letters) == (1, {Fault.OUTPUT_TOO_LARGE: 1})


def test_very_many_windows_end_the_transaction_and_are_told_in_several_records() -> None:
    bench = Bench(max_windows=50, max_record_bytes=2_000)
    before = bench.tally.is_full
    bench.count([(0, row) for row in range(60)], [row * 1_000 for row in range(60)])
    assert (before, bench.tally.is_full) == (False, True)
    partials = bench.conclude()
    assert len(partials) > 1
    assert {(each.coverage, each.parts) for each in partials} == {
        (partials[0].coverage, len(partials))
    }
    assert [each.part for each in partials] == list(range(len(partials)))
    starts = [window.start_ms for each in partials for window in each.windows]
    assert starts == [row * 1_000 for row in range(60)]


def test_a_drained_partition_is_called_idle_once_and_again_after_it_spoke() -> None:
    bench = Bench()
    bench.count([(0, 0), (1, 7)], [0, 0])
    bench.tally.committed()
    assert bench.tally.quiet({0: 1}) == []
    bench.clock.time_s += 11
    assert bench.tally.quiet({0: 1}) == [0]
    (partial,) = bench.conclude()
    assert partial.coverage == (Coverage(0, 1, 0, NO_TIMESTAMP, is_idle=True),)
    bench.tally.committed()
    assert bench.tally.quiet({0: 1}) == []
    bench.count([(0, 1)], [5])
    bench.tally.committed()
    bench.clock.time_s += 11
    assert bench.tally.quiet({0: 2}) == [0]


def test_what_was_rolled_back_was_not_told_to_be_idle() -> None:
    bench = Bench()
    bench.tally.quiet({0: 1})
    bench.clock.time_s += 11
    assert bench.tally.quiet({0: 1}) == [0]
    bench.tally.rolled_back()
    assert bench.conclude() == []
    assert bench.tally.quiet({0: 1}) == [0]


def test_a_partition_of_another_is_not_spoken_for() -> None:
    bench = Bench()
    bench.tally.quiet({0: 1})
    bench.clock.time_s += 11
    bench.tally.revoked([0])
    assert bench.tally.quiet({0: 1}) == [], "as if it were new"
