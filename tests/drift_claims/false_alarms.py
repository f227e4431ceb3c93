"""How many windows have drift where there is none, and where all of them have it.

Decides on which data, and that no window has a row of its reference. One window in a hundred is
aimed at. A reference is a sample with luck of its own, which all of its windows share: so there are
several wherever a stream can be drawn, or cut, more than once.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from stream_app.core.drift.calibrate import REPEATS
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.watch import Values
from tests.drift_claims.car_loan import car_loan
from tests.drift_claims.claims import Claim, Say
from tests.drift_claims.mixed import mixed
from tests.drift_claims.rows import Rows, is_loud, joined, reference_of, reports

LEAST, MOST = 0.003, 0.025
"""Of windows without drift, where one in a hundred is aimed at."""
DRIFTED = 0.99
"""At least, of windows of the drifted half, from this many rows on:"""
DRIFTED_ROWS = 1_000

FOLDS = 5
_MIXED_SIZES = (300, 1_000, 5_000)
_CALIBRATED = (300, 1_000, 3_000, 10_000)
"""As the product has it from its first size that matters here; 5,000 lies between two."""


class Counted(NamedTuple):
    """Windows, and those of them that have drift."""

    windows: int
    found: int


def loud(layout: Layout, values: Values, size: int) -> Counted:
    """Of windows of so many rows."""
    found = [is_loud(report) for report in reports(layout, values, size)]
    return Counted(len(found), sum(found))


def of_the_example() -> Iterator[Claim]:
    """The committed stream against the committed reference, scored by the model.

    Its quiet windows are too few to promise that some of them are loud.
    """
    layout, quiet, drifted = car_loan()
    m, name = layout.reference.rows, "car loan, the example's stream"
    for size in (30, 100):
        yield Claim(name, size, m, *loud(layout, quiet, size), 0.0, MOST)
    yield Claim(
        f"{name}, drifted", DRIFTED_ROWS, m, *loud(layout, drifted, DRIFTED_ROWS), DRIFTED, 1.0
    )


def of_all_loans(quiet: Rows, drifted: Rows, say: Say) -> Iterator[Claim]:
    """The whole data set, each fifth of its undrifted rows in turn the reference of the others.

    Args:
        quiet: Rows without drift, in order of time.
        drifted: Rows with it.
        say: Is told what is tried.
    """
    name, size = "car loan, each fifth against the others", len(quiet) // FOLDS
    folds = [quiet.part(at * size, (at + 1) * size) for at in range(FOLDS)]
    found: dict[int, list[Counted]] = {30: [], 100: []}
    seen: list[Counted] = []
    for at, own in enumerate(folds):
        say(f"{name}: {at + 1} of {FOLDS}")
        layout = reference_of(own, in_time_order=True, sizes=(30, 100, 300, 1_000))
        others = joined([fold for fold in folds if fold is not own]).values()
        for rows, counted in found.items():
            counted.append(loud(layout, others, rows))
        seen.append(loud(layout, drifted.values(), DRIFTED_ROWS))
    for rows, counted in found.items():
        yield Claim(name, rows, size, *_all(counted), LEAST, MOST)
    yield Claim(f"{name}, drifted", DRIFTED_ROWS, size, *_all(seen), DRIFTED, 1.0)


def of_mixed(
    reference_rows: int, references: int, windows: int, say: Say, repeats: int = REPEATS
) -> Iterator[Claim]:
    """Twelve columns that depend on each other, as many as are asked for.

    Args:
        reference_rows: Of each reference.
        references: How many.
        windows: Of each size and reference.
        say: Is told what is tried.
        repeats: See :func:`~tests.drift_claims.rows.reference_of`.
    """
    found: dict[int, list[Counted]] = {size: [] for size in _MIXED_SIZES}
    for seed in range(references):
        say(f"mixed columns against {reference_rows:,} rows: {seed + 1} of {references}")
        generator = np.random.default_rng((reference_rows, seed))
        own = mixed(generator, reference_rows)
        layout = reference_of(own, in_time_order=True, sizes=_CALIBRATED, repeats=repeats)
        for size, counted in found.items():
            counted.append(loud(layout, mixed(generator, size * windows).values(), size))
    for size, counted in found.items():
        yield Claim("twelve mixed columns", size, reference_rows, *_all(counted), LEAST, MOST)


def _all(counted: Iterable[Counted]) -> Counted:
    windows, found = zip(*counted, strict=True)
    return Counted(sum(windows), sum(found))
