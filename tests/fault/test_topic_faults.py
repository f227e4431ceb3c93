"""F31 to F34: inputs and offsets that are deleted, made anew, widened or emptied by others."""

from dataclasses import replace
from functools import partial

import pytest

from stream_app.core.position_notes import PositionNote
from stream_app.verify import Report
from tests.car_loan import Feed
from tests.fault.bench import Bench, Run
from tests.fault.topic_admin import TopicAdmin
from tests.kafka_fixtures import RealKafka
from tests.worker import Worker, open_transactions, until

DATA, CONFIG = 65, 78
LOST = "stream_app_records_deleted_unread_total"

READ_AGAIN = dict.fromkeys(
    ("duplicated", "reordered", "drift_overlaps"),
    "told to begin at the start again, a group answers again what it had answered",
)
"""Findings that the loss of offsets brings with it, and why."""


def stopped(worker: Worker, status: int, *words: str) -> None:
    """It ended by itself, with this status and these words."""
    assert worker.wait_exit(within_s=90) == status
    for word in words:
        assert word in worker.log(), worker.log()[-3_000:]


def sent_beyond(run: Run, count: int) -> bool:
    return run.feed.sent > count


# -- F31 ------------------------------------------------------------------------------------


def judged_anew(run: Run, admin: TopicAdmin) -> None:
    """Take away the outcomes of the old topic, whose events lay at the same positions.

    The verdict is then the whole promise, for the events of the topic of today.
    """
    settings = run.plain.settings
    until("what workers left open is over", lambda: open_transactions(run.plain) == 0, 60)
    for topic in (settings.predictions_topic, settings.dlq_topic, settings.partials_topic):
        admin.empty(topic)

    def judge(report: Report, live: list[str]) -> None:
        unexpected = [note for note in report.notes if "outcomes before it were" not in note]
        run.exactly_once(replace(report, notes=tuple(unexpected)), live)

    run.expects = judge


def made_anew(run: Run, admin: TopicAdmin, topic: str) -> None:
    """Delete the input and make it again, with more records than the old one had."""
    run.stop_load()
    run.sent()
    records = run.feed.sent
    admin.delete(topic)
    admin.make(topic)
    run.feed = Feed(run.plain, seed=run.feed.seed + 1)
    run.feed.send(records + 1_000)


@pytest.mark.fault("F31")
def test_an_input_deleted_and_made_anew_under_a_worker_stops_it(
    bench: Bench, kafka: RealKafka
) -> None:
    with bench.run(kafka, kafka__topic_refresh_s="1", start__expired="earliest") as run:
        run.allowed_exits |= {DATA, CONFIG}
        topic, admin = run.plain.settings.input.topic, TopicAdmin(run.plain)
        worker = run.start()
        run.scoring()
        with run.fault("the input deleted and made anew"):
            made_anew(run, admin, topic)
        stopped(worker, DATA, "deleted and made anew", "offsets reset")
        judged_anew(run, admin)
        admin.reset_offsets("start")
        run.start()


@pytest.mark.fault("F31")
def test_an_input_that_is_deleted_stops_the_worker(bench: Bench, kafka: RealKafka) -> None:
    with bench.run(kafka, kafka__topic_refresh_s="1") as run:
        run.allowed_exits |= {DATA, CONFIG}
        topic, admin = run.plain.settings.input.topic, TopicAdmin(run.plain)
        worker = run.start()
        run.scoring()
        with run.fault("the input deleted"):
            run.stop_load()
            run.sent()
            admin.delete(topic)
        stopped(worker, DATA, "was deleted", "offsets reset")
        judged_anew(run, admin)
        admin.make(topic)
        run.feed = Feed(run.plain, seed=bench.seed)
        run.feed.send(2_000)
        # The brokers forgot the offsets with the topic: a new group begins where it is told.
        stopped(run.start("--set", "start.new_group=fail"), CONFIG, "start.new_group")
        run.start()


@pytest.mark.fault("F31")
def test_offsets_of_the_old_topic_are_not_used_in_the_new_one(
    bench: Bench, kafka: RealKafka
) -> None:
    with bench.run(kafka) as run:
        run.allowed_exits |= {DATA, CONFIG}
        topic, admin = run.plain.settings.input.topic, TopicAdmin(run.plain)
        worker = run.start()
        run.scoring()
        old = admin.topic_id(topic)
        assert {PositionNote.of(note).topic_id for note in admin.notes().values()} == {old}
        with run.fault("the input made anew while nobody reads, and offsets that outlive it"):
            worker.kill()
            made_anew(run, admin, topic)
            note = PositionNote(old).to_text()
        until(
            "no member is left",
            lambda: _committed(admin, note, {p: bench.chance.randint(1, 200) for p in range(4)}),
            60,
        )
        judged_anew(run, admin)
        stopped(run.start(), CONFIG, old, admin.topic_id(topic), "offsets reset")
        admin.reset_offsets("start")
        run.start()


