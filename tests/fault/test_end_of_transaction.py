"""The request that ends a transaction: cut off, dropped, unanswered, or late (F22, F28-F30).

Whatever becomes of it, each event has one outcome. The late one is the worst: it names a producer
and its epoch, not a transaction, so it could end whichever is open when it comes.
"""

import struct

import pytest

from stream_app.failpoints import Place
from tests.fault.bench import Bench
from tests.fault.kafka_frames import Api
from tests.fault.proxied import Proxied
from tests.fault.proxy_rules import BlackHole, Cut, DropRequest, DropResponse, Hold
from tests.worker import Worker, group_members, open_transactions, until

FIRED_S = 60.0
REBUILDS = "stream_app_producer_rebuilds_total"
_END_TXN_ANSWER = struct.Struct(">iih")
"""Correlation id, throttle time, error code."""

OVER = {47: "INVALID_PRODUCER_EPOCH", 90: "PRODUCER_FENCED"}
"""What a broker answers to a producer whose epoch is over."""


def made_anew(worker: Worker, times: float = 1) -> None:
    """Return when its producer has been; it is when the next transaction begins."""
    until("the producer is made anew", lambda: worker.metric(REBUILDS) >= times, FIRED_S)


@pytest.mark.fault("F22", quick=True, ways="each")
def test_a_connection_cut_before_or_after_the_broker_ends_the_transaction(
    bench: Bench, proxied: Proxied
) -> None:
    # Expected: the library asks again; the producer is made anew, as the first request may still
    # be on its way.
    with bench.run(proxied, bootstrap=proxied.bootstrap) as run:
        worker = run.start().wait_scoring()
        for answered in bench.chance.sample([False, True], 2):
            before = worker.metric(REBUILDS)
            with run.fault(f"cut {'after' if answered else 'before'} the broker ends it"):
                nth = bench.chance.randint(1, 20)
                rule = proxied.network.add(Cut(api=Api.END_TXN, nth=nth, answered=answered))
                rule.wait_fired(FIRED_S)
            run.recovered()
            made_anew(worker, before + 1)
        assert worker.exit_status is None


@pytest.mark.fault("F28")
def test_a_request_to_end_the_transaction_that_never_arrives_is_made_again(
    bench: Bench, proxied: Proxied
) -> None:
    with bench.run(proxied, bootstrap=proxied.bootstrap) as run:
        worker = run.start().wait_scoring()
        with run.fault("the request to end the transaction is dropped"):
            nth = bench.chance.randint(1, 20)
            proxied.network.add(DropRequest(api=Api.END_TXN, nth=nth)).wait_fired(FIRED_S)
        run.recovered()
        assert worker.events("unclear"), "the call timed out, and its outcome was not known"
        made_anew(worker)
        assert worker.exit_status is None
    assert run.record.aborted_outcomes == 0, "nothing had to be done twice"


@pytest.mark.fault("F29", quick=True)
def test_a_commit_whose_answer_is_lost_is_not_done_again_after_a_kill(
    bench: Bench, proxied: Proxied
) -> None:
    with bench.run(proxied, bootstrap=proxied.bootstrap) as run:
        worker = run.start().wait_scoring()
        with run.fault("the answer to a commit is dropped, then a kill"):
            nth = bench.chance.randint(1, 20)
            proxied.network.add(DropResponse(api=Api.END_TXN, nth=nth)).wait_fired(FIRED_S)
            worker.kill()
            run.start()
        run.recovered()
        run.scoring()
    assert run.record.aborted_outcomes == 0, "the commit was done; nothing comes again"


@pytest.mark.fault("F29", quick=True)
def test_a_commit_whose_answer_is_lost_is_cleared_up_before_its_partitions_go(
    bench: Bench, proxied: Proxied
) -> None:
    # The joiner has a network of its own, which keeps its request to join until the answer to the
    # commit is gone: so the rebalance meets a commit of which nobody knows what became of it.
    join = Api.JOIN_GROUP if bench.protocol == "classic" else Api.CONSUMER_GROUP_HEARTBEAT
    with bench.run(
        proxied,
        bootstrap=proxied.bootstrap,
        kafka__request_timeout_s="10",
        kafka__transaction_timeout_s="30",
    ) as run:
        worker = run.start().wait_scoring()
        with run.fault("the answer to a commit is dropped, then a rebalance"):
            with proxied.other.during(BlackHole(api=join)) as joining:
                joiner = run.start(
                    STREAM_APP_KAFKA__BOOTSTRAP_SERVERS=proxied.other.bootstrap_servers
                )
                joining.wait_fired(FIRED_S)
                nth = bench.chance.randint(1, 20)
                proxied.network.add(DropResponse(api=Api.END_TXN, nth=nth)).wait_fired(FIRED_S)
            until("the joiner is let in", lambda: group_members(run.plain) == 2, FIRED_S)
            assert not worker.events("unclear"), "the commit was cleared up before the rebalance"
        unclear = worker.wait_for("unclear")
        joiner.wait_owns(2)
        (revoked,) = [e for e in worker.events("rebalance") if e["event_kind"] == "revoked"]
        assert unclear["timestamp"] < revoked["timestamp"]
        made_anew(worker)
        run.recovered()
        assert (worker.exit_status, joiner.exit_status) == (None, None)
    assert run.record.aborted_outcomes == 0, "the commit was done; nothing comes again"


@pytest.mark.parametrize("reset", [False, True], ids=["in_silence", "reset"])
@pytest.mark.fault("F30", quick=True)
def test_a_commit_that_arrives_late_does_not_end_the_next_transaction(
    bench: Bench, proxied: Proxied, *, reset: bool
) -> None:
    # Without a new producer it would commit the outcomes of an open transaction whose offsets
    # are not in it yet; the worker dies before these are, and its successor repeats them.
    number = bench.chance.randint(3, 12)
    held = proxied.network.add(Hold(api=Api.END_TXN, nth=number - 1, cut=reset))
    with bench.run(
        proxied,
        bootstrap=proxied.bootstrap,
        kafka__transaction_timeout_s="40",
        batch__max_records="128",
        batch__transaction_records="1000",
    ) as run:
        worker = run.start(
            failpoint=f"{Place.AFTER_DELIVER}:{number}:sleep=8,{Place.BEFORE_COMMIT}:{number}:kill"
        )
        held.wait_fired(FIRED_S)
        until("the next transaction naps", lambda: worker.events("failpoint_fires"), FIRED_S)
        until("its outcomes lie open", lambda: open_transactions(run.plain) > 0, FIRED_S)
        with run.fault("a commit arrives after the next transaction has begun"):
            (answer,) = proxied.network.release(held)
        assert _END_TXN_ANSWER.unpack(answer)[2] in OVER, "the broker let it end a transaction"
        assert worker.events("producer_rebuilt")
        run.died(worker, "killed before the offsets are committed")
        run.start()
        run.recovered()
    assert run.record.aborted_outcomes > 0, "the kill left nothing behind: nothing was proved"
