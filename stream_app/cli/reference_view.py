"""A reference in words and numbers: the lines of a table, and what JSON has of it.

Decides what of it a person wants to see; prints nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np

from stream_app.adapters.drift.reference_file import StoredReference
from stream_app.adapters.drift.reference_record import Times
from stream_app.core.drift.reference import Apart, Column, Kind, Reference
from stream_app.core.drift.significance import limits, threshold
from stream_app.core.drift.statistics.names import Statistic

WINDOW_SIZES = (100, 1_000, 10_000)
_SHORT = {
    Statistic.JENSEN_SHANNON: "Jensen-Shannon distance",
    Statistic.JENSEN_SHANNON_16: "Jensen-Shannon distance",
    Statistic.WASSERSTEIN: "Wasserstein, in sd",
    Statistic.CORRELATION: "change of a correlation",
}
_FEW_ROWS = 10_000
_TOP = 3


def summary(stored: StoredReference) -> tuple[list[str], list[str]]:
    """What to say of it as a whole, and what to warn of."""
    reference, making = stored.reference, stored.making
    lines = [
        f"reference {stored.id} of {reference.model_name} version {reference.model_version}: "
        f"{reference.rows:,} rows, made {_moment(stored.created_ms)} by {stored.created_by}",
        _times_line(making.times),
    ]
    warnings = []
    if making.faults:
        told = ", ".join(f"{code} {rows:,}" for code, rows in making.faults.items())
        lines.append(f"not scored, and not in it: {told}")
    if making.sample_rows < reference.rows:
        lines.append(f"bins were cut by {making.sample_rows:,} of the rows; all were counted")
    if reference.scores is not None:
        counts, right = int(reference.scores.counts.sum()), int(reference.scores.right.sum())
        lines.append(f"{counts:,} rows have a label; {right / max(1, counts):.2%} were right")
    if reference.rows < _FEW_ROWS:
        warnings.append(
            f"{reference.rows:,} rows are few: windows of more rows than that can hardly be judged"
        )
    if making.times is not None and not making.times.in_order:
        warnings.append(
            "the rows are not in order of time, so how much neighbours resemble each other is not "
            "known; sort the data by time"
        )
    empty = [column.name for column in reference.columns if not column.valid]
    if empty:
        warnings.append(f"no value at all in {', '.join(empty)}: nothing there can be compared")
    constant = [each.name for each in reference.columns if each.moments and not each.moments.sd]
    if constant:
        warnings.append(f"constant: {', '.join(constant)}; there any other value is drift")
    return lines, warnings


def column_rows(
    reference: Reference,
) -> tuple[Sequence[str], list[Sequence[object]], Sequence[str]]:
    """A table of the columns: its head, its rows, and which of its columns are numbers."""
    head = ("column", "kind", "bins", "missing", "mean", "sd", "least", "greatest", "most frequent")
    rows = [_row(column, reference.rows) for column in reference.columns]
    return head, rows, ("bins", "missing", "mean", "sd", "least", "greatest")


def threshold_rows(
    reference: Reference,
) -> tuple[Sequence[str], list[Sequence[object]], Sequence[str]]:
    """A table of what a statistic must reach to alert, in windows of some sizes; empty without."""
    sizes = [f"n = {size:,}" for size in WINDOW_SIZES]
    head = ("column", "statistic", *sizes, "kappa")
    calibration = reference.calibration
    if calibration is None:
        return head, [], ()
    reached = alerting_values(reference, WINDOW_SIZES)
    rows: list[Sequence[object]] = []
    for test, values, kappa in zip(calibration.tests, reached, calibration.kappa, strict=True):
        name = reference.columns[test.column].name if test.column >= 0 else "(all numeric)"
        rows.append((name, _SHORT[Statistic(test.statistic)], *map(_four, values), f"{kappa:.2f}"))
    return head, rows, (*sizes, "kappa")


def alerting_values(reference: Reference, sizes: Sequence[int]) -> list[list[float]]:
    """Of each calibrated test, the statistic at which a window of each size has drift.

    Windows are taken to have as many gaps as the reference.
    """
    calibration = reference.calibration
    if calibration is None:
        return []
    valid = [
        reference.columns[test.column].valid if test.column >= 0 else reference.co_rows
        for test in calibration.tests
    ]
    of = np.array(valid, dtype=np.int64)
    found = []
    for size in sizes:
        rows = np.maximum(of * size // reference.rows, 1)
        least = limits(calibration, rows, of, reference.rows)
        found.append(least * threshold(calibration, size))
    return [list(map(float, values)) for values in np.stack(found, axis=1)]


def described(stored: StoredReference) -> dict[str, object]:
    """What JSON has of it: everything but the co-moments and the scores' bins."""
    reference, making = stored.reference, stored.making
    return {
        "id": stored.id,
        "created_at": _moment(stored.created_ms),
        "created_by": stored.created_by,
        "model": {
            "name": reference.model_name,
            "version": reference.model_version,
            "sha256": making.model_sha256,
        },
        "rows": reference.rows,
        "faults": dict(making.faults),
        "times": None if making.times is None else asdict(making.times),
        "sample_rows": making.sample_rows,
        "columns": [_column(column) for column in reference.columns],
        "calibration": _calibration(reference),
        "correlated": [reference.columns[index].name for index in reference.correlated],
    }


