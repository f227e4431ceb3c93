"""Laws of the pictures: all rows are in them, or said to be outside."""

import numpy as np
import pytest

from stream_app.core.drift.histogram import BARS, histogram_of
from stream_app.core.drift.profile import Survey, Tally
from stream_app.core.drift.reference import Column, Origin, Role
from stream_app.core.drift.watch import Values, Watched


def column_of(numbers: np.ndarray) -> Column:
    values = Values(numbers[:, None], np.zeros((len(numbers), 1), dtype=np.uint8), {})
    survey = Survey([Watched("x", Origin(Role.INPUT, "t", 0, feature=0))])
    survey.add(values)
    tally = Tally(survey.blank_columns())
    tally.add(values)
    return tally.columns()[0]


def test_bars_follow_the_values() -> None:
    numbers = np.random.default_rng(1).normal(size=50_000)
    found = histogram_of(column_of(numbers))
    exact = np.histogram(numbers, found.edges)[0] / len(numbers)
    np.testing.assert_allclose(found.spread, exact, atol=0.004)
    assert found.outside == 0.0


def test_a_value_of_many_rows_stands_out() -> None:
    random = np.random.default_rng(2)
    numbers = np.where(random.random(5_000) < 0.4, 0.0, random.normal(size=5_000))
    found = histogram_of(column_of(numbers))
    own = int(np.searchsorted(found.edges, 0.0)) - 1
    assert found.single[own] == pytest.approx((numbers == 0).mean())
    assert np.count_nonzero(found.single > 0.001) == 1
    assert found.single.sum() + found.spread.sum() == pytest.approx(1.0)


def test_long_tails_are_left_out_and_told() -> None:
    numbers = np.concatenate([np.linspace(0, 1, 9_990), np.full(10, 1e9)])
    found = histogram_of(column_of(numbers))
    assert found.edges[-1] < 1.1
    assert found.outside == pytest.approx(0.01, abs=0.011)


def test_a_constant_is_one_bar() -> None:
    found = histogram_of(column_of(np.full(300, 3.5)))
    assert found.edges[0] < 3.5 < found.edges[-1]
    assert found.single.tolist().count(1.0) == 1
    assert len(found.spread) == BARS


def test_names_have_no_histogram() -> None:
    with pytest.raises(ValueError, match="only numeric"):
        histogram_of(column_of(np.repeat([1.0, 2.0], 200)))
