"""Laws of the loop, on a scripted cluster: whatever happens, each position has one outcome."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_app.errors import FatalError, RetriableError
from tests.fakes import FakeSink, FakeSource, Step
from tests.loop_bench import ALL, bench


def test_each_position_has_one_outcome_in_a_quiet_world() -> None:
    quiet = bench([Step("assign", ALL)])
    quiet.run()
    assert quiet.cluster.repeated_or_lost() == []
    assert quiet.echo.committed_records == 120
    assert quiet.source.closed
    assert quiet.sink.closed


def test_a_unit_holds_several_batches() -> None:
    quiet = bench([Step("assign", ALL)])
    quiet.run()
    assert quiet.sink.committed < 120 / 7


def test_a_revoked_partition_is_committed_before_it_goes() -> None:
    case = bench(
        [Step("assign", ALL), None, Step("revoke", (0, 1, 2), others=5)], told_in_the_end=True
    )
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.aborted == 0


def test_a_lost_partition_is_undone_never_committed() -> None:
    case = bench([Step("assign", ALL), None, Step("lost", ALL, others=5)])
    case.source.open(case.loop)
    case.loop.turn()
    case.loop.turn()
    tried = case.sink.commits_tried
    case.loop.turn()
    assert case.sink.commits_tried == tried
    assert case.sink.aborted == 1


def test_a_zombie_commits_nothing() -> None:
    case = bench(
        [Step("assign", ALL), None, Step("zombie", (0,), others=9), None, None],
        told_in_the_end=True,
    )
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.aborted >= 1


def test_a_member_without_id_commits_nothing() -> None:
    case = bench(
        [Step("assign", ALL), None, Step("expelled"), None, None, None], told_in_the_end=True
    )
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.aborted >= 1


def test_a_member_that_was_replaced_meanwhile_commits_nothing_of_before() -> None:
    case = bench([Step("assign", ALL), None, Step("replaced", ALL, others=9)], told_in_the_end=True)
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.aborted >= 1


@pytest.mark.parametrize("fault", ["fenced", "away"])
def test_a_unit_that_cannot_begin_costs_no_record(fault: str) -> None:
    case = bench([Step("assign", ALL)], begin_faults=["", fault, "", fault])
    case.run()
    assert case.cluster.repeated_or_lost() == []


def test_an_aborted_first_unit_is_read_again_from_its_begin() -> None:
    case = bench([Step("assign", ALL)], faults=["", "", "abort"])
    case.run()
    assert case.cluster.repeated_or_lost() == []


def test_an_unclear_commit_that_went_in_is_not_repeated() -> None:
    case = bench([Step("assign", ALL)], faults=["fenced-after"] * 9)
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.rebuilds >= 1


def test_a_batch_that_the_world_hinders_comes_again() -> None:
    case = bench([Step("assign", ALL)], troubles=[False, True, False, True, True])
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.aborted == 0


def test_a_rewind_that_fails_is_tried_again_and_nothing_counts_meanwhile() -> None:
    case = bench([Step("assign", ALL)], faults=["", "abort"])
    case.source.rewind_failures = 3
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.source.rewind_failures == 0


def test_a_refused_output_becomes_a_dead_letter_in_the_same_unit() -> None:
    case = bench([Step("assign", ALL)])
    case.sink.refuse = {(0, 3), (2, 39)}
    case.run()
    assert sorted(case.sink.letters) == [(0, 3), (2, 39)]
    assert sorted(case.cluster.outcomes) == [(p, o) for p in ALL for o in range(40)]


def test_records_wait_for_a_state_that_is_not_restored() -> None:
    case = bench([Step("assign", ALL)])
    case.echo.not_yet_restored = 3
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert set(case.echo.restored) == set(ALL)


def test_state_that_was_thrown_away_is_restored_before_records_count_again() -> None:
    case = bench([Step("assign", ALL)], faults=["", "abort"])
    case.echo.has_state = True
    case.run()
    assert case.sink.aborted == 1
    assert case.echo.restored == [*ALL, *ALL]
    assert case.cluster.repeated_or_lost() == []


def test_a_processor_concludes_each_unit_once_before_it_is_committed() -> None:
    case = bench([Step("assign", ALL)], faults=["", "", "", "abort"])
    case.run()
    assert case.echo.concluded == case.sink.commits_tried > 3


def test_a_processor_that_is_full_is_committed_before_time_and_size_are() -> None:
    case = bench([Step("assign", ALL)])
    case.echo.full_at = 7
    case.run()
    assert case.sink.committed >= 120 / 7
    assert case.cluster.repeated_or_lost() == []


def test_of_quiet_partitions_a_unit_without_records_speaks() -> None:
    case = bench([Step("assign", ALL)])
    case.source.open(case.loop)
    while not case.cluster.drained:
        case.loop.turn()
    before = dict(case.cluster.committed)
    committed = case.sink.committed
    case.echo.tells_quiet_of = {0, 2}
    case.loop.turn()
    case.loop.turn()
    assert case.sink.committed == committed + 1
    assert case.cluster.committed == before
    assert case.cluster.repeated_or_lost() == []


def test_a_zombie_does_not_speak_of_quiet_partitions() -> None:
    case = bench([Step("assign", ALL)])
    case.source.open(case.loop)
    while not case.cluster.drained:
        case.loop.turn()
    committed, case.echo.tells_quiet_of = case.sink.committed, {0}
    case.cluster.owned.clear()
    for _ in range(5):
        case.loop.turn()
    assert case.sink.commits_tried > committed == case.sink.committed
    assert case.sink.aborted >= 1


def test_what_somebody_can_mend_without_a_restart_is_waited_for() -> None:
    case = bench([Step("assign", ALL)])
    case.sink.missing = 15
    case.run()
    assert case.sink.missing == 0
    assert case.sink.aborted >= 15
    assert case.cluster.repeated_or_lost() == []


def test_aborts_without_end_for_a_reason_that_does_not_heal_end_the_loop() -> None:
    case = bench([Step("assign", ALL)])
    case.sink.denied = True
    with pytest.raises(FatalError, match=r"aborted \d+ times in 3\d s"):
        case.run()
    assert case.cluster.outcomes == []


@pytest.mark.parametrize("side", [FakeSink, FakeSource])
def test_a_side_that_does_not_open_is_asked_again_after_a_pause(
    side: type[FakeSink] | type[FakeSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("stream_app.patience.time.sleep", pauses.append)
    right: Callable[..., None] = side.open
    refusals = [RetriableError("not now")] * 3

    def reluctant(*given: object) -> None:
        if refusals:
            raise refusals.pop()
        right(*given)

    monkeypatch.setattr(side, "open", reluctant)
    it = bench([Step("assign", ALL)])
    it.run()
    assert it.cluster.drained
    assert pauses == [0.2, 0.4, 0.8]


def test_a_member_that_no_partition_is_for_is_ready_without_a_word_from_the_group() -> None:
    spare = bench([None])
    assert not spare.loop._health.assignment_seen
    spare.source._generation = 1
    spare.loop._connect(lambda: False)
    spare.loop.turn()
    assert spare.loop._health.assignment_seen


def test_a_member_whose_partitions_are_lost_is_ready_again_once_it_has_joined_anew() -> None:
    # As when all brokers are away and nothing is open that would wait for them.
    case = bench([Step("assign", ALL), None, None, None])
    seen = []

    def turn() -> None:
        case.loop.turn()
        seen.append(case.loop._health.assignment_seen)

    case.loop._connect(lambda: False)
    turn()
    case.loop.lost(sorted(ALL))
    turn()
    case.source._generation += 1
    case.source._member_id = "member-again"
    turn()
    assert seen == [True, False, True]


def test_new_credentials_are_taken_between_two_units() -> None:
    case = bench([Step("assign", ALL)], files=["", "new", "new", "newer"])
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert (case.sink.renewals, case.source.renewals) == (2, 2)
    assert case.sink.aborted == 0, "what was open is committed, not undone"


def test_credentials_that_nobody_accepts_change_nothing() -> None:
    case = bench([Step("assign", ALL)], files=["", "bad"])
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert (case.sink.renewals, case.source.renewals) == (0, 0)


def test_a_consumer_that_cannot_be_made_anew_is_tried_again() -> None:
    case = bench([Step("assign", ALL)], files=["", "new"])
    case.source.renewal_failures = 3
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.source.renewals == 4


@pytest.mark.parametrize("failures", [0, 3])
def test_a_client_that_is_over_is_made_anew_and_its_unit_is_undone(failures: int) -> None:
    case = bench([Step("assign", ALL), None, Step("over", others=5)])
    case.source.renewal_failures = failures
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.aborted >= 1
    assert (case.sink.renewals, case.source.renewals) == (0, 1 + failures)


def test_what_was_read_before_a_place_is_chosen_anew_is_committed_first() -> None:
    case = bench([Step("assign", ALL), None, Step("unplaced", ALL)])
    case.run()
    assert case.cluster.repeated_or_lost() == []
    assert case.sink.aborted == 0


STEPS = st.builds(
    Step,
    kind=st.sampled_from(
        ["assign", "revoke", "lost", "zombie", "expelled", "replaced", "over", "unplaced"]
    ),
    partitions=st.sets(st.sampled_from(ALL), min_size=1).map(lambda s: tuple(sorted(s))),
    others=st.integers(0, 12),
    mid_fetch=st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(
    script=st.lists(st.one_of(st.none(), STEPS), max_size=25),
    faults=st.lists(st.sampled_from(["", "", "", "abort", "fenced", "fenced-after"]), max_size=30),
    troubles=st.lists(st.booleans(), max_size=10),
    begin_faults=st.lists(st.sampled_from(["", "", "fenced", "away"]), max_size=10),
    rewind_failures=st.integers(0, 3),
    files=st.lists(st.sampled_from(["", "", "", "one", "two", "bad"]), max_size=30),
    renewal_failures=st.integers(0, 2),
)
@example(
    # The commit in a revocation is fenced, and the same fetch brings rows of another partition.
    script=[Step("assign", (0, 1)), None, None, None, Step("revoke", (0,))],
    faults=["", "fenced"],
    troubles=[],
    begin_faults=["fenced"],
    rewind_failures=2,
    files=[],
    renewal_failures=0,
)
def test_each_position_has_one_outcome_whatever_happens(
    script: list[Step | None],
    faults: list[str],
    troubles: list[bool],
    begin_faults: list[str],
    rewind_failures: int,
    files: list[str],
    renewal_failures: int,
) -> None:
    case = bench(
        script, faults, troubles, begin_faults=begin_faults, files=files, told_in_the_end=True
    )
    case.source.rewind_failures = rewind_failures
    case.source.renewal_failures = renewal_failures
    case.run()
    assert case.cluster.drained, "the loop stopped making progress"
    assert case.cluster.repeated_or_lost() == []
    assert case.echo.committed_records <= 120


def test_the_law_can_fail() -> None:
    case = bench([Step("assign", ALL)])
    case.run()
    case.cluster.outcomes.append((0, 7))
    assert case.cluster.repeated_or_lost() != []
    case.cluster.outcomes = case.cluster.outcomes[1:-1]
    assert case.cluster.repeated_or_lost() != []