def _committed(admin: TopicAdmin, note: str, offsets: dict[int, int]) -> bool:
    try:
        admin.commit_as_before(note, offsets)
    except Exception:  # noqa: BLE001  # the dead member's session is not over yet
        return False
    return True


# -- F32 ------------------------------------------------------------------------------------


@pytest.mark.fault("F32")
def test_partitions_added_under_load_are_read_from_their_begin(
    bench: Bench, kafka: RealKafka
) -> None:
    with bench.run(kafka, kafka__topic_refresh_s="2") as run:
        run.start()
        run.start()
        run.scoring()
        with run.fault("four partitions more"):
            TopicAdmin(run.plain).widen(run.plain.settings.input.topic, 8)
            run.feed.widen(8)
        until("the new ones have events", lambda: len(run.feed.ends) == 8, 60)
        run.recovered()
    assert all(run.feed.ends[partition] > 0 for partition in range(8))


# -- F33 ------------------------------------------------------------------------------------


def counted(run: Run, worker: Worker) -> None:
    """The verdict: whatever was not answered was deleted unread, and counted to the record."""

    def judge(report: Report, live: list[str]) -> None:
        answered = report.predictions + sum(report.dead_letters.values())
        assert report.ok, report.to_json()
        assert live == []
        assert all("were deleted and are not judged" in note for note in report.notes)
        lost = worker.metric(LOST)
        assert lost > 0
        assert answered + lost == run.feed.sent

    run.expects = judge


@pytest.mark.fault("F33", quick=True)
def test_records_deleted_unread_while_nobody_reads_halt_the_worker(
    bench: Bench, kafka: RealKafka
) -> None:
    with bench.run(kafka, kafka__session_timeout_s="6") as run:
        run.allowed_exits.add(DATA)
        worker = run.start()
        run.scoring()
        topic = run.plain.settings.input.topic
        with run.fault("unread records deleted while nobody reads"):
            worker.kill()
            seen = run.feed.sent
            until("more have come", lambda: run.feed.sent > seen + 1_000, 60)
            TopicAdmin(run.plain).empty(topic)
        halted = run.start()
        stopped(halted, DATA, "were deleted unread", "start.expired = earliest")
        assert halted.events("records_deleted_unread")
        counted(run, run.start("--set", "start.expired=earliest"))
        run.recovered()


@pytest.mark.fault("F33")
def test_records_deleted_unread_under_a_worker_are_counted_where_it_may_go_on(
    bench: Bench, kafka: RealKafka
) -> None:
    with bench.run(kafka, start__expired="earliest", kafka__session_timeout_s="6") as run:
        worker = run.start()
        run.scoring()
        topic = run.plain.settings.input.topic
        counted(run, worker)
        for _ in range(3):
            with run.fault("unread records deleted under a frozen worker"):
                worker.pause()
                until("more have come", partial(sent_beyond, run, run.feed.sent + 3_000), 60)
                TopicAdmin(run.plain).empty(topic)
                worker.resume()
            run.recovered()


# -- F34 ------------------------------------------------------------------------------------


@pytest.mark.fault("F34")
def test_a_group_that_lost_its_offsets_begins_only_where_it_is_told(
    bench: Bench, kafka: RealKafka
) -> None:
    def twice(report: Report, live: list[str]) -> None:
        assert report.lost.count == 0
        assert report.uncommitted == 0
        assert report.wrong_content.count == 0
        assert report.duplicated.count > 0, "that is what the operator chose"
        assert live == []

    with bench.run(kafka) as run:
        run.allowed_exits.add(CONFIG)
        run.expects = twice
        run.record.expected = READ_AGAIN
        worker = run.start()
        run.scoring()
        with run.fault("the group's offsets deleted"):
            worker.kill()
            TopicAdmin(run.plain).forget_group()
        refused = run.start("--set", "start.new_group=fail")
        stopped(refused, CONFIG, "has no offsets", "come twice", "start.new_group = earliest")
        run.start()
        run.recovered()
