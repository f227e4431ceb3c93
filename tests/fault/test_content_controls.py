"""Negative controls of the comparison with the model: one outcome wrong in one way, and found.

No cluster and no worker, as in ``test_verifier_controls.py``; beside each is the same without the
fault, which must be right. What cannot be judged must be counted as that, never as right or wrong.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from stream_app.adapters.verifier.check import ContentCheck, EventRecord, OutcomeRecord
from stream_app.verify import Content
from stream_app.verify.compare import TOLERANCE
from stream_app.verify.letters import UNREADABLE_HEADERS, Record
from tests.car_loan import BROKEN, event
from tests.content_kit import (
    BAD,
    BROKEN_RECORD,
    GOOD,
    buried,
    contents,
    found,
    one,
    predicted,
    record,
    settings,
)

pytestmark = pytest.mark.fault("controls", quick=True)


def test_the_contents_without_a_fault_are_right() -> None:
    assert contents(predicted()) == Content(TOLERANCE, 5)
    letter = buried("DECODE_ERROR", BROKEN_RECORD)
    assert contents(letter, BROKEN_RECORD) == Content(TOLERANCE, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": [0.5, 0.5]},
        {"label": 9},
        {"event_id": "test-0000004"},
        {"event_time": None},
        {"model_hash": "0" * 12},
        {"model_name": "another"},
        {"kept": {"key": b"another"}},
        {"kept": {"key": None}},
        {"kept": {"timestamp_ms": 1}},
    ],
)
def test_a_wrong_content_is_found(changes: Mapping[str, Any]) -> None:
    content = contents(predicted(**changes))
    assert (content.compared, content.wrong_content.count) == (5, 1)
    assert content.wrong_content.first[0].startswith("out[0]@3 (input[0]@3): ")


@pytest.mark.parametrize("way", ["cut off", "bytes left over", "an infinite feature", "no id"])
def test_a_prediction_of_a_broken_event_is_found(way: str) -> None:
    of = record(value=BROKEN[way][1](event(3)))
    assert found(contents(predicted(), of)) == {"wrongly_scored": 1}


@pytest.mark.parametrize("code", ["NON_FINITE", "TOMBSTONE", "MODEL_FAILED", "NON_FINITE_OUTPUT"])
def test_a_dead_letter_of_a_good_event_is_found(code: str) -> None:
    assert found(contents(buried(code))) == {"wrongly_dead": 1}


@pytest.mark.parametrize(
    "letter",
    [
        pytest.param({"value": b"?"}, id="another value"),
        pytest.param({"value": None}, id="no value"),
        pytest.param({"value": BAD[:-1] if BAD else None}, id="a value cut without a word"),
        pytest.param({"key": b"?"}, id="another key"),
        pytest.param({"key": None}, id="no key"),
        pytest.param({"own": []}, id="a header lost"),
        pytest.param({"own": [("trace", b"8")]}, id="another header"),
        pytest.param({"own": [("trace", b"7"), ("more", b"")]}, id="a header more"),
        pytest.param({"timestamp_ms": 5}, id="another timestamp"),
        pytest.param({"headers": {"err.timestamp": "5"}}, id="another timestamp told"),
        pytest.param({"headers": {"err.stage": "infer"}}, id="a stage that is not the code's"),
        pytest.param({"headers": {"err.code": "NOTHING"}}, id="a code that is none"),
        pytest.param({"headers": {"err.model": "another"}}, id="another model"),
        pytest.param({"headers": {"err.headers_dropped": "2"}, "own": []}, id="too many dropped"),
        pytest.param(
            {"headers": {"err.truncated": "true", "err.value_length": "9"}, "value": b""},
            id="cut, of another length",
        ),
    ],
)
def test_a_dead_letter_that_is_not_its_record_is_found(letter: Mapping[str, Any]) -> None:
    content = contents(buried("DECODE_ERROR", BROKEN_RECORD, **letter), BROKEN_RECORD)
    assert (content.compared, found(content)) == (5, {"wrong_letter": 1})


@pytest.mark.parametrize("what", ["value", "key"])
def test_a_dead_letter_that_was_cut_is_known_by_length_and_digest(what: str) -> None:
    whole: bytes = getattr(BROKEN_RECORD, what)
    proof = {
        "err.truncated": "true",
        f"err.{what}_length": str(len(whole)),
        f"err.{what}_sha256": hashlib.sha256(whole).hexdigest(),
        "err.headers_dropped": "1",
    }

    def judged(headers: Mapping[str, str], kept: bytes) -> dict[str, int]:
        letter = buried("DECODE_ERROR", BROKEN_RECORD, headers, own=[], **{what: kept})
        return found(contents(letter, BROKEN_RECORD))

    assert judged(proof, whole[:3]) == {}
    assert judged(proof, b"") == {}
    assert judged(proof, b"??") == {"wrong_letter": 1}
    assert judged(proof | {f"err.{what}_sha256": "0" * 64}, whole[:3]) == {"wrong_letter": 1}
    assert judged(proof | {f"err.{what}_length": "1"}, whole[:3]) == {"wrong_letter": 1}
    del proof["err.truncated"]
    assert judged(proof, whole[:3]) == {"wrong_letter": 1}


def test_what_the_product_may_do_to_a_dead_letter_is_not_wrong() -> None:
    def judged(of: Record, **kept: Any) -> dict[str, int]:
        return found(contents(buried("DECODE_ERROR", of, **kept), of))

    replayed = replace(BROKEN_RECORD, headers=[("err.attempt", b"1"), ("trace", b"7")])
    assert judged(replayed, own=[("trace", b"7")], headers={"err.attempt": "2"}) == {}
    told = {"stream_app.timestamp": str(BROKEN_RECORD.timestamp_ms)}
    assert judged(BROKEN_RECORD, headers=told, timestamp_ms=99) == {}
    assert judged(BROKEN_RECORD, timestamp_ms=99, is_brokers_time=True) == {}
    assert judged(replace(BROKEN_RECORD, timestamp_ms=-1), timestamp_ms=99) == {}
    assert judged(replace(BROKEN_RECORD, headers=[UNREADABLE_HEADERS])) == {}
    assert judged(replace(BROKEN_RECORD, key=None)) == {}


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("cut off", "NON_FINITE"),
        ("cut off", "BAD_MAGIC"),
        ("cut off", "TOMBSTONE"),
        ("cut off", "MODEL_FAILED"),
        ("cut off", "ENCODE_ERROR"),
        ("another framing", "UNKNOWN_SCHEMA"),
        ("no id", "DECODE_ERROR"),
        ("an infinite feature", "NON_FINITE_OUTPUT"),
        ("an infinite feature", "TIME_OUT_OF_RANGE"),
    ],
)
def test_a_dead_letter_of_another_cause_is_found(way: str, code: str) -> None:
    of = record(value=BROKEN[way][1](event(3)))
    content = contents(buried(code, of), of, input__max_time_difference_s="1e6")
    assert found(content) == {"wrong_letter": 1}


@pytest.mark.parametrize(("code", "broken"), list(BROKEN.values()), ids=list(BROKEN))
def test_the_right_cause_of_a_broken_event_is_right(code: str, broken: Any) -> None:
    of = replace(record(), value=broken(event(3)))
    assert contents(buried(code, of), of) == Content(TOLERANCE, 5)


def left_out(content: Content, *words: str) -> bool:
    """Whether the one outcome was not compared, for this reason, and nothing else was found."""
    (reason,) = content.not_compared
    assert all(word in reason for word in words), reason
    return (content.compared, content.not_compared[reason], found(content)) == (4, 1, {})


@pytest.mark.parametrize("code", ["UNKNOWN_SCHEMA", "SCHEMA_LIMIT", "ENCODE_ERROR", "TOO_LARGE"])
def test_a_death_that_depends_on_what_there_was_then_is_left_out(code: str) -> None:
    assert left_out(contents(buried(code)), code, "then")
    wrong = contents(buried(code, value=b"?"))
    assert found(wrong) == {"wrong_letter": 1}, "the record itself can be compared"


def test_a_death_over_a_limit_that_was_changed_since_is_not_blamed() -> None:
    size = len(BAD or b"")

    def judged(outcome: OutcomeRecord, limit: int) -> Content:
        return one(outcome, BROKEN_RECORD, input__max_value_bytes=str(limit))

    too_large = buried("TOO_LARGE", BROKEN_RECORD)
    raised = judged(too_large, size)
    assert (raised.compared, sum(raised.not_compared.values()), found(raised)) == (0, 1, {})
    assert judged(too_large, size - 1) == Content(TOLERANCE, 1)
    lowered = judged(buried("DECODE_ERROR", BROKEN_RECORD), size - 1)
    assert (lowered.compared, sum(lowered.not_compared.values()), found(lowered)) == (0, 1, {})


def test_a_time_out_of_range_is_judged_both_ways() -> None:
    def judged(outcome: OutcomeRecord, limit_s: float, of: Record | None = None) -> Content:
        return one(outcome, of, input__max_time_difference_s=str(limit_s))

    letter, near, far = buried("TIME_OUT_OF_RANGE"), 86_399.999, 86_400
    assert judged(letter, near) == Content(TOLERANCE, 1)
    assert found(judged(letter, far)) == {"wrongly_dead": 1}
    assert found(judged(predicted(), near)) == {"wrongly_scored": 1}
    assert found(judged(predicted(), far)) == {}
    ahead = replace(record(), timestamp_ms=record().timestamp_ms - 2 * 86_400_000)
    early = predicted(kept={"timestamp_ms": ahead.timestamp_ms})
    assert found(judged(early, near, ahead)) == {"wrongly_scored": 1}
    assert left_out(contents(letter), "TIME_OUT_OF_RANGE", "then"), "it is not limited any more"
    timeless = replace(record(), timestamp_ms=-1)
    assert found(judged(predicted(), near, timeless)) == {}


class _Deadly(ContentCheck):
    """Dies, as the scorer has, when the model is given the event."""

    def _answers(self, model: Any, events: Sequence[EventRecord]) -> Any:
        assert all(event.position != (0, GOOD) for event in events), "the verifier is dead too"
        return super()._answers(model, events)


def test_an_event_that_killed_its_process_is_not_given_to_the_model() -> None:
    check = _Deadly(settings(), TOLERANCE)
    repeated = [buried("PROCESS_CRASHED"), predicted()]
    check.judge([EventRecord((0, GOOD), record(), repeated)])
    assert check.content().not_compared == {
        "PROCESS_CRASHED: the event may end this process too": 2
    }
    other = _Deadly(settings(), TOLERANCE)
    other.judge([EventRecord((0, GOOD), record(), [buried("PROCESS_CRASHED", value=b"?")])])
    assert found(other.content()) == {"wrong_letter": 1}


def test_a_row_that_died_with_others_and_one_of_another_device_are_left_out() -> None:
    together = buried("MODEL_FAILED", headers={"err.message": "x (dead_letters.bisect_limit): y"})
    assert left_out(contents(together), "MODEL_FAILED", "not told apart")
    for code in ("MODEL_FAILED", "NON_FINITE_OUTPUT"):
        elsewhere = contents(buried(code), model__execution_provider="CUDAExecutionProvider")
        assert left_out(elsewhere, code, "then")


def test_another_version_is_left_out_and_another_model_is_wrong() -> None:
    assert left_out(contents(predicted(model_version="99")), "version '99'")
    old = buried("NON_FINITE", headers={"err.model_version": "99"})
    assert left_out(contents(old), "version '99'")
