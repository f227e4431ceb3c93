"""Laws of the table of peers: who may have a figure, what it says of the others, where it goes."""

import dataclasses
import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from stream_app.adapters.local_kafka.pins import KAFKA_VERSION
from stream_app.bench.options import Contender
from stream_app.errors import UsageError
from tests.bench.peers import byhand
from tests.bench.peers.__main__ import DOCUMENT
from tests.bench.peers.catalogue import NATIVE, PEERS, PUBLIC, Claim, Peer, Runtime, choose, turns
from tests.bench.peers.homes import HERE, JAVA_PROJECT, MissingPeerError
from tests.bench.peers.judging import Columns, faults, origins, repeated
from tests.bench.peers.orders import PeerOrder
from tests.bench.peers.programs import commands
from tests.bench.peers.readback import number_of
from tests.bench.peers.standings import Report, Run, Standing, State
from tests.bench.peers.table import BEGIN, END, MissingMarksError, insert, table

BY_NAME = {peer.name: peer for peer in PEERS}


def columns(numbers: list[int]) -> Columns:
    """Events of these numbers, each with the score, time and place that it has."""
    number = np.array(numbers, dtype=np.int64)
    return Columns(
        number,
        (number / 10).astype(np.float32),
        origins([(n + 1_000, n % 4, n // 4) for n in numbers]),
    )


EXPECTED = columns(list(range(8)))


@pytest.mark.parametrize("claim", Claim)
def test_each_prediction_once_in_any_order_is_right_for_everybody(claim: Claim) -> None:
    assert faults(EXPECTED, columns([5, 4, 7, 6, 0, 3, 2, 1]), claim) == []


@pytest.mark.parametrize("claim", Claim)
def test_a_lost_event_is_a_fault_of_everybody(claim: Claim) -> None:
    assert faults(EXPECTED, columns([0, 1, 2, 3, 4, 5, 6]), claim) == [
        "1 events without a prediction"
    ]


def test_a_run_that_left_nothing_has_lost_everything() -> None:
    assert faults(EXPECTED, columns([]), Claim.NOT_SAFE) == ["8 events without a prediction"]


def test_a_repetition_is_a_fault_of_exactly_once_alone() -> None:
    found = columns([*range(8), 3, 3])
    assert faults(EXPECTED, found, Claim.EXACTLY_ONCE) == ["1 events with more than one prediction"]
    assert faults(EXPECTED, found, Claim.AT_LEAST_ONCE) == []
    assert repeated(found) == 2


@pytest.mark.parametrize("stranger", [-1, 8])
def test_a_prediction_of_no_event_is_found(stranger: int) -> None:
    told = faults(EXPECTED, columns([*range(8), stranger]), Claim.AT_LEAST_ONCE)
    assert told == ["1 predictions of events that there are not"]


@pytest.mark.parametrize(("by", "wrong"), [(9e-6, False), (2e-5, True), (np.nan, True)])
def test_a_score_may_differ_by_rounding_only(by: float, wrong: bool) -> None:
    found = columns(list(range(8)))
    found.score[2] += by
    told = faults(EXPECTED, found, Claim.EXACTLY_ONCE)
    assert bool(told) == wrong
    assert all(line.startswith("1 scores are wrong") for line in told)


@pytest.mark.parametrize("column", range(3))
def test_a_prediction_that_names_another_origin_is_found(column: int) -> None:
    found = columns(list(range(8)))
    found.origin[6, column] += 1
    told = faults(EXPECTED, found, Claim.EXACTLY_ONCE)
    assert told == ["1 predictions name another time, partition or offset"]


@pytest.mark.parametrize(
    ("event_id", "number"),
    [("reading-00000000012", 12), ("reading-", -1), ("reading-1x", -1), ("00000000012", -1)],
)
def test_an_event_is_known_by_its_id(event_id: str, number: int) -> None:
    assert number_of(event_id) == number


def standing(name: str, *per_second: int) -> Standing:
    runs = [Run(1_000, 1_000 / each, 0.002) for each in per_second]
    return Standing(BY_NAME[name], runs)


def report(*standings: Standing) -> Report:
    return Report(
        date="2026-01-02T03:04:05+00:00",
        kafka="a cluster",
        records=1_000,
        rounds=3,
        settings={"batch.max_records": 512},
        machine={"processor": "a processor", "cores": 2, "system": "Linux 6"},
        versions={"python": "3"},
        pinned=True,
        standings=standings,
    )


def cells(made: str, name: str) -> list[str]:
    (line,) = [line for line in made.splitlines() if line.startswith(f"| `{name}` ")]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_a_ratio_is_of_medians() -> None:
    native, public = standing(NATIVE, 900, 1_000, 5_000), standing(PUBLIC, 500, 400, 500)
    faust = standing("faust", 4, 5, 100)
    told = report(native, public, faust)
    assert told.ratio(faust, NATIVE) == pytest.approx(0.005)
    assert told.ratio(faust, PUBLIC) == pytest.approx(0.01)
    assert cells(table(told), NATIVE)[5:7] == ["2.00 x", "1.00 x"]
    assert cells(table(told), "faust")[5:7] == ["0.01 x", "0.005 x"]


def test_without_the_other_there_is_no_ratio() -> None:
    assert cells(table(report(standing("faust", 4))), "faust")[5:7] == ["-", "-"]


@pytest.mark.parametrize("state", [State.FAILED, State.SKIPPED])
def test_who_was_dropped_has_his_reason_and_no_figure(state: State) -> None:
    dropped = standing("faust", 4, 5)
    dropped.drop(state, "a reason | of\ntwo lines")
    told = report(standing(NATIVE, 900), dropped)
    row = cells(table(told), "faust")
    assert row[3:] == [f"{state}: a reason \\| of two lines", *["-"] * 4]
    peers = told.to_json()["peers"]
    assert isinstance(peers, dict)
    assert "records_per_second" not in peers["faust"]
    assert told.ratio(dropped, NATIVE) is None


def test_only_a_failure_fails_the_table() -> None:
    skipped, failed = standing("faust"), standing("bytewax", 5)
    skipped.drop(State.SKIPPED, "no network")
    assert report(skipped).ok
    failed.drop(State.FAILED, "lost some")
    assert not report(skipped, failed).ok


def test_what_a_peer_told_is_in_the_json() -> None:
    answer = {"records": 900, "seconds": 3.0, "cpu_seconds": 1.8, "warm_records": 600}
    run = Run.of(answer | {"warm_seconds": 1.5, "versions": {"a": "1"}})
    told = report(Standing(BY_NAME["java-direct"], [run])).to_json()
    document = json.loads(json.dumps(told))["peers"]["java-direct"]
    assert document["records_per_second"] == {"median": 300, "least": 300, "greatest": 300}
    assert document["warm_records_per_second"]["median"] == 400
    assert document["cpu_us_per_record"]["median"] == 2_000
    assert document["claim"] == "exactly once"


def test_the_table_says_what_it_was_measured_on() -> None:
    measured = standing("faust", 4)
    measured.versions = {"faust-streaming": "0.1"}
    made = table(report(measured))
    for words in ("2026-01-02", "a processor", "a cluster", "faust: faust-streaming 0.1"):
        assert words in made


def test_every_row_of_the_table_has_every_column() -> None:
    dropped = standing("bytewax")
    dropped.drop(State.FAILED, "it")
    rows = [
        line for line in table(report(standing("faust", 4), dropped)).splitlines() if "|" in line
    ]
    assert len({len(re.split(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert len(rows) == 4


def test_the_table_replaces_what_stood_between_its_marks() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = insert(text, "new")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert insert(once, "new") == once


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_document_without_the_marks_is_left_alone(text: str) -> None:
    with pytest.raises(MissingMarksError):
        insert(text, "new")


def test_the_document_has_the_marks() -> None:
    assert "new table" in insert(DOCUMENT.read_text(encoding="utf-8"), "new table")


def test_names_begin_with_what_is_asked_for() -> None:
    assert [peer.name for peer in choose(["stream-app", "faust"])] == [NATIVE, PUBLIC, "faust"]
    assert [peer.name for peer in choose(["kafka-streams-buffered"])] == ["kafka-streams-buffered"]
    assert choose([]) == PEERS
    with pytest.raises(UsageError, match="nobody"):
        choose(["nobody"])


def test_everybody_runs_once_a_round_and_another_begins_each() -> None:
    chosen = choose(["quix", "faust"])
    order = turns(chosen, 3)
    for number in range(3):
        assert {peer for n, peer in order if n == number} == set(chosen)
    assert len({next(peer.name for n, peer in order if n == number) for number in range(3)}) == 3


def test_both_sides_of_an_order_know_the_same_words() -> None:
    words = [field.name for field in dataclasses.fields(PeerOrder)]
    assert [field.name for field in dataclasses.fields(byhand.Order)] == words
    source = (JAVA_PROJECT / "io/streamapp/peers/Order.java").read_text(encoding="utf-8")
    body = source.split("record Order(", 1)[1].split(") {", 1)[0]
    assert [line.split()[-1] for line in body.split(",\n")] == words


def program_of(peer: Peer) -> Path:
    if peer.runtime is Runtime.PYTHON:
        return HERE / peer.program / "run.py"
    return JAVA_PROJECT / "io/streamapp/peers" / f"{peer.program}.java"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_has_its_program(peer: Peer) -> None:
    if peer.runtime is Runtime.BENCH:
        assert peer.program in set(Contender)
    else:
        assert program_of(peer).is_file()


def test_java_clients_are_of_the_brokers_version() -> None:
    project = (JAVA_PROJECT / "pom.xml").read_text(encoding="utf-8")
    assert f"<kafka.version>{KAFKA_VERSION}</kafka.version>" in project


def test_every_java_dependency_and_plugin_has_an_exact_version() -> None:
    project = (JAVA_PROJECT / "pom.xml").read_text(encoding="utf-8")
    parts = re.findall(r"<(?:dependency|plugin)>.*?</(?:dependency|plugin)>", project, re.DOTALL)
    assert len(parts) > 8
    exact = re.compile(r"<version>(?:\d+(?:\.\d+)+|\$\{kafka\.version\})</version>")
    given = {"jackson-databind"}  # by the list of versions that is imported
    loose = [part for part in parts if not exact.search(part)]
    assert {name for part in loose for name in re.findall(r"<artifactId>(.*?)<", part)} == given


def test_who_cannot_be_made_is_missing_with_his_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, say: object) -> Path:
        if name == "faust":
            raise MissingPeerError("no network")
        return Path(sys.executable)

    monkeypatch.setattr("tests.bench.peers.programs.python_home", fail)
    heard: list[str] = []
    ready, missing = commands(choose(["faust", "bytewax", "plain-loop"]), heard.append)
    assert missing == {"faust": "no network"}
    assert list(ready) == ["bytewax"]
    assert heard == ["without faust: no network"]


def test_foreign_libraries_are_unknown_to_the_gates_of_types_alone() -> None:
    """Nothing else in the repository may import what only a peer's venv has."""
    root = HERE.parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project["project"]["optional-dependencies"].pop("monitor")  # Faust, which the monitor runs on
    stated = str(project["project"]) + str(project["dependency-groups"])
    assert not re.search(r"quixstreams|bytewax|faust", stated)
