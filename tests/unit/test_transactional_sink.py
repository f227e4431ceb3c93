"""Laws of the transactional sink, on a producer that fails as the real one was seen to fail."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_app.adapters.kafka import clients as kafka_clients
from stream_app.adapters.kafka.coordinator_log import CoordinatorLog
from stream_app.adapters.kafka.public_client import Sent, send_rows
from stream_app.adapters.kafka.transactional_sink import TransactionalSink
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.adapters.process.watchdog import NullWatchdog
from stream_app.core.columns import BytesColumn, OutputBatch
from stream_app.core.positions import GroupMembership, NextOffset
from stream_app.errors import AbortedError, FencedError, RetriableError
from stream_app.settings import load_settings
from tests.fakes import FakeClock

MEMBER = GroupMembership(3, "member", b"token")
OFFSETS = {0: NextOffset(7)}
RETRIABLE = KafkaException(KafkaError(KafkaError._TIMED_OUT, "slow", retriable=True))
ABORTABLE = KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION, "no", txn_requires_abort=True))
FATAL = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
FATAL_BEFORE = KafkaException(KafkaError(KafkaError._FATAL, "said once already"))
TOO_LARGE = KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "large"))

Script = dict[str, list[Exception | Callable[[], None] | None]]


class Partitions:
    """Metadata of a topic of one partition."""

    error = None

    def __init__(self) -> None:
        self.topics = {"in.predictions": self, "in": self}
        self.partitions = {0: None}


class ScriptedProducer:
    """Stands for the library's: each call takes the next item of its script."""

    def __init__(self, script: Script, calls: list[str]) -> None:
        self._script = script
        self._calls = calls
        self.undelivered = len(script.get("undelivered", ()))

    def _do(self, call: str) -> None:
        self._calls.append(call)
        item = self._script[call].pop(0) if self._script.get(call) else None
        if isinstance(item, Exception):
            raise item
        if item is not None:
            item()

    def init_transactions(self, timeout: float) -> None:
        self._do("init")

    def begin_transaction(self) -> None:
        self._do("begin")

    def produce(self, *_: Any) -> None:
        self._do("produce")

    def send(self, outputs: OutputBatch, begin: int) -> Sent:
        return send_rows(self, outputs, begin)

    def send_offsets_to_transaction(self, *_: Any) -> None:
        self._do("send_offsets")

    def commit_transaction(self, timeout: float) -> None:
        self._do("commit")

    def abort_transaction(self, timeout: float) -> None:
        self._do("abort")

    def list_topics(self, topic: str, timeout: float) -> Partitions:
        return Partitions()

    def poll(self, timeout: float = 0) -> int:
        if self._script.get("poll"):
            self._do("poll")
        return 0

    def flush(self, timeout: float) -> int:
        self._do("flush")
        return self.undelivered

    def purge(self) -> None:
        self._do("purge")

    def end(self) -> None:
        """It is over already."""


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def properties() -> dict[str, Any]:
    """What the latest producer was made with."""
    return {}


@pytest.fixture
def make(
    monkeypatch: pytest.MonkeyPatch, calls: list[str], properties: dict[str, Any]
) -> Callable[..., Any]:
    """A sink, opened, whose producers follow one script."""

    def sink(**script: list[Any]) -> TransactionalSink:
        def producer(given: dict[str, Any]) -> ScriptedProducer:
            properties.update(given)
            return ScriptedProducer(script, calls)

        monkeypatch.setattr(kafka_clients, "Producer", producer)
        settings = load_settings(
            overrides={
                "kafka.bootstrap_servers": "127.0.0.1:9",
                "kafka.request_timeout_s": "0.05",
                "input.topic": "in",
            }
        )
        made = TransactionalSink(settings, "id", FakeClock(), NullTelemetry(), NullWatchdog())
        made.open()
        return made

    return sink


def outputs(count: int) -> OutputBatch:
    return OutputBatch(
        topic="in.predictions",
        rows=np.arange(count),
        values=BytesColumn.of([b"value"] * count),
        keys=BytesColumn.all_null(count),
        partition=np.zeros(count, dtype=np.int32),
        timestamp_ms=np.full(count, 5, dtype=np.int64),
    )


