"""The verdict, seen to fail: every kind of fault planted once in a log that was good before."""

import ast
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.verify import (
    Content,
    Finding,
    Isolation,
    Outcome,
    Promise,
    Report,
    judge,
)
from tests.verify_kit import dead_letter, found, logs, prediction, source

PACKAGE = Path(__file__).parents[2] / "stream_app"
MAY_IMPORT = {"errors", "resources", "settings", "verify", "adapters.kafka.admin"}

Plant = Callable[[list[Outcome]], None]


INPUTS = [
    source(0, [0, 1, 2, 4, 5, 6, 9], committed=10),  # gaps: markers of transactions
    source(1, range(5), committed=5),
    source(2, [], committed=0),
]


def good() -> list[Outcome]:
    return [
        *(prediction(0, offset) for offset in (0, 1, 4, 5, 6)),
        *(prediction(1, offset) for offset in range(4)),
        dead_letter(0, 2),
        dead_letter(0, 9, "BAD_MAGIC"),
        dead_letter(1, 4),
    ]


def verdict(plant: Plant | None = None) -> Report:
    outcomes = good()
    if plant is not None:
        plant(outcomes)
    return judge(INPUTS, logs(outcomes))


def test_a_good_log_has_no_findings() -> None:
    report = verdict()
    assert report.ok
    assert (report.events, report.predictions) == (12, 9)
    assert report.dead_letters == {"TOO_SHORT": 2, "BAD_MAGIC": 1}
    assert found(report) == {}


def lose(outcomes: list[Outcome]) -> None:
    outcomes.remove(prediction(0, 4))


def lose_a_dead_letter(outcomes: list[Outcome]) -> None:
    outcomes.remove(dead_letter(1, 4))


def lose_the_last_of_two(outcomes: list[Outcome]) -> None:
    outcomes.remove(dead_letter(0, 9, "BAD_MAGIC"))
    outcomes.remove(prediction(0, 0))


def repeat(outcomes: list[Outcome]) -> None:
    outcomes.append(prediction(1, 3))


def repeat_as_the_other_kind(outcomes: list[Outcome]) -> None:
    outcomes.append(dead_letter(1, 0))


def repeat_in_another_partition(outcomes: list[Outcome]) -> None:
    outcomes.append(replace(prediction(1, 0), partition=0))


def swap(outcomes: list[Outcome]) -> None:
    first, second = outcomes.index(prediction(0, 4)), outcomes.index(prediction(0, 5))
    outcomes[first], outcomes[second] = outcomes[second], outcomes[first]


def answer_a_gap(outcomes: list[Outcome]) -> None:
    outcomes.append(prediction(0, 3))


def answer_another_partition(outcomes: list[Outcome]) -> None:
    outcomes.append(replace(prediction(7, 0), partition=0))


def answer_nothing_readable(outcomes: list[Outcome]) -> None:
    outcomes.append(replace(prediction(-1, -1), partition=0))


def answer_past_the_end(outcomes: list[Outcome]) -> None:
    outcomes.append(dead_letter(2, 0))


@pytest.mark.parametrize(
    ("plant", "expected", "place"),
    [
        (lose, {"lost": 1}, "input[0]@4"),
        (lose_a_dead_letter, {"lost": 1}, "input[1]@4"),
        (lose_the_last_of_two, {"lost": 2}, "input[0]@0"),
        (repeat, {"duplicated": 1}, "input[1]@3"),
        (repeat_as_the_other_kind, {"duplicated": 1, "reordered": 1}, "input[1]@0"),
        (repeat_in_another_partition, {"duplicated": 1}, "input[1]@0"),
        (swap, {"reordered": 1}, "out[0]@3 (input[0]@4)"),
        (answer_a_gap, {"foreign": 1, "reordered": 1}, "out[0]@5 (input[0]@3)"),
        (answer_another_partition, {"foreign": 1}, "out[0]@5 (input[7]@0)"),
        (answer_nothing_readable, {"foreign": 1}, "out[0]@5 (no readable source)"),
        (answer_past_the_end, {"foreign": 1, "torn": 0}, "out.dlq[2]@0 (input[2]@0)"),
    ],
)
def test_a_planted_fault_is_found(plant: Plant, expected: dict[str, int], place: str) -> None:
    report = verdict(plant)
    assert found(report) == {name: count for name, count in expected.items() if count}
    assert not report.ok
    assert not report.sound
    assert report.findings[next(iter(expected))].first[0] == place


def test_an_outcome_of_an_uncommitted_event_is_torn() -> None:
    inputs = [source(0, range(4), committed=3)]
    report = judge(inputs, logs(prediction(0, offset) for offset in range(4)))
    assert found(report) == {"torn": 1}
    assert report.torn.first == ("out[0]@3 (input[0]@3)",)
    assert (report.uncommitted, report.sound) == (1, False)


def test_events_not_committed_yet_are_neither_lost_nor_done() -> None:
    inputs = [source(0, range(4), committed=3)]
    report = judge(inputs, logs(prediction(0, offset) for offset in range(3)))
    assert found(report) == {}
    assert (report.uncommitted, report.sound, report.ok) == (1, True, False)


def test_without_committed_offsets_all_input_must_be_answered() -> None:
    inputs = [source(0, range(4))]
    complete = judge(inputs, logs(prediction(0, offset) for offset in range(4)))
    assert complete.ok
    assert found(judge(inputs, logs([prediction(0, 0)]))) == {"lost": 3}


def test_events_without_any_outcome_topic_content_are_lost() -> None:
    assert found(judge([source(0, range(3), committed=3)], [])) == {"lost": 3}


