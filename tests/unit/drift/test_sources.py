"""Laws of sources: read where they lie, values are those that references are made of."""

from dataclasses import replace
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

from stream_app.core.columns import EventBatch
from stream_app.core.drift import kernels, plain
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.reference import ALL_ELEMENTS, Column, Derived, Origin, Reference, Role
from stream_app.core.drift.sources import NUMBERS, SourceReader
from stream_app.core.drift.watch import read_values
from tests.drift_kit import NOTHING, category, discrete, numeric, small_reference, sources_of

ROWS = 700
INPUT, OUTPUT = Role.INPUT, Role.OUTPUT


def of(column: Column, origin: Origin, name: str) -> Column:
    return replace(column, origin=origin, name=name)


def made(dtype: npt.DTypeLike) -> tuple[Reference, EventBatch, dict[str, np.ndarray]]:
    """Columns of all sorts, and a batch of them; ``dtype``: of one tensor."""
    rng = np.random.default_rng(4)
    spread = rng.normal(50.0, 20.0, 500)
    words = replace(category("words", 0, (0, 1, 2)), bin_of_code=NOTHING)
    probable = numeric("p", 0, rng.random(500))
    columns = (
        of(numeric("n", 0, spread), Origin(INPUT, "x", 1, feature=0), "second"),
        of(discrete("d", 0, (49.0, 50.0, 51.0)), Origin(INPUT, "x", 0, feature=1), "few"),
        of(category("c", 0, (1, 0, 2, 2)), Origin(INPUT, "codes", 0, feature=2), "codes"),
        of(words, Origin(INPUT, "words", 0, feature=3), "words"),
        of(
            numeric("mean", 0, spread),
            Origin(INPUT, "long", ALL_ELEMENTS, first=2, span=20, feature=4),
            "mean",
        ),
        of(probable, Origin(OUTPUT, "y", 2), "third"),
        of(probable, Origin(OUTPUT, "y", 0, span=3, derived=Derived.ENTROPY), "entropy"),
        of(probable, Origin(OUTPUT, "y", 0, span=3, derived=Derived.GREATEST), "greatest"),
    )
    kinds = np.where(rng.random((ROWS, 5)) < 0.01, rng.integers(1, 6, (ROWS, 5)), 0)
    tensors = {
        "x": rng.normal(50.0, 30.0, (ROWS, 2)).astype(dtype),
        "codes": rng.integers(0, 4, (ROWS, 1)).astype(np.uint8),
        "words": rng.choice(["name 0", "name 1", "?"], (ROWS, 1)).astype(object),
        "long": rng.normal(50.0, 90.0, (ROWS, 11, 2)).astype(np.float32),
    }
    tensors["long"][5, 3] = np.inf
    events = replace(
        EventBatch.undecoded(np.zeros(ROWS, dtype=np.uint16), {}),
        tensors=tensors,
        kinds=kinds.astype(np.uint8),
        event_time_ms=np.zeros(ROWS, dtype=np.int64),
    )
    outputs = {"y": rng.dirichlet([1.0, 1.0, 1.0], ROWS).astype(np.float32)}
    outputs["y"][7] = np.nan, np.inf, -np.inf
    reference = replace(small_reference(), columns=columns, correlated=(0,), scores=None)
    return reference, events, outputs


@pytest.mark.parametrize("way", [kernels, plain], ids=["compiled", "plain"])
@pytest.mark.parametrize("dtype", [*NUMBERS, np.float16, np.int32, ">f4"])
@pytest.mark.parametrize("step", [1, 3])
def test_a_value_has_the_cell_that_it_has_in_a_matrix_of_all(
    step: int, dtype: npt.DTypeLike, way: ModuleType
) -> None:
    reference, events, outputs = made(dtype)
    tables, rows = Layout(reference).tables, np.arange(0, ROWS, step)
    outputs = {name: tensor[rows] for name, tensor in outputs.items()}
    with np.errstate(invalid="ignore"):
        values = read_values([c.origin for c in reference.columns], events, rows, outputs)
        found = SourceReader(reference.columns).read(events, rows, outputs)
    cells = []
    for sources in (found, sources_of(values, reference)):
        shape = len(reference.columns), len(rows)
        places, units = np.full(shape, -1, dtype=np.int16), np.full(shape, -1, dtype=np.int32)
        for each in sources:
            edges, room = tables.edges_for(each.tensor.dtype)
            way.find_cells(each.tensor, each.kinds, each.which, edges, room, tables, places, units)
        cells.append((places, units))
    np.testing.assert_array_equal(cells[0][0], cells[1][0])
    np.testing.assert_array_equal(cells[0][1], cells[1][1])
    assert cells[0][0].min() >= 0


def test_numbers_that_kernels_know_are_not_copied() -> None:
    reference, events, outputs = made(np.float32)
    found = SourceReader(reference.columns).read(events, np.arange(ROWS), outputs)
    assert any(np.shares_memory(each.tensor, events.tensors["x"]) for each in found)
