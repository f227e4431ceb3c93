"""F36: transactions of others in the input: aborted ones, and one that nobody ends."""

import pytest

from tests.fault.bench import Bench
from tests.fault.strangers import FeedAmongOthers, Stranger, aborting
from tests.kafka_fixtures import RealKafka
from tests.worker import until


@pytest.mark.fault("F36")
def test_what_others_abort_is_never_predicted(bench: Bench, kafka: RealKafka) -> None:
    with bench.run(kafka, feed=FeedAmongOthers) as run:
        run.start()
        run.scoring()
        with run.fault("another producer aborts all the time"), aborting(run):
            run.start()
            run.scoring()
        run.recovered()


@pytest.mark.fault("F36")
def test_a_transaction_that_nobody_ends_is_told_of_and_costs_only_time(
    bench: Bench, kafka: RealKafka
) -> None:
    stalled = "stream_app_input_stalled_seconds"
    with bench.run(kafka, feed=FeedAmongOthers, input__stalled_after_s="3") as run:
        worker = run.start()
        run.scoring()
        stranger = Stranger(run)
        with run.fault("another producer leaves a transaction open"):
            stranger.begin()
        told = worker.wait_for("input_stalled", within_s=60)
        assert "find-hanging" in told["remedy"]
        assert told["hidden_records"] > 0
        until(
            "every partition stands still",
            lambda: len(worker.counts(stalled, "partition")) == 4,
            60,
        )
        assert worker.get("/livez")[0] == 200
        assert worker.get("/readyz")[0] == 200
        stranger.abort()
        run.recovered()
        until("the gauges are gone", lambda: worker.counts(stalled, "partition") == {}, 60)
        assert worker.events("input_goes_on")