def test_a_cluster_that_goes_on_is_judged_by_what_was_committed_before_and_after() -> None:
    moving = replace(source(0, range(4), committed=2), committed_after=6, end=6)
    report = judge([moving], logs(prediction(0, offset) for offset in range(6)))
    assert found(report) == {}
    assert report.uncommitted == 2
    beyond = judge([moving], logs(prediction(0, offset) for offset in range(8)))
    assert found(beyond) == {"foreign": 2}


def test_records_that_retention_deleted_are_not_judged_and_the_report_says_so() -> None:
    cut = replace(source(0, range(3, 6), committed=6), begin=3)
    report = judge([cut], logs(prediction(0, offset) for offset in range(6)))
    assert report.ok
    assert "begins at offset 3" in report.notes[0]


def test_an_open_transaction_is_a_fault_only_where_it_could_be_seen() -> None:
    (held,) = logs(prediction(0, offset) for offset in range(3))
    inputs, hanging = [source(0, range(3), committed=3)], replace(held, end=held.stable_end + 2)
    assert found(judge(inputs, [hanging])) == {"hanging": 1}
    blind = judge(inputs, [hanging], isolation=Isolation.READ_UNCOMMITTED)
    assert found(blind) == {}
    assert any("uncommitted" in note for note in blind.notes)


def test_at_least_once_forgives_repeats_and_no_loss() -> None:
    def ruled(plant: Plant) -> Report:
        outcomes = good()
        plant(outcomes)
        return judge(INPUTS, logs(outcomes), promise=Promise.AT_LEAST_ONCE)

    assert ruled(repeat).ok
    assert ruled(repeat).duplicated.count == 1
    assert not ruled(lose).ok
    assert not ruled(answer_a_gap).ok


def test_a_report_is_json_with_counts_and_first_places() -> None:
    document = json.loads(json.dumps(verdict(lose).to_json()))
    assert document["lost"] == 1
    assert document["duplicated"] == 0
    assert document["first"] == {"lost": ["input[0]@4"]}
    assert document["dead_letters"] == {"BAD_MAGIC": 1, "TOO_SHORT": 2}
    assert document["ok"] is False
    assert document["content"] is None


CONTRACT_OF_THE_REPORT = {
    "format", "ok", "sound", "promise", "isolation", "events", "predictions", "dead_letters",
    "lost", "deleted_unread", "beyond_end", "duplicated", "reordered", "misplaced", "torn",
    "foreign", "hanging", "wrong_content", "wrong_letter", "wrongly_scored", "wrongly_dead",
    "drift_gaps", "drift_overlaps", "drift_torn", "drift_miscounted", "drift_unreadable",
    "uncommitted", "members", "content", "drift", "first", "notes",
}  # fmt: skip


def test_the_keys_of_a_report_stay_as_long_as_its_format() -> None:
    report = judge(INPUTS, logs(good()), content=Content(1e-5, 9, {"another version": 3}))
    document = json.loads(json.dumps(report.to_json()))
    assert document.keys() == CONTRACT_OF_THE_REPORT
    assert document["format"] == 1
    assert document["content"] == {
        "tolerance": 1e-5,
        "compared": 9,
        "not_compared": {"another version": 3},
    }


SOME = Finding(2, ("out[0]@1",))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("wrong_content", Content(1e-5, 9, wrong_content=SOME)),
        ("wrong_letter", Content(1e-5, 9, wrong_letter=SOME)),
        ("wrongly_scored", Content(1e-5, 9, wrongly_scored=SOME)),
        ("wrongly_dead", Content(1e-5, 9, wrongly_dead=SOME)),
    ],
)
@pytest.mark.parametrize("promise", list(Promise))
def test_wrong_contents_are_faults_under_every_promise(
    name: str, wrong: Content, promise: Promise
) -> None:
    report = judge(INPUTS, logs(good()), promise=promise, content=wrong)
    assert found(report) == {name: 2}
    assert not report.ok


@given(
    present=st.sets(st.integers(0, 30)),
    committed=st.integers(0, 31),
    named=st.lists(st.tuples(st.booleans(), st.integers(0, 35)), max_size=60),
)
def test_counts_agree_with_counting_one_by_one(
    present: set[int], committed: int, named: list[tuple[bool, int]]
) -> None:
    inputs = [source(0, sorted(present), committed=committed)]
    outcomes = [dead_letter(0, n) if dead else prediction(0, n) for dead, n in named]
    report = judge(inputs, logs(outcomes))
    answers = Counter(number for _, number in named)
    assert report.lost.count == sum(n < committed and answers[n] == 0 for n in present)
    assert report.duplicated.count == sum(max(0, answers[n] - 1) for n in present)
    assert report.foreign.count == sum(count for n, count in answers.items() if n not in present)
    assert report.torn.count == sum(
        count for n, count in answers.items() if committed <= n < inputs[0].end
    )
    assert report.uncommitted == sum(n >= committed for n in present)


def imported(path: Path) -> set[str]:
    """Modules of this project that a file imports, without the package's name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {n.removeprefix("stream_app.") for n in names if n.startswith("stream_app")}


def shared(path: Path) -> set[str]:
    """What of ``imported`` the verifier must not know."""
    return {
        name
        for name in imported(path)
        if name not in MAY_IMPORT and not name.startswith(("verify.", "adapters.verifier."))
    }


def test_the_verifier_shares_no_code_with_the_scorer() -> None:
    files = [*PACKAGE.glob("verify/*.py"), *PACKAGE.glob("adapters/verifier/*.py")]
    assert len(files) >= 18
    assert {path.name: shared(path) for path in files if shared(path)} == {}
    assert shared(PACKAGE / "scorer.py"), "the walk finds nothing: it could not fail"
