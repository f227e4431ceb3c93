"""Laws of the aggregator in the loop: what it tells is of each partial once, whatever happens."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.aggregator_state import PartitionStates
from stream_app.aggregator_waits import Pending
from stream_app.core.drift.aggregate_state import POSITION_KEY, PartitionState
from stream_app.core.drift.window_hash import window_hashes
from stream_app.errors import FatalError
from tests.aggregate_kit import (
    STREAM,
    WINDOW_MS,
    Events,
    at_random,
    counted_at_once,
    idle,
    make_events,
    with_repeats,
)
from tests.aggregator_bench import (
    CHANGELOG,
    LETTERS,
    REFERENCE_WAIT_S,
    RULES,
    TopicChangelog,
    Topics,
    aggregator_bench,
)
from tests.drift_kit import SMALL
from tests.fakes import FakeClock, Step

PARTITIONS = 3
INPUTS = 2
ALL = tuple(range(PARTITIONS))


def stories(seed: int, count: int = 60) -> tuple[Topics, list[Events]]:
    """Of each partition of partials one stream, whose input falls idle in the end."""
    events, log = [], {}
    for partition in ALL:
        of_stream = make_events(seed + partition, count, INPUTS)
        stream = replace(STREAM, model_version=str(partition))
        partials = with_repeats(at_random(of_stream, seed, INPUTS), seed)
        partials.append(idle({p: len(of_stream.of(p)) for p in range(INPUTS)}))
        log[partition] = [replace(partial, stream=stream) for partial in partials]
        events.append(of_stream)
    return Topics.of(log), events


def assert_told_once(topics: Topics, events: list[Events]) -> None:
    """The newest revision of every window has the hash of what was counted at once."""
    told = topics.windows()
    for version, of_stream in enumerate(events):
        whole = counted_at_once(of_stream)
        own = {start: w for (v, _, start), w in told.items() if v == str(version)}
        assert own.keys() == whole.keys()
        for start, wanted in whole.items():
            hashes = window_hashes(
                SMALL, wanted.state, start, WINDOW_MS, wanted.rows, wanted.letters
            )
            found = own[start]
            assert found["rows"] == wanted.rows
            assert {c["code"]: c["count"] for c in found["letters"]} == wanted.letters
            assert (found["input_hash"], found["output_hash"]) == (hashes.inputs, hashes.outputs)
            assert found["exact"]


def windows_of(topics: Topics, version: str) -> set[int]:
    """Starts of the windows, not roll-ups, that were told of."""
    return {start for v, length, start in topics.windows() if (v, length) == (version, WINDOW_MS)}


def test_windows_of_all_streams_are_told_of() -> None:
    topics, events = stories(1)
    aggregator_bench(topics).run()
    assert_told_once(topics, events)
    finals = Counter(window["is_final"] for window in topics.windows().values())
    assert finals[True] > finals[False] > 0


STEPS = st.one_of(
    st.none(),
    st.builds(
        Step,
        kind=st.sampled_from(["assign", "revoke", "lost", "zombie", "expelled", "unplaced"]),
        partitions=st.sets(st.sampled_from(ALL), min_size=1).map(lambda s: tuple(sorted(s))),
        mid_fetch=st.booleans(),
    ),
)
FAULTS = st.lists(st.sampled_from(["", "", "", "abort", "fenced", "fenced-after"]), max_size=12)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.lists(STEPS, max_size=12), FAULTS)
def test_no_fault_and_no_rebalance_changes_what_is_told(
    seed: int, script: list[Step | None], faults: list[str]
) -> None:
    topics, events = stories(seed, count=12)
    script = [Step("assign", ALL), *script, Step("lost", ALL), Step("assign", ALL)]
    bench = aggregator_bench(topics, script, faults)
    bench.run()
    assert_told_once(topics, events)


@pytest.mark.parametrize("killed_after", [1, 9, 20, 33])
def test_a_successor_goes_on_where_the_changelog_ends(killed_after: int) -> None:
    topics, events = stories(2)
    aggregator_bench(topics).run(until_committed=killed_after)
    assert not topics.cluster.drained
    second = aggregator_bench(topics)
    second.run()
    assert second.changelog.reads > 1
    assert_told_once(topics, events)


def test_a_predecessors_last_transaction_is_waited_for() -> None:
    topics, events = stories(3)
    aggregator_bench(topics).run(until_committed=20)
    second = aggregator_bench(topics)
    second.changelog.hidden, second.changelog.hidden_reads = {0: 3}, 40
    second.run()
    assert second.changelog.reads > 40
    assert_told_once(topics, events)


def test_a_changelog_that_lacks_records_is_told_of_and_nothing_is_counted() -> None:
    topics, _ = stories(3)
    aggregator_bench(topics).run(until_committed=20)
    topics.out[CHANGELOG] = []
    second = aggregator_bench(topics)
    second.clock.step_s = 1.0
    second.run(turns=200)
    assert second.sink.commits_tried == 0
    assert second.health.paused


def test_an_offset_set_back_counts_nothing_twice() -> None:
    topics, events = stories(4)
    aggregator_bench(topics).run()
    topics.cluster.committed = dict.fromkeys(ALL, 0)
    topics.notes = {}
    aggregator_bench(topics).run()
    assert_told_once(topics, events)


def test_what_cannot_be_read_becomes_a_dead_letter_and_the_rest_counts() -> None:
    topics, events = stories(5)
    damaged = [b"", b"\xc3\x01", b"nonsense" * 4, topics.partials[0][0][:-1]]
    for partition in ALL:
        topics.partials[partition] = [*damaged, *topics.partials[partition]]
        topics.cluster.ends[partition] += len(damaged)
    aggregator_bench(topics).run()
    assert len(topics.out[LETTERS]) == len(damaged) * PARTITIONS
    assert_told_once(topics, events)


def test_a_reference_that_is_not_there_yet_is_waited_for() -> None:
    topics, events = stories(6)
    bench = aggregator_bench(topics)
    bench.references.missing = 5
    bench.run()
    assert bench.references.missing == 0
    assert_told_once(topics, events)


def test_a_reference_that_never_comes_keeps_nobody_elses_windows_back() -> None:
    topics, events = stories(6)
    bench = aggregator_bench(topics)
    bench.clock.step_s = 0.2
    bench.references.never = {"1"}
    bench.run()
    assert bench.clock.now_s() > REFERENCE_WAIT_S
    lost = topics.partials[1]
    assert topics.codes == [b"UNKNOWN_REFERENCE"] * len(lost)
    assert [value for _, _, value in topics.out[LETTERS]] == lost
    assert {version for version, _, _ in topics.windows()} == {"0", "2"}
    kept = {p: events[p] for p in (0, 2)}
    for partition, of_stream in kept.items():
        assert windows_of(topics, str(partition)) == counted_at_once(of_stream).keys()


def test_open_windows_of_a_stream_that_falls_silent_are_told_of() -> None:
    events = make_events(3, 60, 1)
    log = [p for p in at_random(events, 3, 1) if not any(c.is_idle for c in p.coverage)]
    topics = Topics.of({0: log})
    aggregator_bench(topics, silence_s=10.0).run()
    whole = counted_at_once(events).keys()
    assert windows_of(topics, STREAM.model_version) < whole
    bench = aggregator_bench(topics, silence_s=10.0)
    bench.clock.step_s = 0.1
    bench.run(turns=800, even_when_drained=True)
    assert windows_of(topics, STREAM.model_version) == whole
    revisions = [window["revision"] for window in topics.windows().values()]
    assert revisions == [1] * len(revisions), "told of once, not with each silence"


def test_a_stream_that_falls_silent_while_it_is_told_of_stays_pending() -> None:
    clock = FakeClock(step_s=0.0)
    pending = Pending(clock, silence_s=10.0)
    place = (0, "stream")
    pending.restored([place], [])
    clock.time_s += 9.9
    silent = pending.silent()
    clock.time_s += 0.2  # until it is committed
    pending.told([place], silent, [])
    clock.time_s += 10.0
    assert pending.of([0]) == {place}
    pending.told([place], pending.silent(), [place])
    assert pending.of([0]) == {place}, "there is more to tell"
    pending.told([place], pending.silent(), [])
    clock.time_s += 100.0
    assert pending.of([0]) == set()


def test_a_version_that_is_not_in_use_any_more_is_forgotten() -> None:
    old = make_events(1, 30, 1)
    new = replace(make_events(2, 400, 1), stream=replace(STREAM, model_version="new"))
    partials = at_random(new, 2, 1)
    log = [*at_random(old, 1, 1), *(replace(p, stream=new.stream) for p in partials)]
    rules = replace(RULES, retention_ms=5_000, replay_wait_ms=1_000)
    topics = Topics.of({0: log})
    topics.sent_every_ms = 1_000
    aggregator_bench(topics, rules=rules).run()
    state = PartitionState()
    for _, key, value in topics.out[CHANGELOG]:
        state.take(key, value)
    assert [stream.stream.model_version for stream in state.streams.values()] == ["new"]
    # Compaction leaves the last record of each key; of the old version only tombstones.
    newest = {key: value for _, key, value in topics.out[CHANGELOG]}
    own = [value for key, value in newest.items() if key and STREAM.to_key().encode() in key]
    assert own
    assert set(own) == {None}
    state = PartitionState()
    for key, value in newest.items():
        state.take(key, value)
    assert len(state.streams) == 1


def test_a_damaged_changelog_ends_the_process() -> None:
    topics, _ = stories(7)
    aggregator_bench(topics).run(until_committed=20)
    partition, key, value = topics.out[CHANGELOG][0]
    assert value is not None
    topics.out[CHANGELOG][0] = partition, key, value[:-1] + bytes([value[-1] ^ 1])
    with pytest.raises(FatalError, match="checksum"):
        aggregator_bench(topics).run()


def test_a_transaction_ends_when_it_has_touched_many_windows() -> None:
    topics, events = stories(8)
    few = aggregator_bench(topics, max_windows=3, records=1)
    few.run()
    assert_told_once(topics, events)
    other, _ = stories(8)
    many = aggregator_bench(other, records=1)
    many.run()
    assert few.sink.committed > many.sink.committed


def test_windows_that_are_too_many_for_a_transaction_follow_in_quiet_ones() -> None:
    topics, events = stories(9)
    bench = aggregator_bench(topics, publish_budget_s=0.0)
    bench.run()
    few = len(topics.windows())
    bench = aggregator_bench(topics, publish_budget_s=0.0)
    bench.run(turns=400, even_when_drained=True)
    assert few < len(topics.windows())
    assert_told_once(topics, events)
    # The position in the changelog was moved with each of them.
    third = aggregator_bench(topics)
    third.run(turns=5, even_when_drained=True)
    assert not third.health.paused
    assert third.changelog.reads > 0
    commits = bench.sink.committed
    assert commits <= len(topics.windows()) + PARTITIONS


def test_a_quiet_transaction_moves_the_position_beside_its_offset() -> None:
    topics, _ = stories(9)
    aggregator_bench(topics, publish_budget_s=0.0).run()
    second = aggregator_bench(topics).aggregator
    while not second.restore(ALL):
        pass
    # Behind markers of transactions, which are no records.
    offsets = {partition: end + 3 for partition, end in topics.cluster.ends.items()}
    assert set(second.quiet(offsets)) == set(ALL)
    changes = second.conclude()[-1]
    assert changes.topic == CHANGELOG
    for partition, key, value in zip(changes.partition, changes.keys, changes.values, strict=True):
        state = PartitionState()
        state.take(key, value)
        if key == POSITION_KEY:
            assert state.next_offset == offsets.pop(int(partition))
    assert not offsets


def test_state_of_partitions_that_have_gone_is_not_held() -> None:
    topics, _ = stories(10)
    aggregator_bench(topics).run()
    states = PartitionStates(TopicChangelog(topics), FakeClock(), CHANGELOG)
    while not states.restore(ALL):
        pass
    whole = states.windows
    states.forget([0])
    assert 0 < states.windows < whole
    states.throw_away()
    assert states.windows == 0
