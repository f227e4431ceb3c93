"""A reference as the Avro record of ``schemas/reference.avsc``, both ways.

Decides only which value stands in which field; what a sound reference is, is
``core/drift/reference_check.py``'s.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stream_app.core.columns import Int64Array
from stream_app.core.drift.reference import (
    Calibration,
    Column,
    Derived,
    Float64Array,
    Kind,
    Moments,
    Origin,
    Reference,
    Role,
    ScoreMap,
    Test,
)

_NONE = "none"
_BY_TEST = ("q99", "mean", "sd", "kappa")
"""Of a calibration: what each test has of its own."""


@dataclass(frozen=True, slots=True)
class Times:
    """The events' own times: the earliest, the latest, and whether none is before the last one."""

    first_ms: int
    last_ms: int
    in_order: bool


@dataclass(frozen=True, slots=True)
class Making:
    """What a reference was made of; part of its id.

    Attributes:
        model_sha256: Of ``model.onnx``, in hex.
        contract_sha256: Of ``contract.toml``, in hex.
        faults: Rows that were read and not scored, by fault code.
        times: ``None``: the data has none.
        sample_rows: Rows that cut the bins.
    """

    model_sha256: str
    contract_sha256: str
    faults: Mapping[str, int]
    times: Times | None
    sample_rows: int


def to_record(reference: Reference, making: Making) -> dict[str, Any]:
    """The ``body`` of the record."""
    scores, calibration = reference.scores, reference.calibration
    return {
        "model_name": reference.model_name,
        "model_version": reference.model_version,
        "model_sha256": making.model_sha256,
        "contract_sha256": making.contract_sha256,
        "rows": reference.rows,
        "faults": [
            {"code": code, "rows": rows} for code, rows in sorted(making.faults.items()) if rows
        ],
        "times": None if making.times is None else asdict(making.times),
        "sample_rows": making.sample_rows,
        "columns": [_column_record(column) for column in reference.columns],
        "correlated": list(reference.correlated),
        "co_moments": reference.co_moments.tolist(),
        "co_sums": reference.co_sums.tolist(),
        "co_rows": reference.co_rows,
        "scores": None if scores is None else _scores_record(scores),
        "calibration": None if calibration is None else _calibration_record(calibration),
    }


def from_record(body: Mapping[str, Any]) -> tuple[Reference, Making]:
    """What a ``body`` says; not checked yet."""
    scores, calibration = body["scores"], body["calibration"]
    reference = Reference(
        model_name=body["model_name"],
        model_version=body["model_version"],
        rows=body["rows"],
        columns=tuple(_column(each) for each in body["columns"]),
        correlated=tuple(body["correlated"]),
        co_moments=_ints(body["co_moments"]),
        co_sums=_ints(body["co_sums"]),
        co_rows=body["co_rows"],
        scores=None if scores is None else _scores(scores),
        calibration=None if calibration is None else _calibration(calibration),
    )
    making = Making(
        model_sha256=body["model_sha256"],
        contract_sha256=body["contract_sha256"],
        faults={each["code"]: each["rows"] for each in body["faults"]},
        times=None if body["times"] is None else Times(**body["times"]),
        sample_rows=body["sample_rows"],
    )
    return reference, making


def _column_record(column: Column) -> dict[str, Any]:
    origin = column.origin
    return {
        "name": column.name,
        "origin": {
            "role": origin.role.value,
            "tensor": origin.tensor,
            "element": origin.element,
            "first": origin.first,
            "span": origin.span,
            "feature": origin.feature,
            "derived": origin.derived.value or _NONE,
        },
        "kind": column.kind.value,
        "counts": column.counts.tolist(),
        "apart": column.apart.tolist(),
        "edges": column.edges.tolist(),
        "means": column.means.tolist(),
        "groups": column.groups.tolist(),
        "moments": None if column.moments is None else asdict(column.moments),
        "values": column.values.tolist(),
        "names": list(column.names),
        "bin_of_code": column.bin_of_code.tolist(),
    }


def _column(record: Mapping[str, Any]) -> Column:
    origin, moments = record["origin"], record["moments"]
    derived = origin["derived"]
    return Column(
        name=record["name"],
        origin=Origin(
            role=Role(origin["role"]),
            tensor=origin["tensor"],
            element=origin["element"],
            first=origin["first"],
            span=origin["span"],
            feature=origin["feature"],
            derived=Derived.NONE if derived == _NONE else Derived(derived),
        ),
        kind=Kind(record["kind"]),
        counts=_ints(record["counts"]),
        apart=_ints(record["apart"]),
        edges=_reals(record["edges"]),
        means=_reals(record["means"]),
        groups=_ints(record["groups"]),
        moments=None if moments is None else Moments(**moments),
        values=_reals(record["values"]),
        names=tuple(record["names"]),
        bin_of_code=_ints(record["bin_of_code"]),
    )


def _scores_record(scores: ScoreMap) -> dict[str, Any]:
    parts = (scores.counts.tolist(), scores.right.tolist(), scores.probability.tolist())
    return {
        "tensor": scores.tensor,
        "classes": scores.classes,
        "labels": list(scores.labels),
        "groups": [
            {"counts": counts, "right": right, "probability": probability}
            for counts, right, probability in zip(*parts, strict=True)
        ],
    }


def _scores(record: Mapping[str, Any]) -> ScoreMap:
    groups = record["groups"]
    return ScoreMap(
        tensor=record["tensor"],
        classes=record["classes"],
        labels=tuple(record["labels"]),
        probability=_reals([group["probability"] for group in groups]),
        counts=_ints([group["counts"] for group in groups]),
        right=_ints([group["right"] for group in groups]),
    )


def _calibration_record(calibration: Calibration) -> dict[str, Any]:
    numbers = {name: getattr(calibration, name).tolist() for name in _BY_TEST}
    return {
        "tests": [
            {
                "column": test.column,
                "statistic": test.statistic,
                **{name: of_all[at] for name, of_all in numbers.items()},
            }
            for at, test in enumerate(calibration.tests)
        ],
        "sizes": calibration.sizes.tolist(),
        "threshold": calibration.threshold.tolist(),
        "target": calibration.target,
        "repeats": calibration.repeats,
        "kind": calibration.kind,
    }


def _calibration(record: Mapping[str, Any]) -> Calibration:
    tests, sizes = record["tests"], _ints(record["sizes"])

    def by_size(name: str) -> Float64Array:
        numbers = _reals([test[name] for test in tests])
        return numbers.reshape(len(tests), -1 if tests else len(sizes))

    return Calibration(
        tests=tuple(Test(test["column"], test["statistic"]) for test in tests),
        sizes=sizes,
        q99=by_size("q99"),
        mean=by_size("mean"),
        sd=by_size("sd"),
        threshold=_reals(record["threshold"]),
        kappa=_reals([test["kappa"] for test in tests]),
        target=record["target"],
        repeats=record["repeats"],
        kind=record["kind"],
    )


def _ints(numbers: Any) -> Int64Array:
    return np.array(numbers, dtype=np.int64)


def _reals(numbers: Any) -> Float64Array:
    return np.array(numbers, dtype=np.float64)
