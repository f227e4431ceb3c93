"""Laws of batching: never past its limits, at once when drained, smaller when the model is slow."""

from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.batching import BatchBound, CommitPace, TransactionPolicy
from stream_app.core.breaker import Breaker, BreakerLimits

POLICY = TransactionPolicy(max_time_s=0.1, max_records=100)


def test_under_load_a_transaction_ends_by_time_or_by_size() -> None:
    pace = CommitPace()
    assert not POLICY.is_due(1.0, 99, drained=False, last_commit=pace, now_s=1.09)
    assert POLICY.is_due(1.0, 100, drained=False, last_commit=pace, now_s=1.0)
    assert POLICY.is_due(1.0, 1, drained=False, last_commit=pace, now_s=1.11)


def test_a_drained_input_is_committed_at_once_but_not_without_a_gap() -> None:
    pace = CommitPace().after(0.99, 1.0)
    assert not POLICY.is_due(1.0, 1, drained=True, last_commit=pace, now_s=1.019)
    assert POLICY.is_due(1.0, 1, drained=True, last_commit=pace, now_s=1.021)
    assert POLICY.wait_s(1.0, pace, 1.0) > 0
    assert POLICY.wait_s(1.0, pace, 1.05) == 0


def test_slow_commits_widen_the_gap_up_to_the_time_limit() -> None:
    pace = CommitPace().after(0.0, 1.0)
    assert not POLICY.is_due(1.0, 1, drained=True, last_commit=pace, now_s=1.05)
    assert POLICY.is_due(1.0, 1, drained=True, last_commit=pace, now_s=1.1)
    assert POLICY.wait_s(1.0, pace, 1.05) <= 0.0501


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
