"""Laws of the webhook: every record of the level, at least once, in order, and never a secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from stream_app.adapters.drift.alert_codec import alert_record
from stream_app.adapters.monitor.webhook_post import WebhookPost
from stream_app.core.drift.alerts import Alert, Ground, Level, Reason, State
from stream_app.core.faults import Fault
from stream_app.core.metrics import MONITOR_WEBHOOK
from stream_app.errors import RetriableError
from stream_app.ports_drift import Unreadable
from stream_app.ports_monitor import PlacedAlert
from stream_app.webhook import RETRY_FIRST_S, RETRY_LAST_S, Webhook
from tests.monitor_kit import CountingTelemetry
from tests.unit.drift.test_watch_series import NAME
from tests.webhook_server import webhook_server

OPENED = Alert(
    "a" * 32, 0, State.OPENED, Level.ALERT, Reason.TWO_OF_THREE, NAME, "distribution", "x", "w",
    0.2, 2.0, 1.3, 60_000, (Ground(0, 1), Ground(60_000, 1)),
)  # fmt: skip


def of_level(level: Level, sequence: int = 0) -> Alert:
    return replace(OPENED, level=level, sequence=sequence)


@dataclass
class Topic:
    """A partition, and the offset that was committed; fails when it is told to.

    Attributes:
        records: All.
        done: The offset of the first that is not delivered.
        faults: So many calls fail.
        at: Where the reader is.
    """

    records: list[Alert | Unreadable]
    done: int = 0
    faults: int = 0
    at: int = 0

    def read(self, within_s: float) -> Sequence[PlacedAlert]:
        del within_s
        self._fail()
        first, self.at = self.at, len(self.records)
        return [PlacedAlert(0, n, alert) for n, alert in enumerate(self.records)][first:]

    def delivered(self, until: PlacedAlert) -> None:
        self._fail()
        assert until.offset == self.done, "in order, none left out"
        self.done = until.offset + 1

    def history(self, until: PlacedAlert) -> Sequence[Alert]:
        found = [a for a in self.records[: until.offset + 1] if isinstance(a, Alert)]
        assert isinstance(until.alert, Alert)
        return [alert for alert in found if alert.id == until.alert.id]

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        if self.faults:
            self.faults -= 1
            raise RetriableError("no broker answers")


@dataclass
class Taker:
    """Refuses so many times, then takes."""

    refusals: int = 0
    taken: list[Alert] = field(default_factory=list)

    def post(self, alert: Alert) -> None:
        if self.refusals:
            self.refusals -= 1
            raise RetriableError("503")
        self.taken.append(alert)


@dataclass
class Pauses:
    """Waits that are over at once; ends the run after so many rounds without a wait."""

    rounds: int = 3
    waited: list[float] = field(default_factory=list)
    stop_after: int = 1_000

    def __call__(self, seconds: float) -> bool:
        if seconds:
            self.waited.append(seconds)
            return len(self.waited) < self.stop_after
        self.rounds -= 1
        return self.rounds > 0


def run(
    topic: Topic, taker: Taker, pauses: Pauses | None = None, least: Level = Level.ALERT
) -> tuple[Webhook, CountingTelemetry]:
    telemetry = CountingTelemetry()
    webhook = Webhook(topic, taker, least, telemetry, pauses or Pauses())
    webhook.run()
    return webhook, telemetry


def test_records_of_the_level_are_posted_in_order_and_the_others_passed_over() -> None:
    levels = [Level.WARN, Level.ALERT, Level.CRITICAL, Level.WARN]
    records = [replace(of_level(level), id=str(n)) for n, level in enumerate(levels)]
    topic, taker = Topic([*records]), Taker()
    run(topic, taker)
    assert [alert.id for alert in taker.taken] == ["1", "2"]
    assert topic.done == 4


def test_who_heard_of_an_alert_hears_that_it_was_less() -> None:
    topic, taker = Topic([of_level(Level.CRITICAL), of_level(Level.WARN, 1)]), Taker()
    run(topic, taker)
    assert [alert.sequence for alert in taker.taken] == [0, 1]
    topic, taker = Topic([of_level(Level.WARN), of_level(Level.WARN, 1)]), Taker()
    run(topic, taker)
    assert taker.taken == []


def test_what_is_refused_is_posted_again_ever_later_and_nothing_overtakes_it() -> None:
    topic, taker, pauses = Topic([OPENED, of_level(Level.ALERT, 1)]), Taker(10), Pauses()
    webhook, telemetry = run(topic, taker, pauses)
    assert [alert.sequence for alert in taker.taken] == [0, 1]
    assert pauses.waited[0] == RETRY_FIRST_S
    assert pauses.waited == sorted(pauses.waited)
    assert pauses.waited[-1] == RETRY_LAST_S
    assert webhook.state == {"delivered": 2, "failing": ""}
    assert telemetry.counted(MONITOR_WEBHOOK, "failed") == 10
    assert telemetry.counted(MONITOR_WEBHOOK, "delivered") == 2


def test_what_was_not_taken_when_it_is_told_to_stop_is_not_done() -> None:
    topic, taker = Topic([OPENED]), Taker(10)
    webhook, _ = run(topic, taker, Pauses(stop_after=3))
    assert (topic.done, taker.taken, webhook.state["failing"]) == (0, [], "503")
    again = Topic(topic.records, done=topic.done, at=topic.done)
    run(again, taker := Taker())
    assert taker.taken == [OPENED]


def test_brokers_that_are_away_are_waited_for() -> None:
    topic, taker = Topic([OPENED], faults=4), Taker()
    run(topic, taker)
    assert (topic.done, taker.taken) == (1, [OPENED])


def test_what_is_no_alert_is_told_and_passed_over() -> None:
    topic, taker = Topic([Unreadable(Fault.BAD_MAGIC, "what"), OPENED]), Taker()
    run(topic, taker)
    assert (topic.done, taker.taken) == (2, [OPENED])


def test_a_post_has_the_record_a_line_for_people_and_the_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret-1\n")
    with webhook_server() as received:
        post = WebhookPost(received.url, token, 5.0)
        post.post(OPENED)
        token.write_text("secret-2\n")
        post.post(OPENED)
        post.close()
    ((body, _),) = received.taken.values()
    text = body.pop("text")
    assert body == alert_record(OPENED)
    assert text.startswith("alert opened: x of loans 1 (primary), distribution, w = 0.2, score 2 ")
    assert list(received.taken) == [OPENED.key]
    assert received.tokens == {"Bearer secret-1", "Bearer secret-2"}


@pytest.mark.parametrize("way", ["503", "302", "closed", "absent", "no token", "bad token"])
def test_a_post_that_fails_says_why_and_tells_no_secret(way: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_bytes(b"secret\xff" if way == "bad token" else b"secret-1")
    if way == "no token":
        token.unlink()
    with webhook_server() as received:
        url = received.url + "?key=secret-in-url"
        # The server's ways of refusing come in turn.
        received.refused = {"503": 0, "302": 1, "closed": 2}.get(way, 0)
        received.refuse = way in {"503", "302", "closed"}
        if way == "absent":
            url = "http://127.0.0.1:1/secret-in-url"
        post = WebhookPost(url, token, 5.0)
        with pytest.raises(RetriableError) as refused:
            post.post(OPENED)
        post.close()
    assert "secret" not in str(refused.value).replace(str(token), "")
    assert refused.value.__cause__ is None
    assert received.taken == {}
