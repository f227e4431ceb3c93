"""Laws of scoring: a row that makes the model fail dies alone, and costs nobody else a score."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import BytesColumn, EventBatch, Tensor
from stream_app.core.contract import OnNonFinite
from stream_app.core.faults import Fault
from stream_app.errors import DeviceOutOfMemoryError, FatalError, ModelRunError
from stream_app.scoring import ScoringRules, score

RULES = ScoringRules(
    bisect_limit=1_000, on_non_finite_output=OnNonFinite.DEAD_LETTER, bound_outputs=("doubled",)
)


class Doubler:
    """Doubles its input; fails on negative numbers, and on more rows than its memory holds."""

    name, version, content_hash = "doubler", "1", "0" * 12

    def __init__(self, room: int = 10_000) -> None:
        self._room = room
        self.runs = 0

    def run(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.runs += 1
        values = np.asarray(tensors["x"], dtype=np.float32)
        if len(values) > self._room:
            raise DeviceOutOfMemoryError("no room")
        if (values < 0).any():
            raise ModelRunError("negative")
        return {"doubled": 2 * values, "unbound": np.full(len(values), np.nan, dtype=np.float32)}


def events(values: list[float], fault: list[int] | None = None) -> EventBatch:
    count = len(values)
    return EventBatch(
        tensors={"x": np.array(values, dtype=np.float32)},
        kinds=np.zeros((count, 1), dtype=np.uint8),
        event_time_ms=np.zeros(count, dtype=np.int64),
        ids=BytesColumn.of([b"id"] * count),
        schema=np.zeros(count, dtype=np.int32),
        schema_names=["1"],
        fault=np.array(fault or [0] * count, dtype=np.uint16),
    )


@given(
    st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=80),
    st.sets(st.integers(0, 79)),
)
def test_every_row_ends_as_score_or_fault(values: list[float], bad: set[int]) -> None:
    fault = [int(Fault.DECODE_ERROR) if row in bad else 0 for row in range(len(values))]
    batch = events(values, fault)
    result = score(Doubler(), batch, RULES)
    expected = [
        int(Fault.DECODE_ERROR) if row in bad else int(Fault.MODEL_FAILED) * (value < 0)
        for row, value in enumerate(values)
    ]
    assert result.fault.tolist() == expected
    assert result.rows.tolist() == [row for row, code in enumerate(expected) if code == 0]
    if len(result.rows):
        doubled = [np.float32(values[row]) * 2 for row in result.rows]
        assert result.outputs["doubled"].tolist() == doubled
    assert batch.fault.tolist() == fault, "the events' own faults must stay as they are"


def test_one_guilty_row_is_found_in_logarithmic_time() -> None:
    model = Doubler()
    result = score(model, events([1.0] * 511 + [-1.0]), RULES)
    assert result.fault.tolist() == [0] * 511 + [Fault.MODEL_FAILED]
    assert model.runs <= 2 * 10


def test_past_the_limit_a_failing_part_dies_together_instead_of_blocking() -> None:
    rules = ScoringRules(3, OnNonFinite.KEEP, ("doubled",))
    result = score(Doubler(), events([-1.0] * 16), rules)
    assert (result.fault == Fault.MODEL_FAILED).all()
    assert any("bisect_limit" in text for text in result.fault_detail.values())


def test_a_full_device_halves_the_batch_and_loses_nothing() -> None:
    model = Doubler(room=3)
    result = score(model, events([float(i) for i in range(20)]), RULES)
    assert result.outputs["doubled"].tolist() == [2.0 * i for i in range(20)]
    assert not result.fault.any()


def test_a_device_without_room_for_one_row_ends_the_process() -> None:
    with pytest.raises(FatalError, match="single row"):
        score(Doubler(room=0), events([1.0, 2.0]), RULES)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_non_finite_output_dies_by_policy_and_only_where_bound(value: float) -> None:
    batch = events([1.0, value, 2.0])
    died = score(Doubler(), batch, RULES)
    assert died.fault.tolist() == [0, Fault.NON_FINITE_OUTPUT, 0]
    assert died.outputs["doubled"].tolist() == [2.0, 4.0]
    keep = ScoringRules(1_000, OnNonFinite.KEEP, ("doubled",))
    assert not score(Doubler(), batch, keep).fault.any()
