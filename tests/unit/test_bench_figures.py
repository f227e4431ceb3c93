"""Laws of the bench's figures: what one run says, and what several say together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.bench.figures import OTHER, Figures, Latencies, Latency, Result, Spread


def run(seconds: float = 2.0, records: int = 1_000, **changed: object) -> Figures:
    answer: dict[str, object] = {
        "predictions": records - 10,
        "dead_letters": 10,
        "seconds": seconds,
        "cpu_s": 3.0,
        "thread_cpu_s": 1.5,
        "steps": {"fetch": 0.5, "score": 1.0, "encode": 0.0},
        "batches": 4,
        "commits": 2,
        "aborts": 0,
        "peak_rss_bytes": 1_000,
        "of_a_later_version": 1,
    }
    return Figures.of(answer | changed)


def test_a_run_counts_outcomes_of_both_kinds() -> None:
    assert run().records == 1_000
    assert run().per_second == 500
    assert run().us_per_record(3.0) == pytest.approx(3_000)


def test_what_no_step_took_is_the_rest() -> None:
    assert run().steps == {"fetch": 0.5, "score": 1.0, OTHER: 0.5}


def test_steps_that_overlap_leave_no_negative_rest() -> None:
    found = run(steps={"fetch": 1.5, "score": 1.0})
    assert found.steps[OTHER] == 0.0


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=9))
def test_a_median_lies_within_its_range(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread.least <= spread.median <= spread.greatest
    assert {spread.least, spread.greatest} <= set(values)


@given(st.lists(st.floats(0.5, 50.0), min_size=1, max_size=5))
def test_shares_of_all_steps_are_the_whole(seconds: list[float]) -> None:
    result = Result(
        tuple(run(each, steps={"fetch": each / 3, "commit": each / 5}) for each in seconds)
    )
    assert sum(result.shares().values()) == pytest.approx(1.0)
    assert result.shares()["fetch"] == pytest.approx(1 / 3)


def test_one_slow_run_of_three_moves_the_range_and_not_the_median() -> None:
    result = Result((run(2.0), run(2.1), run(20.0)))
    assert result.per_second.median == pytest.approx(1_000 / 2.1)
    assert result.per_second.least == pytest.approx(50)


def test_a_commit_costs_its_share_of_all_commits() -> None:
    result = Result((run(steps={"commit": 0.4}, commits=8),))
    assert result.commit_s == pytest.approx(0.05)


def test_a_run_without_a_commit_divides_by_nothing() -> None:
    assert Result((run(commits=0),)).commit_s == 0.0


def test_what_was_never_answered_is_told() -> None:
    latency = Latency(100.0, 5, (0.001, 0.002, 0.004))
    assert latency.unanswered == 2
    assert latency.at(0.5) == 0.002
    assert latency.at(1.0) == 0.004
    assert Latency(100.0, 5, ()).at(0.5) is None


def test_latencies_are_the_median_of_the_runs_percentiles() -> None:
    slow, fast, usual = ((s, 2 * s) for s in (0.03, 0.01, 0.02))
    runs = tuple(Latency(100.0, 2, seen) for seen in (slow, fast, usual))
    assert Latencies(runs).at(1.0) == Spread(0.04, 0.02, 0.06)
    blind = Latencies((*runs, Latency(100.0, 2, ())))
    assert blind.at(1.0) is None
    assert (blind.sent, blind.unanswered) == (8, 2)