def _four(number: float) -> str | None:
    return None if np.isnan(number) else f"{number:.4f}"


def missing_share(column: Column, rows: int) -> float:
    """The part of rows in which the column is null, or no finite number."""
    return int(column.apart[: Apart.CLIPPED].sum()) / rows


def top_names(column: Column) -> list[tuple[str, int]]:
    """Names, or numbers, and their rows, the most frequent first."""
    names = column.names if column.kind is Kind.CATEGORY else [f"{v:g}" for v in column.values]
    rest = ["(other)", "(unseen)"]
    counted = zip([*names, *rest], column.counts.tolist(), strict=True)
    return sorted((each for each in counted if each[1]), key=lambda each: -each[1])


def _row(column: Column, rows: int) -> Sequence[object]:
    missing = f"{missing_share(column, rows):.1%}"
    head = (column.name, column.kind.value, column.bins, missing)
    moments = column.moments
    if moments is not None:
        numbers = (moments.mean, moments.sd, moments.least, moments.greatest)
        return (*head, *(f"{number:.6g}" for number in numbers), "")
    if not column.valid:
        return (*head, None, None, None, None, "")
    names = top_names(column)
    told = ", ".join(f"{name} {count / column.valid:.0%}" for name, count in names[:_TOP])
    more = len(names) - _TOP
    return (*head, None, None, None, None, told + (f" and {more} more" if more > 0 else ""))


def _column(column: Column) -> dict[str, object]:
    found: dict[str, object] = {
        "name": column.name,
        "role": column.origin.role.value,
        "kind": column.kind.value,
        "valid": column.valid,
        "apart": {place.name.lower(): int(column.apart[place]) for place in Apart},
        "counts": column.counts.tolist(),
    }
    if column.moments is not None:
        moments: Mapping[str, float] = asdict(column.moments)
        return {**found, **moments, "edges": column.edges.tolist(), "means": column.means.tolist()}
    if column.kind is Kind.DISCRETE:
        return {**found, "values": column.values.tolist()}
    return {**found, "names": list(column.names)}


def _calibration(reference: Reference) -> dict[str, object] | None:
    calibration = reference.calibration
    if calibration is None:
        return None
    reached = alerting_values(reference, calibration.sizes.tolist())
    names = [reference.columns[t.column].name if t.column >= 0 else None for t in calibration.tests]
    parts = (calibration.tests, names, reached, calibration.kappa.tolist())
    return {
        "kind": calibration.kind,
        "target": calibration.target,
        "repeats": calibration.repeats,
        "sizes": calibration.sizes.tolist(),
        "tests": [
            {
                "column": name,
                "statistic": test.statistic,
                "kappa": kappa,
                "alerts_from": [None if np.isnan(value) else value for value in values],
            }
            for test, name, values, kappa in zip(*parts, strict=True)
        ],
    }


def _times_line(times: Times | None) -> str:
    if times is None:
        return "its rows have no times: their order is taken to mean nothing"
    order = "in order" if times.in_order else "not in order"
    return f"events from {_moment(times.first_ms)} to {_moment(times.last_ms)}, {order}"


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
