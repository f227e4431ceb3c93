"""OAUTHBEARER with signed tokens on a real broker: who gets in, and tokens that run out (F45)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.errors import ConfigError, StreamAppError, UnavailableError
from tests.fault.bench import Bench
from tests.security.doors import Doors
from tests.security.token_server import Mood, TokenServer
from tests.security.under_load import NOTICED_S, scoring
from tests.worker import Job, until

SHORT_S = 12.0
"""Lifetime of a token in these runs; the client asks for the next at four fifths of it."""


@pytest.fixture
def tokens(doors: Doors) -> Iterator[TokenServer]:
    doors.tokens.reset()
    yield doors.tokens
    doors.tokens.reset()


def told(job: Job) -> StreamAppError:
    with pytest.raises(StreamAppError) as refusal:
        KafkaAdmin(job.settings.kafka).partition_counts()
    return refusal.value


@pytest.mark.parametrize(
    ("mood", "kind", "words"),
    [
        ("unauthorized", ConfigError, ("kafka.oauth_client_secret_file", "invalid_client")),
        ("wrong key", ConfigError, ("brokers do not accept the token", "keys, issuer")),
        ("no token", ConfigError, ("access_token", "kafka.oauth_token_url")),
        ("broken", UnavailableError, ("kafka.oauth_token_url answers",)),
        ("slow", UnavailableError, ("kafka.oauth_token_url answers",)),
    ],
)
def test_a_token_that_is_not_given_or_not_accepted_is_told_with_its_settings(
    doors: Doors,
    tokens: TokenServer,
    tmp_path: Path,
    mood: Mood,
    kind: type[StreamAppError],
    words: tuple[str, ...],
) -> None:
    tokens.mood = mood
    refusal = told(doors.job(tmp_path, "OAUTH"))
    assert type(refusal) is kind
    for word in words:
        assert word in str(refusal)
    assert tokens.secret not in str(refusal)


def test_a_wrong_secret_is_a_fault_of_settings(
    doors: Doors, tokens: TokenServer, tmp_path: Path
) -> None:
    refusal = told(doors.job(tmp_path, "OAUTH", kafka__oauth_client_secret="canary-wrong"))
    assert isinstance(refusal, ConfigError)
    assert "kafka.oauth_client_secret_file" in str(refusal)
    assert "canary" not in str(refusal)


def test_an_endpoint_that_is_away_is_waited_for(
    doors: Doors, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.stop()
    refusal = told(doors.job(tmp_path, "OAUTH"))
    assert isinstance(refusal, UnavailableError), "it may come back: not a fault of settings"
    assert "kafka.oauth_token_url" in str(refusal)


def test_a_token_that_is_over_when_it_comes_is_refused(
    doors: Doors, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.lifetime_s = -5
    assert "unexpired" in str(told(doors.job(tmp_path, "OAUTH")))


@pytest.mark.fault("F45")
def test_tokens_are_renewed_while_records_are_scored(
    bench: Bench, doors: Doors, tokens: TokenServer
) -> None:
    tokens.lifetime_s = SHORT_S
    with scoring(bench, doors, "OAUTH") as (run, worker):
        with run.fault("tokens run out, again and again"):
            begun = tokens.given
            # Two clients, and each asks several times.
            until("tokens were renewed", lambda: tokens.given >= begun + 6, NOTICED_S)
        run.recovered(within_s=NOTICED_S)
        worker.wait_ready()
        assert run.alive() == [worker]
        assert tokens.secret not in worker.log()


@pytest.mark.fault("F45")
def test_an_endpoint_that_goes_and_comes_back_costs_nothing_but_time(
    bench: Bench, doors: Doors, tokens: TokenServer
) -> None:
    tokens.lifetime_s = SHORT_S
    with scoring(bench, doors, "OAUTH") as (run, worker):
        with run.fault("no tokens for longer than one lives"):
            tokens.stop()
            until(
                "the worker says what it lacks",
                lambda: "kafka.oauth_token_url" in worker.log(),
                NOTICED_S,
            )
            tokens.mood = "unauthorized"
            tokens.start()
            asked = tokens.asked
            until("it asks and is refused", lambda: tokens.asked > asked, NOTICED_S)
            tokens.mood = "good"
        run.recovered(within_s=NOTICED_S)
        worker.wait_ready()
        assert run.alive() == [worker]


@pytest.mark.fault("F45")
def test_a_new_client_secret_is_taken_up(
    bench: Bench, doors: Doors, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.lifetime_s = SHORT_S
    secret = tmp_path / "secret"
    secret.write_text(tokens.secret, "utf-8")
    more = {"kafka__oauth_client_secret_file": str(secret), "kafka__credentials_check_s": "0.5"}
    with scoring(bench, doors, "OAUTH", **more) as (run, worker):
        with run.fault("the endpoint knows the new secret alone"):
            tokens.secret = "canary-of-tomorrow"
            until("it is refused", lambda: "invalid_client" in worker.log(), NOTICED_S)
        secret.write_text("canary-of-tomorrow\n", "utf-8")
        worker.wait_for("credentials_taken", NOTICED_S)
        run.recovered(within_s=NOTICED_S)
        worker.wait_ready()
        assert run.alive() == [worker]
        assert "canary" not in worker.log()
