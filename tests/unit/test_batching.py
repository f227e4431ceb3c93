"""Laws of batching: never past its limits, at once when drained, smaller when the model is slow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.batching import BatchBound, CommitPace, Due, OpenUnit, TransactionPolicy
from stream_app.core.breaker import Breaker, BreakerLimits

POLICY = TransactionPolicy(max_time_s=0.1, max_records=100)


def due(
    policy: TransactionPolicy,
    unit: OpenUnit,
    now_s: float,
    *,
    drained: bool = False,
    pace: CommitPace | None = None,
) -> Due | None:
    return policy.due(unit, drained=drained, last_commit=pace or CommitPace(), now_s=now_s)


def test_under_load_a_transaction_ends_by_time_or_by_size() -> None:
    assert due(POLICY, OpenUnit(1.0, 99), 1.09) is None
    assert due(POLICY, OpenUnit(1.0, 100), 1.0) is Due.SIZE
    assert due(POLICY, OpenUnit(1.0, 1), 1.11) is Due.TIME


def test_a_drained_input_is_committed_at_once_but_not_without_a_gap() -> None:
    pace = CommitPace().after(0.99, 1.0)
    unit = OpenUnit(1.0, 1)
    assert due(POLICY, unit, 1.019, drained=True, pace=pace) is None
    assert due(POLICY, unit, 1.021, drained=True, pace=pace) is Due.DRAINED
    assert POLICY.wait_s(unit, pace, 1.0) > 0
    assert POLICY.wait_s(unit, pace, 1.05) == 0


def test_slow_commits_widen_the_gap_up_to_the_time_limit() -> None:
    pace = CommitPace().after(0.0, 1.0)
    unit = OpenUnit(1.0, 1)
    assert due(POLICY, unit, 1.05, drained=True, pace=pace) is None
    assert due(POLICY, unit, 1.1, drained=True, pace=pace) is Due.TIME
    assert POLICY.wait_s(unit, pace, 1.05) <= 0.0501


def test_where_outcomes_are_visible_at_once_only_time_and_size_end_a_unit() -> None:
    policy = TransactionPolicy(max_time_s=0.1, max_records=100, target_s=0.05, reveals=False)
    unit = OpenUnit(1.0, 1, age_s=0.049)
    assert due(policy, unit, 1.09, drained=True) is None
    assert policy.wait_s(unit, CommitPace(), 1.09) == pytest.approx(0.01)
    assert due(policy, unit, 1.11, drained=True) is Due.TIME
    assert due(policy, OpenUnit(1.0, 100), 1.0) is Due.SIZE


TARGET = TransactionPolicy(max_time_s=0.1, max_records=100, target_s=0.05)


def test_with_a_target_a_transaction_ends_in_time_for_its_oldest_record() -> None:
    pace = CommitPace().after(0.0, 0.004)
    young = OpenUnit(1.0, 5, age_s=0.01)
    assert due(TARGET, young, 1.031, pace=pace) is None
    assert due(TARGET, young, 1.0321, pace=pace) is Due.TARGET
    assert due(POLICY, young, 1.0321, pace=pace) is None, "without a target"


def test_a_backlog_older_than_the_target_is_worked_off_in_full_transactions() -> None:
    old = OpenUnit(1.0, 5, age_s=3600.0)
    assert due(TARGET, old, 1.09) is None
    assert due(TARGET, old, 1.11) is Due.TIME
    assert due(TARGET, OpenUnit(1.0, 5), 1.09) is None, "records without times"


def test_a_target_never_makes_commits_all_that_is_done() -> None:
    pace = CommitPace().after(0.9, 1.0)
    assert due(TARGET, OpenUnit(1.0, 5, age_s=0.049), 1.0, pace=pace) is None


@given(
    st.floats(0.001, 1), st.integers(1, 1_000), st.floats(0, 2), st.floats(0, 3),
    st.floats(0, 2), st.floats(0, 1), st.booleans(),
)  # fmt: skip
def test_whoever_waits_until_told_is_due_then(
    time_s: float, most: int, target_s: float, age_s: float,
    later_s: float, commit_s: float, drained: bool,
) -> None:  # fmt: skip
    policy = TransactionPolicy(time_s, most, target_s)
    pace = CommitPace().after(1.0 - commit_s, 1.0)
    unit = OpenUnit(1.0, 1, age_s)
    now_s = 1.0 + later_s
    now_s += policy.wait_s(unit, pace, now_s) + 1e-9
    assert due(policy, unit, now_s, drained=True, pace=pace) is not None
    if drained:
        assert due(policy, unit, 1.0 + time_s + 1e-9, pace=pace) is not None


@given(
    st.integers(1, 2_000),
    st.lists(st.tuples(st.integers(0, 2_000), st.floats(0, 100)), max_size=50),
)
def test_the_bound_stays_between_one_and_the_setting(
    most: int, measured: list[tuple[int, float]]
) -> None:
    bound = BatchBound.starting(most, 2.0)
    for rows, seconds in measured:
        bound = bound.after(rows, seconds)
        assert 1 <= bound.records <= most


def test_a_model_that_turns_slow_shrinks_the_next_batch_into_the_budget() -> None:
    bound = BatchBound.starting(512, 2.0, 0.00001)
    assert bound.records == 512
    slow = bound.after(512, 512 * 0.1)
    assert slow.records * 0.1 <= 2.0


def test_a_model_that_turns_fast_doubles_the_batch_at_most() -> None:
    bound = BatchBound.starting(512, 2.0, 1.0)
    assert bound.records == 2
    assert bound.after(2, 0.00001).records <= 4


def test_the_breaker_opens_on_a_run_or_on_a_share_and_not_before() -> None:
    breaker = Breaker(BreakerLimits(share=0.5, records=100, run=30))
    assert breaker.record(50, 20, 5) is None
    assert breaker.record(40, 20, 20) is None
    assert breaker.record(10, 9, 9) is None, "49 of 100 is below the share"
    assert breaker.record(10, 10, 10) is not None, "59 of 110"
    run = Breaker(BreakerLimits(share=1.0, records=1_000, run=30))
    assert run.record(20, 20, 20) is None
    assert "30" in (run.record(10, 10, 10) or "")


def test_one_good_record_ends_a_run() -> None:
    breaker = Breaker(BreakerLimits(share=1.0, records=1_000, run=30))
    for _ in range(20):
        assert breaker.record(20, 19, 10) is None
