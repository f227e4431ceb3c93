"""Laws of the bench's checks: each planted wrong is found, and rounding is none."""

from typing import Any

import numpy as np
import pytest

from stream_app.adapters.bench.topics import Content
from stream_app.bench.checks import (
    Outputs,
    Prediction,
    Scores,
    count_faults,
    differing_field,
    echo_faults,
)
from stream_app.bench.figures import Figures
from stream_app.core.columns import BytesColumn, RecordBatch

Row = tuple[bytes, bytes]


def batch(rows: list[Row], first: int = 0) -> RecordBatch:
    count = len(rows)
    return RecordBatch(
        topic="t",
        values=BytesColumn.of([value for _, value in rows]),
        keys=BytesColumn.of([key for key, _ in rows]),
        partition=np.zeros(count, dtype=np.int32),
        offset=np.arange(first, first + count),
        timestamp_ms=np.arange(count) + 1_000,
        timestamp_type=np.zeros(count, dtype=np.int8),
    )


def content(*rows: Row, count: int | None = None) -> Content:
    return Content([len(rows) if count is None else count], {0: [batch(list(rows))]})


def figures(predictions: int, dead_letters: int = 0) -> Figures:
    return Figures(predictions, dead_letters, 1.0, 1.0, 1.0, {}, 1, 1, 0, 1)


INPUT = content((b"k0", b"a"), (b"k1", b"b"), (b"k2", b"c"))


def test_one_outcome_for_each_record_is_right() -> None:
    whole = Outputs(Content([2]), [1])
    assert count_faults("x", INPUT, whole, figures(2, 1)) == []


@pytest.mark.parametrize("found", [1, 2, 4])
def test_a_record_lost_or_repeated_is_found_in_its_partition(found: int) -> None:
    (fault,) = count_faults("who", INPUT, Outputs(Content([found]), [0]), figures(found))
    assert fault.startswith("who: partition 0 has 3 inputs")


def test_losses_and_repeats_that_make_up_for_each_other_are_found() -> None:
    inputs = Content([3, 3])
    faults = count_faults("x", inputs, Outputs(Content([2, 4]), [0, 0]), figures(6))
    assert len(faults) == 2


def test_a_claim_that_the_topics_do_not_bear_out_is_found() -> None:
    (fault,) = count_faults("x", INPUT, Outputs(Content([3]), [0]), figures(2, 1))
    assert "claims" in fault


@pytest.mark.parametrize(
    "came",
    [
        [(b"k0", b"a"), (b"k1", b"B"), (b"k2", b"c")],
        [(b"k0", b"a"), (b"k9", b"b"), (b"k2", b"c")],
        [(b"k1", b"b"), (b"k0", b"a"), (b"k2", b"c")],
        [(b"k0", b"a"), (b"k1", b"b")],
    ],
)
def test_an_echo_that_changes_loses_or_reorders_is_found(came: list[Row]) -> None:
    assert len(echo_faults("x", INPUT, content(*came))) == 1


def test_a_true_echo_passes() -> None:
    assert echo_faults("x", INPUT, INPUT) == []


def read(value: bytes | None) -> tuple[tuple[str, int, int], Prediction]:
    """The tests' predictions: an offset and a score as text."""
    offset, score = (value or b"").split()
    return ("t", 0, int(offset)), {"scores": [float(score)], "label": None}


def predicted(*scores: float, keys: str = "k") -> Content:
    return content(*((f"{keys}{n}".encode(), f"{n} {s}".encode()) for n, s in enumerate(scores)))


def test_predictions_of_two_are_held_against_each_other() -> None:
    scores = Scores()
    assert scores.faults("one", INPUT, predicted(0.1, 0.2, 0.3), read) == []
    assert scores.faults("two", INPUT, predicted(0.1, 0.200001, 0.3), read) == []
    assert scores.compared == 3
    (fault,) = scores.faults("three", INPUT, predicted(0.1, 0.25, 0.3), read)
    assert fault == "three: scores of (0, 1) is another than that of one"


def test_a_prediction_under_another_key_is_found() -> None:
    (fault,) = Scores().faults("x", INPUT, predicted(0.1, 0.2, keys="z"), read)
    assert "another key or timestamp" in fault


def test_samples_without_a_common_record_are_no_agreement() -> None:
    scores = Scores()
    scores.faults("one", INPUT, predicted(0.1), read)
    later = Content([1], {0: [batch([(b"k1", b"1 0.2")])]})
    later.sample[0][0].timestamp_ms[0] += 1
    (fault,) = scores.faults("two", INPUT, later, read)
    assert "none of its first predictions" in fault


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ({"a": 1.0}, {"a": 1.0 + 1e-7}, None),
        ({"a": float("nan")}, {"a": float("nan")}, None),
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.1]}, "a"),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}, "a"),
        ({"a": "x"}, {"a": "y"}, "a"),
        ({"a": 1.0}, {}, "a"),
    ],
)
def test_a_difference_is_more_than_rounding(
    one: dict[str, Any], other: dict[str, Any], name: str | None
) -> None:
    assert differing_field(one, other) == name