def test_a_unit_goes_through_in_order(make: Callable[..., Any], calls: list[str]) -> None:
    sink = make()
    sink.begin()
    assert len(sink.deliver(outputs(2))) == 0
    sink.commit(OFFSETS, MEMBER, 1e9)
    assert calls == ["init", "begin", "produce", "produce", "flush", "send_offsets", "commit"]


def test_an_unclear_commit_is_asked_for_again_and_the_next_unit_has_a_new_producer(
    make: Callable[..., Any], calls: list[str]
) -> None:
    sink = make(commit=[RETRIABLE, RETRIABLE])
    sink.begin()
    sink.commit(OFFSETS, MEMBER, 1e9)
    sink.begin()
    assert calls[3:] == ["send_offsets", "commit", "commit", "commit", "purge", "init", "begin"]


@pytest.mark.parametrize(
    ("facility", "line", "anew"),
    [
        ("FAIL", "[thrd:TxnCoordinator]: TxnCoordinator: b:1: Disconnected (after 5ms)", True),
        ("REQTMOUT", "[thrd:TxnCoordinator]: TxnCoordinator/1: Timed out EndTxnRequest", True),
        ("FAIL", "[thrd:b:1/1]: b:1/1: Disconnected (after 5ms in state UP)", False),
        ("GETPID", "[thrd:main]: TxnCoordinator/1: Coordinator load in progress", False),
    ],
)
def test_a_commit_during_which_the_coordinator_was_lost_is_followed_by_a_new_producer(
    make: Callable[..., Any],
    calls: list[str],
    properties: dict[str, Any],
    facility: str,
    line: str,
    *,
    anew: bool,
) -> None:
    told = "%s [%s] %s", facility, "rdkafka#producer-1", line
    sink = make(poll=[None, lambda: properties["logger"].log(20, *told)])
    for _ in range(3):
        sink.begin()
        sink.commit(OFFSETS, MEMBER, 1e9)
    done = [call for call in calls if call != "poll"]
    unit = ["begin", "flush", "send_offsets", "commit"]
    assert done == ["init", *unit, *(["purge", "init"] if anew else []), *unit, *unit]


def test_the_librarys_errors_still_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    lines = CoordinatorLog()
    lines.log(20, "%s [%s] %s", "FAIL", "rdkafka#producer-1", "a connection was closed")
    lines.log(40, "%s [%s] %s", "FAIL", "rdkafka#producer-1", "connection refused")
    assert caplog.messages == ["FAIL [rdkafka#producer-1] connection refused"]


def test_an_unclear_send_offsets_is_undone_and_the_next_unit_has_a_new_producer(
    make: Callable[..., Any], calls: list[str]
) -> None:
    sink = make(send_offsets=[RETRIABLE])
    sink.begin()
    with pytest.raises(AbortedError):
        sink.commit(OFFSETS, MEMBER, 1e9)
    sink.abort()
    sink.begin()
    assert "commit" not in calls
    assert calls[-4:] == ["abort", "purge", "init", "begin"]


def test_outcomes_that_are_not_delivered_by_the_deadline_are_undone(
    make: Callable[..., Any], calls: list[str]
) -> None:
    sink = make(undelivered=[None])
    sink.begin()
    with pytest.raises(AbortedError, match="in time"):
        sink.commit(OFFSETS, MEMBER, 100.05)
    assert "send_offsets" not in calls
    assert "commit" not in calls


def test_a_send_offsets_that_hangs_is_left_behind(
    make: Callable[..., Any], calls: list[str]
) -> None:
    hang = threading.Event()
    sink = make(send_offsets=[hang.wait])
    sink.begin()
    with pytest.raises(FencedError, match="hangs"):
        sink.commit(OFFSETS, MEMBER, 1e9)
    sink.rebuild()
    sink.begin()
    hang.set()
    assert calls[-3:] == ["purge", "init", "begin"]


@pytest.mark.parametrize("call", ["commit", "abort"])
def test_what_stays_unclear_past_the_transactions_time_is_left_to_a_new_producer(
    make: Callable[..., Any], call: str
) -> None:
    sink = make(**{call: 100 * [RETRIABLE]})
    sink._clock.step_s = 4  # kafka.transaction_timeout_s is 10
    for _ in range(5):  # more often than rebuilds may be: it is no twin's doing
        sink.begin()
        with pytest.raises(FencedError, match=r"kafka\.transaction_timeout_s = 10 s"):
            sink.commit(OFFSETS, MEMBER, 1e9) if call == "commit" else sink.abort()
        sink.rebuild()


