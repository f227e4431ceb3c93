"""When changed credential files are looked at, tried and taken; what their faults are called."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stream_app.adapters.kafka.credential_files import KafkaCredentialFiles
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.credentials import Credentials
from stream_app.settings import KafkaSettings
from tests.fakes import FakeClock
from tests.security.certificates import Authority

EVERY_S = 10.0


@dataclass
class Files:
    """Files with a content and the brokers' opinion of it; a test changes both."""

    content: str = "old"
    refused: set[str] = field(default_factory=set)
    looks: int = 0
    trials: int = 0

    def fingerprint(self) -> str:
        self.looks += 1
        return self.content

    def fault(self) -> str | None:
        self.trials += 1
        return "no" if self.content in self.refused else None


@dataclass
class Case:
    files: Files = field(default_factory=Files)
    clock: FakeClock = field(default_factory=lambda: FakeClock(step_s=0.0))

    def __post_init__(self) -> None:
        self.credentials = Credentials(self.files, self.clock, NullTelemetry(), EVERY_S)

    def after(self, seconds: float) -> bool:
        """Whether new clients are due once that time is over, and taken if so."""
        self.clock.time_s += seconds
        credentials = self.credentials
        due = credentials.changed(self.clock.now_s()) and credentials.usable()
        if due:
            credentials.taken()
        return due


@pytest.fixture
def case() -> Case:
    return Case()


def test_the_same_content_is_never_tried(case: Case) -> None:
    assert [case.after(EVERY_S) for _ in range(50)] == [False] * 50
    assert case.files.trials == 0


def test_files_are_looked_at_at_their_interval_and_not_at_every_turn(case: Case) -> None:
    looks = case.files.looks
    assert not any(case.after(EVERY_S / 100) for _ in range(99))
    assert case.files.looks == looks
    case.after(EVERY_S)
    assert case.files.looks == looks + 1


def test_new_content_is_taken_once(case: Case) -> None:
    case.files.content = "new"
    assert [case.after(EVERY_S) for _ in range(5)] == [True, False, False, False, False]


def test_refused_content_is_not_taken_and_tried_again_less_and_less_often(case: Case) -> None:
    case.files.content = "bad"
    case.files.refused = {"bad"}
    assert not any(case.after(EVERY_S) for _ in range(60))
    assert 9 <= case.files.trials <= 15, "after 10, 20, 40, then every 60 of 600 s"


def test_refused_content_is_taken_when_the_brokers_accept_it(case: Case) -> None:
    case.files.content = "early"
    case.files.refused = {"early"}
    assert not case.after(EVERY_S)
    case.files.refused = set()
    assert [case.after(EVERY_S) for _ in range(9)].count(True) == 1


def test_other_content_after_a_refusal_is_tried_at_the_next_look(case: Case) -> None:
    case.files.refused = {"half"}
    case.files.content = "half"
    for _ in range(20):
        case.after(EVERY_S)
    case.files.content = "whole"
    assert case.after(EVERY_S)


def test_the_old_content_again_is_no_change(case: Case) -> None:
    case.files.refused = {"bad"}
    case.files.content = "bad"
    assert not case.after(EVERY_S)
    case.files.content = "old"
    assert not any(case.after(EVERY_S) for _ in range(20))
    case.files.content = "bad"
    trials = case.files.trials
    case.after(EVERY_S)
    assert case.files.trials == trials + 1


def test_what_is_usable_stays_due_until_it_is_taken(case: Case) -> None:
    case.files.content = "new"
    case.clock.time_s += EVERY_S
    now_s = case.clock.now_s()
    assert case.credentials.changed(now_s)
    assert case.credentials.usable()
    # Somebody who waits for brokers saw it first; the loop must see it too.
    assert case.credentials.changed(now_s)
    assert case.credentials.usable()
    case.credentials.taken()
    assert not case.credentials.changed(now_s)
    assert case.files.trials == 1


# -- the files of the Kafka clients ----------------------------------------------------------


def kafka(**given: object) -> KafkaSettings:
    return KafkaSettings.model_validate({"security_protocol": "SSL", **given})


def test_a_fingerprint_is_of_content_and_not_of_times_and_links(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    for folder in ("1", "2"):
        (tmp_path / folder / "secret").write_text("same", "utf-8")
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "1")
    files = KafkaCredentialFiles(kafka(sasl_password_file=link / "secret"))
    before = files.fingerprint()
    # As Kubernetes swaps a mounted secret.
    link.unlink()
    link.symlink_to(tmp_path / "2")
    assert files.fingerprint() == before
    (tmp_path / "2" / "secret").write_text("other", "utf-8")
    assert files.fingerprint() != before
    (tmp_path / "2" / "secret").unlink()
    assert files.fingerprint() != before


def test_what_moves_from_one_file_to_another_is_a_change(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    files = KafkaCredentialFiles(kafka(ssl_certificate_file=one, ssl_key_file=other))
    one.write_bytes(b"ab")
    other.write_bytes(b"c")
    before = files.fingerprint()
    one.write_bytes(b"a")
    other.write_bytes(b"bc")
    assert files.fingerprint() != before


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("empty", "kafka.ssl_key_file.* is empty"),
        ("gone", "kafka.ssl_key_file.* cannot be read"),
        ("another's", "belong together"),
        ("cut off", "not a certificate and its key"),
        ("expired", "has expired"),
    ],
)
def test_a_broken_file_is_named_without_asking_the_brokers(
    tmp_path: Path, broken: str, words: str
) -> None:
    authority = Authority(tmp_path, "ours")
    identity = authority.issue("worker", expired=broken == "expired")
    given = kafka(ssl_certificate_file=identity.certificate, ssl_key_file=identity.key)
    if broken == "empty":
        identity.key.write_bytes(b"\n")
    elif broken == "gone":
        identity.key.unlink()
    elif broken == "another's":
        identity.key.write_bytes(authority.issue("another").key.read_bytes())
    elif broken == "cut off":
        identity.key.write_bytes(identity.key.read_bytes()[:100])
    fault = KafkaCredentialFiles(given).fault()
    assert fault is not None
    assert re.search(words, fault), fault
