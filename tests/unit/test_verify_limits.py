"""Where the verdict must not be yes: records gone unread, another partition, nothing to judge."""

from dataclasses import replace

import pytest

from stream_app.verify import Content, Promise, judge
from tests.verify_kit import found, logs, prediction, source


@pytest.mark.parametrize("promise", list(Promise))
def test_records_deleted_before_they_were_read_are_found(promise: Promise) -> None:
    cut = replace(source(0, [], committed=5), begin=10, stable_end=10, end=10)
    report = judge([cut, source(1, range(3), committed=3)], [], promise=promise)
    assert found(report) == {"lost": 3, "deleted_unread": 5}
    assert report.deleted_unread.first == ("input[0]: committed 5, begins at 10",)
    answered = logs(prediction(1, offset) for offset in range(3))
    one = judge([cut, source(1, range(3), committed=3)], answered, promise=promise)
    assert not one.sound


@pytest.mark.parametrize("promise", list(Promise))
def test_offsets_committed_past_the_end_are_found(promise: Promise) -> None:
    made_anew = source(0, range(3), committed=7)
    report = judge([made_anew], logs(prediction(0, n) for n in range(3)), promise=promise)
    assert found(report) == {"beyond_end": 1}
    assert report.beyond_end.first == ("input[0]: committed 7, ends at 3",)
    assert not report.sound
    since = replace(source(0, range(3), committed=3), committed_after=4)
    assert found(judge([since], logs(prediction(0, n) for n in range(3)))) == {"beyond_end": 1}


def test_an_outcome_in_another_partition_is_found_where_both_topics_have_as_many() -> None:
    inputs = [source(partition, range(2), committed=2) for partition in range(2)]
    right = [prediction(partition, offset) for partition in range(2) for offset in range(2)]
    wrong = [replace(right[0], partition=1), *right[1:]]
    assert judge(inputs, logs(right, 2)).ok
    report = judge(inputs, logs(wrong, 2))
    assert found(report) == {"misplaced": 1}
    assert report.misplaced.first == ("out[1]@0 (input[0]@0)",)
    assert not report.sound
    assert judge(inputs, logs(wrong, 3)).ok, "with another number of partitions it goes by key"


def test_an_empty_input_is_no_success_and_the_report_says_so() -> None:
    report = judge([source(0, [], committed=0)], logs([], 1))
    assert (report.sound, report.ok) == (True, False)
    assert report.notes == (
        "the input holds no record: there was nothing to judge; is it the right one?",
    )


def test_where_contents_were_to_be_compared_and_none_was_there_is_no_success() -> None:
    inputs, answered = [source(0, range(2), committed=2)], logs(prediction(0, n) for n in range(2))
    report = judge(inputs, answered, content=Content(1e-5, 0, {"another version": 2}))
    assert (report.sound, report.blind, report.ok) == (True, True, False)
    assert judge(inputs, answered, content=Content(1e-5, 1, {"another version": 1})).ok
