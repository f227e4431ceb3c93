"""Laws of the file: what is read is what was written, and nothing else is believed."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest

from stream_app.adapters.drift.reference_file import (
    REFERENCE_FILE,
    StoredReference,
    dump_reference,
    find_reference,
    parse_reference,
    read_reference,
    require_reference,
    store,
    write_reference,
)
from stream_app.adapters.model.repository import ModelFiles, ModelRepository
from stream_app.core.drift.reference import Column, Kind, Reference
from stream_app.core.drift.reference_check import check_reference
from stream_app.errors import ConfigError
from stream_app.resources import example_dir, schema_path

MODELS = example_dir("car_loan") / "models"
SCHEMA = json.loads(schema_path("reference").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    return ModelRepository(MODELS).open("car_loan")


@pytest.fixture(scope="module")
def stored(files: ModelFiles) -> StoredReference:
    return require_reference(files)


def record_of(content: bytes) -> dict[str, Any]:
    (record,) = fastavro.reader(io.BytesIO(content))
    assert isinstance(record, dict)
    return record


def content_of(record: dict[str, Any], schema: Any = None, **options: Any) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, schema or SCHEMA, [record], **{"codec": "null", **options})
    return out.getvalue()


def signed(record: dict[str, Any]) -> bytes:
    """A record whose id is right, whatever is in it."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, SCHEMA["fields"][-1]["type"], record["body"])
    return content_of({**record, "id": hashlib.sha256(body.getvalue()).hexdigest()[:16]})


def same(one: object, other: object) -> None:
    for field in fields(one):  # type: ignore[arg-type]  # a dataclass
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "columns":
            for a, b in zip(mine, theirs, strict=True):
                same(a, b)
        elif field.name in {"scores", "calibration", "reference"}:
            same(mine, theirs)
        else:
            np.testing.assert_array_equal(mine, theirs, field.name)


def test_what_is_read_is_what_was_written(stored: StoredReference) -> None:
    content = dump_reference(stored)
    again = parse_reference(content, "x")
    same(again, stored)
    assert dump_reference(again) == content


def test_the_examples_reference_is_whole(stored: StoredReference) -> None:
    reference = stored.reference
    assert check_reference(reference) == []
    assert reference.rows == 20_000
    assert reference.calibration is not None
    assert reference.calibration.kind == "contiguous"
    assert reference.scores is not None
    assert reference.scores.right.sum() / reference.scores.counts.sum() > 0.9
    assert (MODELS / "car_loan" / "1" / REFERENCE_FILE).stat().st_size < 300_000


def test_the_id_is_of_the_content_and_not_of_the_moment(stored: StoredReference) -> None:
    later = store(stored.reference, stored.making, stored.created_ms + 1)
    assert later.id == stored.id
    assert dump_reference(later) != dump_reference(stored)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "rows": lambda body: body.update(rows=body["rows"] + 1),
    "model": lambda body: body.update(model_sha256="0" * 64),
    "fault": lambda body: body["faults"].append({"code": "NON_FINITE", "rows": 1}),
    "count": lambda body: body["columns"][0]["counts"].__setitem__(3, 0),
    "edge": lambda body: body["columns"][0]["edges"].__setitem__(3, 0.0),
    "name": lambda body: body["columns"][1]["names"].__setitem__(0, "other"),
    "moment": lambda body: body["columns"][0]["moments"].update(sd=1.0),
    "score": lambda body: body["scores"]["groups"][0]["counts"].__setitem__(0, 1),
    "threshold": lambda body: body["calibration"]["threshold"].__setitem__(0, 9.0),
    "mean": lambda body: body["calibration"]["tests"][0]["mean"].__setitem__(0, 9.0),
    "sd": lambda body: body["calibration"]["tests"][0]["sd"].__setitem__(0, 9.0),
    "co_sum": lambda body: body["co_sums"].__setitem__(0, 99_999),
    "co_moment": lambda body: body["co_moments"].__setitem__(0, 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_other_content_is_found_by_the_id(
    change: Callable[[dict[str, Any]], object], stored: StoredReference
) -> None:
    record = record_of(dump_reference(stored))
    change(record["body"])
    with pytest.raises(ConfigError, match=r"^x: damaged: the content has the id [0-9a-f]{16}, "):
        parse_reference(content_of(record), "x")


def test_a_flipped_bit_is_found_wherever_it_is(stored: StoredReference) -> None:
    content = dump_reference(stored)
    begin = content.index(stored.id.encode())
    for place in range(begin, len(content) - 16, 997):
        damaged = bytearray(content)
        damaged[place] ^= 4
        found = parsed_or_told(bytes(damaged))
        if isinstance(found, str):
            assert found.startswith("x: ")
        else:
            # The time and the tool are not part of the id.
            assert found.id == stored.id
            same(found.reference, stored.reference)


def parsed_or_told(content: bytes) -> StoredReference | str:
    try:
        return parse_reference(content, "x")
    except ConfigError as exc:
        return str(exc)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x: no Avro container file"),
        (b"Obj\x01nothing", "x: no Avro container file"),
        (b"PK" * 50, "x: no Avro container file"),
    ],
)
def test_what_is_no_container_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_reference(content, "x")


