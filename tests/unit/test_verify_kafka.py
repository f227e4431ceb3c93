"""The verifier's clients: refused settings, odd headers, and where a partition ends; no cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from stream_app.adapters.verifier import kafka as module
from stream_app.adapters.verifier.kafka import VerifyKafka
from stream_app.adapters.verifier.messages import headers_of
from stream_app.errors import ConfigError, UnavailableError
from stream_app.settings import load_settings
from stream_app.verify.letters import UNREADABLE_HEADERS


def reader(**overrides: str) -> VerifyKafka:
    told = {"kafka.bootstrap_servers": "localhost:1", "kafka.request_timeout_s": "1"}
    more = {name.replace("__", "."): value for name, value in overrides.items()}
    return VerifyKafka(load_settings(overrides=told | more).kafka, read_committed=True)


def test_a_property_that_the_client_refuses_is_told_as_a_setting_to_mend() -> None:
    with pytest.raises(ConfigError, match="nope"):
        reader(**{"kafka.properties.nope": "1"})


def test_an_authority_that_is_no_pem_is_told_as_a_setting_to_mend(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"ssl_ca_file|ca\.pem"):
        reader(kafka__security_protocol="SSL", kafka__ssl_ca_file=str(authority))


class Message:
    """As the client hands it over."""

    def __init__(self, offset: int, code: int | None = None) -> None:
        self._offset = offset
        self._error = None if code is None else KafkaError(code)

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset


class Script:
    """A consumer that yields these, and then nothing."""

    def __init__(self, *messages: Message) -> None:
        self._left: Iterator[Message] = iter(messages)

    def assign(self, positions: Any) -> None:
        pass

    def consume(self, _count: int, wait_s: float) -> list[Message]:
        return [m for m in (next(self._left, None),) if m is not None] if wait_s else []

    def close(self) -> None:
        pass


def read(monkeypatch: pytest.MonkeyPatch, *messages: Message) -> list[int]:
    """Offsets read of those from 0 up to 5."""
    monkeypatch.setattr(module, "_STALLED_S", 0.3)
    kafka, offsets = reader(), list[int]()
    monkeypatch.setattr(kafka, "_new_consumer", lambda isolation: Script(*messages))
    try:
        kafka.read("t", {0: (0, 5)}, lambda m: offsets.append(m.offset()), lambda a, b: None)
    finally:
        kafka.close()
    return offsets


END = KafkaError._PARTITION_EOF


def test_an_end_before_the_one_that_was_asked_for_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    early = [Message(0), Message(1, END), Message(1), Message(2), Message(5, END)]
    assert read(monkeypatch, *early) == [0, 1, 2]
    assert read(monkeypatch, Message(0), Message(4), Message(1)) == [0, 4]
    with pytest.raises(UnavailableError, match="not at their end"):
        read(monkeypatch, Message(0), Message(1, END))


def test_a_trouble_that_the_client_mends_does_not_end_the_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read(monkeypatch, Message(0, KafkaError._TRANSPORT), Message(4)) == [4]


@pytest.mark.parametrize("error", [SystemError, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "")])
def test_headers_that_the_client_cannot_hand_over_leave_a_sign(error: Any) -> None:
    class Odd:
        def headers(self) -> None:
            raise error

    assert headers_of(Odd()) == [UNREADABLE_HEADERS]