def test_a_producer_that_cannot_be_made_now_is_made_by_the_next_begin(
    make: Callable[..., Any], calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make(commit=[RETRIABLE])
    sink.begin()
    sink.commit(OFFSETS, MEMBER, 1e9)
    real = vars(kafka_clients)["Producer"]

    def refused(_: dict[str, Any]) -> None:
        raise RETRIABLE

    monkeypatch.setattr(kafka_clients, "Producer", refused)
    for _ in range(2):
        with pytest.raises(RetriableError):
            sink.begin()
    monkeypatch.setattr(kafka_clients, "Producer", real)
    sink.begin()
    assert calls[-2:] == ["init", "begin"]


def test_a_new_producer_needs_no_new_thread(make: Callable[..., Any]) -> None:
    sink = make(commit=[RETRIABLE])
    before = set(threading.enumerate())
    for _ in range(2):
        sink.begin()
        sink.commit(OFFSETS, MEMBER, 1e9)
    assert set(threading.enumerate()) == before
    sink.close()


def test_a_member_of_nothing_commits_nothing(make: Callable[..., Any], calls: list[str]) -> None:
    sink = make()
    sink.begin()
    for nobody in (GroupMembership(-1, "", b""), GroupMembership(2, "", b"")):
        with pytest.raises(AbortedError, match="member"):
            sink.commit(OFFSETS, nobody, 1e9)
    assert "send_offsets" not in calls


@pytest.mark.parametrize("call", ["send_offsets", "commit"])
def test_what_can_be_undone_is_undone(make: Callable[..., Any], call: str) -> None:
    sink = make(**{call: [ABORTABLE]})
    sink.begin()
    with pytest.raises(AbortedError):
        sink.commit(OFFSETS, MEMBER, 1e9)
    sink.abort()


@pytest.mark.parametrize("call", ["begin", "produce", "send_offsets", "commit"])
def test_a_fenced_producer_says_so_wherever_it_is_noticed(
    make: Callable[..., Any], call: str
) -> None:
    sink = make(**{call: [FATAL]})

    def unit() -> None:
        sink.begin()
        sink.deliver(outputs(1))
        sink.commit(OFFSETS, MEMBER, 1e9)

    with pytest.raises(FencedError):
        unit()


@pytest.mark.parametrize("error", [FATAL, FATAL_BEFORE])
@pytest.mark.parametrize(("call", "before"), [("poll", [None]), ("produce", [])])
def test_a_fatal_error_is_noticed_where_the_client_raises_it(
    make: Callable[..., Any], call: str, before: list[None], error: Exception
) -> None:
    sink = make(**{call: [*before, error]})
    sink.begin()
    with pytest.raises(FencedError):
        sink.deliver(outputs(1))


def test_a_fenced_producer_that_raises_from_its_own_end_is_replaced_all_the_same(
    make: Callable[..., Any], calls: list[str]
) -> None:
    sink = make(abort=[FATAL], purge=[FATAL])
    sink.begin()
    with pytest.raises(FencedError):
        sink.abort()
    sink.rebuild()
    assert calls[-1] == "init"


def test_fencing_each_other_without_end_ends(make: Callable[..., Any]) -> None:
    sink = make()
    for _ in range(3):
        sink.rebuild()
    with pytest.raises(FencedError, match=r"worker\.instance"):
        sink.rebuild()


def test_a_record_too_large_is_handed_back_and_every_other_one_is_sent(
    make: Callable[..., Any], calls: list[str]
) -> None:
    sink = make(produce=[None, TOO_LARGE, None])
    sink.begin()
    assert sink.deliver(outputs(3)).tolist() == [1]
    assert calls.count("produce") == 3


def test_a_full_queue_is_waited_for_and_no_record_is_left_out(
    make: Callable[..., Any], calls: list[str]
) -> None:
    sink = make(produce=[None, BufferError(), BufferError(), None])
    sink.begin()
    assert len(sink.deliver(outputs(2))) == 0
    assert calls.count("produce") == 4


def test_a_producer_that_was_not_initialised_is_never_begun_with(
    make: Callable[..., Any], calls: list[str]
) -> None:
    sink = make(init=[None, RETRIABLE, None])
    with pytest.raises(Exception, match="init_transactions"):
        sink.rebuild()
    sink.begin()
    assert calls[-3:] == ["purge", "init", "begin"]
