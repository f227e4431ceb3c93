"""Laws of batches of given sizes: nobody but the device can tell."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.model.buckets import run_in_buckets
from stream_app.core.columns import Tensor


@given(st.integers(1, 200), st.sets(st.integers(1, 64), min_size=1))
def test_scores_are_those_of_the_rows_and_only_given_sizes_are_run(
    rows: int, buckets: set[int]
) -> None:
    sizes: list[int] = []

    def run(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        sizes.append(len(tensors["x"]))
        return {"y": tensors["x"].sum(axis=1) * 2, "text": tensors["t"]}

    x = np.arange(rows * 3, dtype=np.float64).reshape(rows, 3)
    text = np.array([str(row) for row in range(rows)], dtype=object)
    found = run_in_buckets(run, {"x": x, "t": text}, sorted(buckets))
    assert found["y"].tolist() == (x.sum(axis=1) * 2).tolist()
    assert found["text"].tolist() == text.tolist()
    assert set(sizes) <= buckets
