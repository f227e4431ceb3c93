"""The fuzzer's short tier, its long one, and the proof that it would find something.

The laws: nothing that comes from outside crashes, hangs or eats memory, and every record ends in
exactly one outcome.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.core.avro.canonical import canonical_form
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.store import WriterSchema
from stream_app.core.avro.wire import Walk, WireError
from stream_app.core.contract import Feature, OnNull
from tests.avro_kit import MemoryStore, batch, confluent, contract_of, schemas_with_values
from tests.decoders import Maker, each_decoder
from tests.hostile import fuzz as fuzzer
from tests.hostile import oracle
from tests.hostile.fuzz import Place, fuzz
from tests.hostile.mutate import VARINTS, Spans, damaged
from tests.hostile.planted import DEFECTS, Planted
from tests.hostile.targets import SHARES, TARGETS
from tests.hostile.the_path import ThePath

ROOT = Path(__file__).parents[2]
SHORT_CASES = 12_000
LONG_CASES = 1_300_000
"""Of which over a million are records, read by both decoders."""
LONG_S = 3_600


@st.composite
def hostile_values(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """A schema, and values of it before and after damage."""
    text, value = draw(schemas_with_values())
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(json.loads(text)), value)
    whole = buffer.getvalue()
    bad = [damaged(Random(draw(st.integers())), Spans(bytearray(whole)), ()) for _ in range(3)]
    at = draw(st.integers(0, len(whole)))
    attack = whole[:at] + draw(st.sampled_from(VARINTS)) + whole[at:]
    return text, [whole, *bad, attack]


@settings(max_examples=300)
@given(hostile_values())
def test_what_the_strict_reader_accepts_is_what_the_specification_says(
    drawn: tuple[str, list[bytes]],
) -> None:
    text, values = drawn
    tree = admit(text)
    if isinstance(tree, Rejection):
        return
    walk, library = Walk(tree), fastavro.parse_schema(json.loads(canonical_form(tree)))
    for data in values:
        expected: Any
        try:
            expected = oracle.read(json.loads(text), data)
        except oracle.NotAValueError:
            with pytest.raises(WireError):
                walk.check(data, 0)
            continue
        walk.check(data, 0)
        assert repr(fastavro.schemaless_reader(BytesIO(data), library, None)) == repr(expected)


@each_decoder
@settings(max_examples=100)
@given(drawn=hostile_values())
def test_every_record_has_one_outcome_whatever_its_schema_and_bytes(
    make: Maker, drawn: tuple[str, list[bytes]]
) -> None:
    """The law is held against every batch in ``ThePath``."""
    text, values = drawn
    document = json.loads(text)
    document["fields"].insert(0, {"name": "id", "type": "string"})
    contract = contract_of(Feature("f0", on_null=OnNull.NAN), record_names=())
    path = ThePath(make, contract, MemoryStore({1: WriterSchema(json.dumps(document))}))
    assert len(path.outcomes(batch([confluent(1, b"\x02a" + v) for v in values])).codes) == 5


@pytest.mark.parametrize("name", TARGETS)
def test_no_target_has_a_finding_in_the_short_tier(name: str) -> None:
    target, cases, number = TARGETS[name](), 0, 0
    while cases < SHORT_CASES * SHARES[name]:
        _, count, finding = fuzz(target, Place(name, 0, number))
        assert finding is None, finding
        cases, number = cases + count, number + 1


def test_the_shares_are_of_all_targets_and_make_a_whole() -> None:
    assert SHARES.keys() == TARGETS.keys()
    assert sum(SHARES.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", TARGETS)
def test_a_batch_follows_from_its_place_alone(name: str) -> None:
    """Else a reproducer would reproduce nothing."""
    one, other = (TARGETS[name]().cases(Place(name, 3, 5).chance()) for _ in range(2))
    assert repr(list(one)) == repr(list(other))


def run_fuzzer(*arguments: object, timeout_s: float = 250) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.hostile.fuzz", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=timeout_s,
        check=False,
    )


def planted_place(name: str) -> Place:
    """The first batch with the defect in it."""
    places = (Place(name, 1, number) for number in range(100))
    return next(p for p in places if 7 in Planted(name, None).cases(p.chance()))


@pytest.mark.parametrize(
    ("name", "what", "case"),
    [
        ("planted-exception", "an exception", 4),
        ("planted-slowness", "0.", 4),
        ("planted-loss", "cases without an outcome", -1),
    ],
)
def test_a_planted_defect_is_found(
    name: str, what: str, case: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzer, "MAX_CASE_S", 0.2)
    place = planted_place(name)
    _, _, finding = fuzz(Planted(name, DEFECTS[name]), place)
    assert finding is not None
    assert (finding.place, finding.case) == (place, case)
    assert finding.what.startswith(what)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("planted-hang", "the process died (1)"),
        ("planted-memory", "an exception"),
        ("planted-death", "the process died (-11)"),
    ],
)
def test_what_only_an_own_process_survives_leaves_a_reproducer(
    name: str, what: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    hang_s = 3 if name == "planted-hang" else 120
    ran = run_fuzzer("--target", name, "--cases", 1_000, "--report", report, "--hang-s", hang_s)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    reproducer = tmp_path / "report-finding.json"
    finding = json.loads(reproducer.read_text("utf-8"))
    assert finding["what"] == what, finding
    assert finding == json.loads(report.read_text("utf-8"))["finding"]
    assert f"--replay {reproducer}" in ran.stdout
    assert Place(**finding["place"]) == planted_place(name)


def test_a_reproducer_brings_the_finding_back_until_it_is_mended(tmp_path: Path) -> None:
    place = planted_place("planted-exception")
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"place": asdict(place), "case": 4}), "utf-8")
    assert fuzzer.main(["--replay", str(bad)]) == 1
    mended = {"place": asdict(place), "case": 3}
    bad.write_text(json.dumps(mended), "utf-8")
    assert fuzzer.main(["--replay", str(bad)]) == 0


def test_a_run_without_findings_has_a_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = run_fuzzer("--cases", 400, "--seed", 9, "--target", "manifests", "--report", report)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(report.read_text("utf-8"))
    assert told["finding"] is None
    assert told["seed"] == 9
    tally = told["targets"]["manifests"]
    assert sum(tally["outcomes"].values()) == tally["cases"] >= 400


@pytest.mark.fault("fuzz")
@pytest.mark.timeout(LONG_S)
def test_a_million_hostile_cases(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    seed = request.config.getoption("--seed") or 1
    report = tmp_path / "fuzz.json"
    ran = run_fuzzer("--cases", LONG_CASES, "--seed", seed, "--report", report, timeout_s=LONG_S)
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-20_000:]
    told = json.loads(report.read_text("utf-8"))
    assert sum(tally["cases"] for tally in told["targets"].values()) >= LONG_CASES
    print(ran.stdout)  # noqa: T201 - shown with -s, and kept by the report