def test_a_file_that_ends_early_is_refused(stored: StoredReference) -> None:
    content = dump_reference(stored)
    for end in (len(content) - 20, len(content) // 2):
        with pytest.raises(ConfigError, match=r"^x: "):
            parse_reference(content[:end], "x")


def test_another_format_is_refused_by_its_number(stored: StoredReference) -> None:
    record = record_of(dump_reference(stored))
    with pytest.raises(ConfigError, match="x: format 2, this stream-app reads 1"):
        parse_reference(content_of({**record, "format": 2}), "x")


def test_another_record_is_refused() -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "format", "type": "int"}]}
    with pytest.raises(ConfigError, match="not a reference as this stream-app writes it"):
        parse_reference(content_of({"format": 1}, schema), "x")
    with pytest.raises(ConfigError, match="expected one record, not compressed"):
        parse_reference(content_of({"format": 1}, schema, codec="deflate"), "x")


def changed(reference: Reference, kind: Kind, **values: Any) -> Reference:
    """The first column of a kind is another."""
    index = next(n for n, column in enumerate(reference.columns) if column.kind is kind)
    columns = list(reference.columns)
    columns[index] = replace(columns[index], **values)
    return replace(reference, columns=tuple(columns))


def first(reference: Reference, kind: Kind) -> Column:
    return next(column for column in reference.columns if column.kind is kind)


def moved(numbers: np.ndarray, place: int, by: float) -> np.ndarray:
    other = numbers.copy()
    other[place] += by
    return other


