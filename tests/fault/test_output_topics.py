"""F35: output topics that are missing, or deleted under a worker."""

import pytest

from stream_app.verify import Report
from tests.fault.bench import Bench, Run
from tests.fault.topic_admin import TopicAdmin
from tests.kafka_fixtures import RealKafka
from tests.worker import until


def whole_since(run: Run, admin: TopicAdmin, deleted: str, done: dict[int, int]) -> None:
    """The verdict: what came after the positions that were done before is whole.

    Args:
        run: Its workers have caught up.
        admin: Takes the input before those positions away, so that only the rest is judged.
        deleted: The output topic that was.
        done: What the group had committed when it could do no more, by partition.
    """
    settings = run.plain.settings
    admin.delete_before(settings.input.topic, done)

    def judge(report: Report, live: list[str]) -> None:
        assert report.ok, report.to_json()
        assert report.events == run.feed.sent - sum(done.values())
        if deleted == settings.predictions_topic:
            assert report.dead_letters == dict(run.feed.codes)
        else:
            assert report.predictions == run.feed.sent - run.feed.codes.total()
        assert [line for line in live if deleted not in line] == []

    run.expects = judge


@pytest.mark.parametrize("which", ["predictions_topic", "dlq_topic"])
@pytest.mark.fault("F35")
def test_an_output_deleted_under_a_worker_is_named_and_waited_for(
    bench: Bench, kafka: RealKafka, which: str
) -> None:
    with bench.run(kafka, kafka__topic_refresh_s="1", share_broken=0.05) as run:
        topic = getattr(run.plain.settings, which)
        admin = TopicAdmin(run.plain)
        worker = run.start()
        run.scoring()
        with run.fault(f"output.{which} deleted"):
            admin.delete(topic)
        until("it is not ready", lambda: worker.get("/readyz")[0] == 503, 90)
        assert worker.get("/livez")[0] == 200
        until("the log names the topic", lambda: f"output.{which}" in worker.log(), 90)
        assert topic in worker.log()
        done = run.progress.seen().committed
        admin.make(topic)
        run.recovered(within_s=180)
        assert worker.exit_status is None
        assert worker.get("/readyz")[0] == 200
        whole_since(run, admin, topic, done)


@pytest.mark.fault("F35")
def test_an_output_that_is_missing_at_the_start_is_named_and_waited_for(
    bench: Bench, kafka: RealKafka
) -> None:
    with bench.run(kafka, kafka__topic_refresh_s="1") as run:
        topic, admin = run.plain.settings.dlq_topic, TopicAdmin(run.plain)
        with run.fault("output.dlq_topic is missing at the start"):
            admin.delete(topic)
            worker = run.start()
        # The reader beside the run began with the topic that is gone.
        run.expects = lambda report, live: run.exactly_once(
            report, [line for line in live if topic not in line]
        )
        told = worker.wait_for("preflight")
        assert topic in told["fault"]
        assert "stream-app topics create" in told["fault"]
        until("it is not ready", lambda: worker.get("/readyz")[0] == 503, 90)
        admin.make(topic)
        run.recovered(within_s=180)
        assert worker.exit_status is None
