"""A seeded stream of twelve columns that depend on each other, without drift or with a step of it.

Decides what "any data" means where rates of false alarms are measured: smooth, skewed, heavy-tailed
columns, one with many zeros, one of counts, one with nulls, and four of categories.
"""

import numpy as np
from numpy.random import Generator

from stream_app.core.drift.reference import Float64Array
from tests.drift_claims.rows import Field, Rows

CATEGORIES = {8: 2, 9: 5, 10: 12, 11: 40}
FIELDS = tuple(
    Field(f"c{at}", tuple(f"v{code}" for code in range(CATEGORIES[at])))
    if at in CATEGORIES
    else Field(f"x{at}")
    for at in range(12)
)


def mixed(generator: Generator, rows: int, step_sd: float = 0.0) -> Rows:
    """So many rows.

    Args:
        generator: Of all that is drawn.
        rows: How many.
        step_sd: By how many standard deviations the first column, which is normal, is moved.
    """
    common = generator.normal(size=(rows, 1))
    values: Float64Array = 0.6 * common + 0.8 * generator.normal(size=(rows, len(FIELDS)))
    values[:, 0] += step_sd
    values[:, 3] = np.exp(values[:, 3])
    values[:, 4] = np.maximum(values[:, 4], 0.0)
    values[:, 5] = generator.poisson(np.exp(0.5 * values[:, 5]))
    values[:, 6] **= 3
    values[generator.random(rows) < 0.1, 7] = np.nan
    for at, known in CATEGORIES.items():
        values[:, at] = np.floor(np.abs(values[:, at]) * known / 3).clip(0, known - 1)
    return Rows(FIELDS, values)
