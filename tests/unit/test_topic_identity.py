"""Laws of the input topic's identity, with answers that are given by hand."""

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from stream_app.adapters.kafka.topic_identity import TopicIdentity
from stream_app.core.position_notes import PositionNote
from stream_app.errors import ConfigError, DataError, FatalError, RetriableError, UnavailableError
from stream_app.settings import load_settings
from tests.fakes import FakeClock
from tests.worker import until

GONE = ""


class Answers:
    """Stands for the cluster: what it says next, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.asked = 0
        self.answer: Callable[[], str | None] = lambda: "one"
        settings = load_settings(
            overrides={"kafka.bootstrap_servers": "127.0.0.1:9", "input.topic": "in"}
        )
        self.identity = TopicIdentity(settings, self.clock)
        monkeypatch.setattr(self.identity, "_ask", self._ask)

    def _ask(self) -> str | None:
        self.asked += 1
        return self.answer()

    def says(self, topic_id: str | None) -> None:
        self.answer = lambda: topic_id

    def after(self, seconds: float) -> None:
        """Time passes; it is asked, and the answer is looked at."""
        self.clock.time_s += seconds
        before = self.asked
        self.identity.check()
        until("it is asked", lambda: self.asked > before, 10)
        until("the answer is there", self._looked_at, 10)

    def _looked_at(self) -> bool:
        self.identity.check()
        return not self.identity._asking


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers(monkeypatch)
    made.identity.learn()
    return made


def exhausted() -> str | None:
    raise FatalError("no memory for another thread")


def away() -> str | None:
    raise UnavailableError("no broker answers")


def test_it_is_asked_from_time_to_time_and_not_at_every_fetch(cluster: Answers) -> None:
    for _ in range(100):
        cluster.identity.check()
    assert cluster.asked == 1
    cluster.after(31)
    assert cluster.asked == 2


def test_another_id_ends_the_process_and_says_what_to_do(cluster: Answers) -> None:
    cluster.says("two")
    with pytest.raises(DataError, match=r"id was one and is two.*offsets reset"):
        cluster.after(31)


def test_a_topic_that_has_gone_is_asked_for_again_before_it_ends_the_process(
    cluster: Answers,
) -> None:
    cluster.says(GONE)
    cluster.after(31)
    cluster.after(2)
    cluster.says("one")
    cluster.after(2)
    cluster.says(GONE)
    cluster.after(31)
    cluster.after(16)
    for _ in range(2):
        cluster.after(1)
    with pytest.raises(DataError, match="was deleted"):
        cluster.after(1)


def test_two_answers_are_not_enough_however_far_apart(cluster: Answers) -> None:
    cluster.says(GONE)
    for _ in range(4):
        cluster.after(600)


def test_an_answer_that_fails_begins_the_row_anew_and_is_asked_again_soon(
    cluster: Answers,
) -> None:
    cluster.says(GONE)
    cluster.after(31)
    for _ in range(20):
        cluster.answer = away
        cluster.after(1)
        cluster.says(GONE)
        cluster.after(1)
    for _ in range(14):
        cluster.after(1)
    with pytest.raises(DataError, match="was deleted"):
        cluster.after(1)


def test_a_broker_that_is_away_says_nothing_about_the_topic(cluster: Answers) -> None:
    cluster.answer = away
    cluster.after(31)
    with pytest.raises(RetriableError):
        cluster.identity.check_now()
    cluster.says("two")
    with pytest.raises(DataError):
        cluster.identity.check_now()


def test_a_process_that_can_ask_nobody_any_more_ends(cluster: Answers) -> None:
    cluster.answer = exhausted
    with pytest.raises(FatalError, match="another thread"):
        cluster.after(60)
    with pytest.raises(FatalError, match="another thread"):
        cluster.identity.learn()


def test_suspicion_asks_at_once(cluster: Answers) -> None:
    cluster.identity.suspect()
    cluster.after(0)
    assert cluster.asked == 2


def test_offsets_of_another_topic_are_refused_and_those_without_a_note_are_not(
    cluster: Answers,
) -> None:
    own, other = PositionNote("one").to_text(), PositionNote("two").to_text()
    cluster.identity.refuse_others([own, None, "", "set by hand"])
    with pytest.raises(ConfigError, match=r"topic id two, and it is one now.*offsets reset"):
        cluster.identity.refuse_others([own, other])


def test_where_there_are_no_ids_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Answers(monkeypatch)
    cluster.says(None)
    with capture_logs() as logged:
        cluster.identity.learn()
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("topic_id_unknown", "warning")
    ]
    cluster.identity.check_now()
    cluster.identity.refuse_others([PositionNote("two").to_text()])
    assert cluster.asked == 1
    for answer in (None, GONE):
        cluster.says(answer)
        cluster.after(600)
    assert cluster.identity.topic_id == ""


def refusal(code: int) -> Callable[[], str | None]:
    """An answer as the admin client's errors become it."""

    def answer() -> str | None:
        raise ConfigError("refused by the broker") from KafkaException(KafkaError(code))

    return answer


def test_who_may_not_ask_is_told_and_checks_once_the_right_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Answers(monkeypatch)
    cluster.answer = refusal(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with capture_logs() as logged:
        cluster.identity.learn()
    assert [line["log_level"] for line in logged] == ["warning"]
    cluster.says("one")
    cluster.after(31)
    assert cluster.identity.topic_id == "one"
    cluster.says("two")
    with pytest.raises(DataError, match="id was one and is two"):
        cluster.after(31)


@pytest.mark.parametrize(
    "code", [KafkaError._SSL, KafkaError._AUTHENTICATION, KafkaError._TRANSPORT]
)
def test_trouble_with_the_connection_does_not_switch_the_check_off(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    cluster = Answers(monkeypatch)
    cluster.answer = refusal(code)
    with pytest.raises(RetriableError, match="refused by the broker"):
        cluster.identity.learn()


def test_a_topic_that_is_not_there_at_the_start_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Answers(monkeypatch)
    cluster.says(GONE)
    with pytest.raises(RetriableError, match="create it"):
        cluster.identity.learn()