FAULTS: dict[str, tuple[Callable[[Reference], Reference], str]] = {
    "rows": (lambda r: replace(r, rows=r.rows + 1), "counts of 20000 rows, the reference has"),
    "no columns": (lambda r: replace(r, columns=()), "columns: there are none"),
    "twice": (lambda r: replace(r, columns=(*r.columns, r.columns[-1])), "a name is there twice"),
    "order": (lambda r: replace(r, columns=r.columns[::-1]), "an output comes before an input"),
    "negative": (
        lambda r: changed(r, Kind.NUMERIC, counts=moved(first(r, Kind.NUMERIC).counts, 2, -9_999)),
        "a count is negative",
    ),
    "apart": (
        lambda r: changed(r, Kind.NUMERIC, apart=np.zeros(4, dtype=np.int64)),
        "expected 5 counters apart, found 4",
    ),
    "edges": (
        lambda r: changed(r, Kind.NUMERIC, edges=first(r, Kind.NUMERIC).edges[::-1]),
        "edges do not increase",
    ),
    "NaN edge": (
        lambda r: changed(r, Kind.NUMERIC, edges=moved(first(r, Kind.NUMERIC).edges, 0, np.nan)),
        "edges do not increase",
    ),
    "short": (
        lambda r: changed(r, Kind.NUMERIC, edges=first(r, Kind.NUMERIC).edges[1:]),
        "expected edges, means, groups and moments of 66 bins",
    ),
    "means": (
        lambda r: changed(r, Kind.NUMERIC, means=first(r, Kind.NUMERIC).means[::-1]),
        "means of bins fall",
    ),
    "groups": (
        lambda r: changed(r, Kind.NUMERIC, groups=np.arange(66)),
        "groups: expected neighbours, at most 16",
    ),
    "moments": (
        lambda r: changed(
            r,
            Kind.NUMERIC,
            moments=replace(first(r, Kind.NUMERIC).moments, sd=-1.0),  # type: ignore[type-var]  # it has some
        ),
        "moments: expected",
    ),
    "outside": (
        lambda r: changed(
            r, Kind.NUMERIC, counts=moved(moved(first(r, Kind.NUMERIC).counts, 0, 1), 2, -1)
        ),
        "rows outside of the reference's own range",
    ),
    "values": (
        lambda r: changed(r, Kind.DISCRETE, values=first(r, Kind.DISCRETE).values[::-1]),
        "values do not increase",
    ),
    "bins": (
        lambda r: changed(r, Kind.DISCRETE, values=first(r, Kind.DISCRETE).values[1:]),
        "expected 16 bins and two for the rest, found 19",
    ),
    "surplus": (
        lambda r: changed(r, Kind.CATEGORY, means=np.zeros(1)),
        "a category column has no edges",
    ),
    "names": (
        lambda r: changed(r, Kind.CATEGORY, names=("a",) * 4),
        "names: expected at most 255 different ones",
    ),
    "codes": (
        lambda r: changed(r, Kind.CATEGORY, bin_of_code=np.array([0, 1, 2, 3, 0])),
        "bin_of_code",
    ),
    "correlated": (lambda r: replace(r, correlated=(1,)), "correlated: expected numeric columns"),
    "co_moments": (lambda r: replace(r, co_moments=r.co_moments[1:]), "co_moments: expected 6"),
    "co_sums": (lambda r: replace(r, co_sums=r.co_sums[1:]), "co_sums: expected 3, found 2"),
    "large co_sums": (
        lambda r: replace(r, co_sums=moved(r.co_sums, 1, 9_000 * r.co_rows)),
        "co_sums: more than 2048 a row",
    ),
    "co_rows": (lambda r: replace(r, co_rows=r.rows + 1), "co_rows: expected at most 20000"),
    "classes": (
        lambda r: replace(r, scores=replace(r.scores, classes=3)),  # type: ignore[type-var]  # it has some
        "scores: expected 3 classes by 256 bins",
    ),
    "labels": (
        lambda r: replace(r, scores=replace(r.scores, labels=("a", "a"))),  # type: ignore[type-var]  # it has some
        "two classes have one label",
    ),
    "right": (
        lambda r: replace(r, scores=replace(r.scores, right=r.scores.counts + 1)),  # type: ignore[type-var,union-attr]  # it has some
        "more right answers than rows",
    ),
    "labelled": (
        lambda r: replace(r, scores=replace(r.scores, counts=r.scores.counts * 9)),  # type: ignore[type-var,union-attr]  # it has some
        "more rows than the reference has",
    ),
    "probability": (
        lambda r: replace(r, scores=replace(r.scores, probability=r.scores.probability[:, ::-1])),  # type: ignore[type-var,union-attr]  # it has some
        "probabilities that fall",
    ),
    "tests": (
        lambda r: replace(r, calibration=replace(r.calibration, threshold=np.ones(7))),  # type: ignore[type-var]  # it has some
        "calibration: expected 16 tests by 8 sizes",
    ),
    "sizes": (
        lambda r: replace(r, calibration=replace(r.calibration, sizes=np.full(8, 3))),  # type: ignore[type-var]  # it has some
        "sizes do not increase",
    ),
    "q99": (
        lambda r: replace(r, calibration=replace(r.calibration, q99=r.calibration.q99 * np.nan)),  # type: ignore[type-var,union-attr]  # it has some
        "expected finite numbers, kappa at least 1",
    ),
    "mean": (
        lambda r: replace(r, calibration=replace(r.calibration, mean=-r.calibration.mean)),  # type: ignore[type-var,union-attr]  # it has some
        "mean, sd, threshold or kappa: expected finite",
    ),
    "sd": (
        lambda r: replace(r, calibration=replace(r.calibration, sd=r.calibration.sd[:, :1])),  # type: ignore[type-var,union-attr]  # it has some
        "calibration: expected 16 tests by 8 sizes",
    ),
    "kappa": (
        lambda r: replace(r, calibration=replace(r.calibration, kappa=r.calibration.kappa / 9)),  # type: ignore[type-var,union-attr]  # it has some
        "expected finite numbers, kappa at least 1",
    ),
    "target": (
        lambda r: replace(r, calibration=replace(r.calibration, target=0.0)),  # type: ignore[type-var]  # it has some
        "target or repeats",
    ),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
def test_what_contradicts_itself_is_neither_kept_nor_read(
    change: Callable[[Reference], Reference], message: str, stored: StoredReference
) -> None:
    wrong = change(stored.reference)
    assert any(message in fault for fault in check_reference(wrong)), check_reference(wrong)
    with pytest.raises(ValueError, match="no reference: "):
        store(wrong, stored.making, 0)
    record = record_of(dump_reference(replace(stored, reference=wrong)))
    with pytest.raises(ConfigError, match="make it again") as caught:
        parse_reference(signed(record), "x")
    assert message in str(caught.value)


# -- beside the model ------------------------------------------------------------------------------


def test_an_existing_one_is_replaced_only_when_told(
    stored: StoredReference, tmp_path: Path
) -> None:
    path = write_reference(tmp_path, stored)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="give --force to replace it"):
        write_reference(tmp_path, replace(stored, created_ms=0))
    assert path.read_bytes() == before
    write_reference(tmp_path, replace(stored, created_ms=0), force=True)
    assert read_reference(path).created_ms == 0
    assert [each.name for each in tmp_path.iterdir()] == [REFERENCE_FILE]


def test_a_folder_that_cannot_be_written_is_told(stored: StoredReference, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_reference(tmp_path / "absent", stored)


@pytest.mark.parametrize("what", ["model", "contract"])
def test_the_reference_of_another_model_is_refused(
    what: str, files: ModelFiles, stored: StoredReference, tmp_path: Path
) -> None:
    none = "0" * 64
    making = (
        replace(stored.making, model_sha256=none)
        if what == "model"
        else replace(stored.making, contract_sha256=none)
    )
    write_reference(tmp_path, store(stored.reference, making, 0))
    with pytest.raises(ConfigError, match=f"was made with another {what}"):
        find_reference(replace(files, folder=tmp_path))


def test_a_version_without_one_says_how_to_make_it(files: ModelFiles, tmp_path: Path) -> None:
    empty = replace(files, folder=tmp_path)
    assert find_reference(empty) is None
    with pytest.raises(ConfigError, match="stream-app model reference build car_loan --data FILE"):
        require_reference(empty)
