"""Bad settings, all of them: each is refused with status 78 before anybody is connected to.

``TABLE`` is the specification's: what the client library would refuse, what it would accept, and
what only we can know. ``stream-app check`` is given each, with a door as the cluster's address
that sees whether somebody came.
"""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stream_app.__main__ import main
from stream_app.errors import ExitStatus

JOB = {
    "input.topic": "events",
    "input.framing": "single-object",
    "input.schema_dir": "schemas",
    "model.name": "model",
    "kafka.request_timeout_s": "1",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Settings that are refused.

    Attributes:
        what: In the specification's words.
        told: Words of the message: the setting, and what to do.
        given: With ``--set``.
        environment: As variables.
        file: As a TOML file.
    """

    what: str
    told: tuple[str, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    file: bytes | None = None


def sets(what: str, given: Mapping[str, str], *told: str) -> Row:
    """Given with ``--set``; every setting is named in the message unless it tells others."""
    return Row(what, told, given)


_SCRAM = {"kafka.security_protocol": "SASL_SSL", "kafka.sasl_mechanism": "SCRAM-SHA-512"}
_OURS = "the guarantees rest on"

TABLE = (
    # The client library refuses these; we say it before it connects, and name the setting.
    sets("unknown key", {"kafka.properties.nope": "1"}, '"nope"', "correct kafka.properties"),
    sets(
        "bad enum",
        {"kafka.properties.broker.address.family": "v5"},
        '"broker.address.family"',
        "correct kafka.properties",
    ),
    sets("a number out of its range", {"kafka.properties.fetch.min.bytes": "-5"}, "fetch.min.byte"),
    sets("a function as text", {"kafka.properties.error_cb": "x"}, "error_cb", "kafka.properties"),
    sets("acks other than all", {"kafka.properties.acks": "1"}, "acks", _OURS, "remove"),
    sets("acks by its second name", {"kafka.properties.request.required.acks": "0"}, "acks", _OURS),
    sets(
        "brokers by their second name",
        {"kafka.properties.metadata.broker.list": "elsewhere:1"},
        "metadata.broker.list",
        _OURS,
    ),
    sets(
        "a transactional id with idempotence off",
        {"kafka.properties.enable.idempotence": "false"},
        "enable.idempotence",
        _OURS,
    ),
    sets(
        "message timeout over the transaction's",
        {"kafka.properties.message.timeout.ms": "99999"},
        "message.timeout.ms",
        _OURS,
    ),
    sets(
        "request timeout over the transaction's",
        {"kafka.request_timeout_s": "11", "kafka.transaction_timeout_s": "10"},
        "kafka.request_timeout_s (11) must be at most",
        "kafka.transaction_timeout_s (10)",
    ),
    sets(
        "max.poll under the session",
        {"kafka.max_poll_interval_s": "9", "kafka.session_timeout_s": "10"},
        "kafka.max_poll_interval_s (9) must be at least",
        "kafka.session_timeout_s (10)",
    ),
    sets(
        "missing CA file",
        {"kafka.security_protocol": "SSL", "kafka.ssl_ca_file": "no-ca.pem"},
        "kafka.ssl_ca_file: no-ca.pem does not exist",
    ),
    sets(
        "missing key file",
        {"kafka.ssl_certificate_file": "no.pem", "kafka.ssl_key_file": "no-key.pem"},
        "kafka.ssl_key_file: no-key.pem does not exist",
    ),
    sets(
        "a certificate without its key",
        {"kafka.ssl_certificate_file": "no.pem"},
        "kafka.ssl_certificate_file and kafka.ssl_key_file",
    ),
    sets("SASL without a mechanism", {"kafka.security_protocol": "SASL_SSL"}, "sasl_mechanism"),
    sets("SASL without a password", _SCRAM, "needs kafka.sasl_username and", "password_file"),
    # The client library accepts these.
    sets(
        "no bootstrap servers",
        {"kafka.bootstrap_servers": ""},
        "kafka.bootstrap_servers is not set",
        "STREAM_APP_KAFKA__BOOTSTRAP_SERVERS",
    ),
    sets(
        "consumer keys that end exactly-once",
        {"kafka.properties.isolation.level": "read_uncommitted"},
        "isolation.level",
        _OURS,
    ),
    *(
        sets(
            f"certificates not verified ({word})",
            {"kafka.properties.enable.ssl.certificate.verification": word},
            "enable.ssl.certificate.verification",
            "kafka.ssl_ca_file",
        )
        for word in ("false", "FALSE", "0", "f")
    ),
    sets(
        "host names not verified",
        {"kafka.properties.ssl.endpoint.identification.algorithm": "none"},
        "ssl.endpoint.identification.algorithm",
    ),
    sets(
        "SASL/PLAIN over plaintext",
        {
            "kafka.security_protocol": "SASL_PLAINTEXT",
            "kafka.sasl_mechanism": "PLAIN",
            "kafka.sasl_username": "me",
            "kafka.sasl_password": "canary-4711",
        },
        "kafka.sasl_mechanism = PLAIN",
        "kafka.security_protocol = SASL_SSL",
    ),
    # Only we can know these.
    sets(
        "one member's name with the consumer protocol",
        {"kafka.group_instance_id": "one", "kafka.group_protocol": "consumer"},
        "kafka.group_instance_id cannot go with kafka.group_protocol",
        "leave it empty",
    ),
    sets(
        "predictions into the input",
        {"output.predictions_topic": "events"},
        "input.topic and output.predictions_topic are both 'events'",
        "different names",
    ),
    sets(
        "dead letters into the input",
        {"output.dlq_topic": "events"},
        "input.topic and output.dlq_topic are both 'events'",
        "different names",
    ),
    sets(
        "dead letters among the predictions",
        {"output.dlq_topic": "events.predictions"},
        "output.predictions_topic and output.dlq_topic are both",
    ),
    sets(
        "drift partials among the dead letters",
        {"drift.partials_topic": "events.dlq"},
        "output.dlq_topic and drift.partials_topic are both",
    ),
    *(
        sets(f"{name} = {word}", {name: word}, f"{name}: ")
        for name in ("batch.max_records", "batch.transaction_time_s", "batch.transaction_records")
        for word in ("0", "-1", "many")
    ),
    *(
        sets(f"a time of {word}", {"kafka.session_timeout_s": word}, "kafka.session_timeout_s: ")
        for word in ("nan", "inf", "1e300", "-1")
    ),
    sets("too many rows", {"batch.max_records": "1000001"}, "batch.max_records: ", "1000000"),
    sets(
        "a transaction over 15 minutes",
        {"kafka.transaction_timeout_s": "901"},
        "kafka.transaction_timeout_s is 901",
        "at most 900",
    ),
    sets(
        "a batch over a fifth of max.poll",
        {"batch.transaction_time_s": "3", "kafka.max_poll_interval_s": "12"},
        "batch.transaction_time_s (3) must be at most a fifth of kafka.max_poll_interval_s (12)",
    ),
    sets(
        "a batch over half of the transaction",
        {"batch.transaction_time_s": "6", "kafka.transaction_timeout_s": "10"},
        "batch.transaction_time_s (6) must be at most half of kafka.transaction_timeout_s (10)",
    ),
    sets(
        "missing secret",
        {**_SCRAM, "kafka.sasl_username": "me", "kafka.sasl_password_file": "no-secret"},
        "kafka.sasl_password_file: no-secret does not exist",
    ),
    sets(
        "a path too long for any file",
        {"input.schema_dir": "x" * 5_000},
        "input.schema_dir: ",
        "correct it",
    ),
    sets("no group", {"kafka.group": ""}, "kafka.group: "),
    sets("unknown key of ours", {"kafka.gruop": "x"}, "kafka.gruop: no such setting", "lists them"),
    sets("unknown section", {"kafak.group": "x"}, "kafak: no such setting", "lists them"),
    Row(
        "unknown section in a variable",
        ("STREAM_APP_BATHC__MAX_RECORDS: no such setting", "lists them"),
        environment={"STREAM_APP_BATHC__MAX_RECORDS": "1"},
    ),
    Row(
        "unknown name in a variable",
        ("kafka.gruop: no such setting", "lists them"),
        environment={"STREAM_APP_KAFKA__GRUOP": "1"},
    ),
    Row("unknown table", ("colour: no such setting",), file=b"[colour]\nred = 1\n"),
    Row(
        "a list that is no JSON",
        ('"registry"', "JSON", "STREAM_APP_REGISTRY__SUBJECTS="),
        environment={"STREAM_APP_REGISTRY__SUBJECTS": "loans-value"},
    ),
    Row(
        "JSON without end",
        ("JSON", "STREAM_APP_REGISTRY__SUBJECTS="),
        environment={"STREAM_APP_KAFKA": "[" * 9_999},
    ),
    sets("a section and its setting", {"log": "x", "log.level": "info"}, "log.level: log is given"),
    sets("a setting and its section", {"log.level": "info", "log": "x"}, "log: a section"),
    Row("no TOML", ("not valid TOML", "settings.toml"), file=b"kafka = "),
    Row("no text", ("not valid TOML", "settings.toml"), file=b"\xff\xfe"),
    Row("TOML without end", ("not valid TOML", "settings.toml"), file=b"x = " + b"[" * 9_999),
    Row("a number without end", ("not valid TOML",), file=b"x = " + b"9" * 9_999),
)

ELSEWHERE = {
    "duplicate ordinals": "slots are taken with a lock (tests/integration/test_slots.py); several "
    "workers with one member's name: tests/unit/test_wiring.py",
    "zero or negative window, window over retention": "come with drift windows",
    "features other than the model's inputs": "tests/hostile/test_models.py",
    "consumer keys on the producer": "kafka.properties are for both clients, and each passes over "
    "what is the other's: nothing is lost by it",
}
"""Rows of the specification that are not refused here, and why."""


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """Somebody who would see a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def nobody_came(door: socket.socket) -> bool:
    try:
        door.accept()[0].close()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("row", TABLE, ids=[row.what for row in TABLE])
def test_bad_settings_are_refused_before_anything_is_connected(
    row: Row,
    door: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schemas").mkdir()
    for name, value in row.environment.items():
        monkeypatch.setenv(name, value)
    address = f"127.0.0.1:{door.getsockname()[1]}"
    given = {**JOB, "kafka.bootstrap_servers": address, **row.given}
    arguments = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    if row.file is not None:
        (tmp_path / "settings.toml").write_bytes(row.file)
        arguments += ["--config", "settings.toml"]
    assert main(["check", *arguments]) == ExitStatus.CONFIG
    shown = capfd.readouterr()
    told = shown.out + shown.err
    for words in row.told:
        assert words in told
    assert "Traceback" not in told
    assert "canary" not in told
    assert nobody_came(door), "somebody was connected to before the settings were refused"


def test_the_door_sees_who_is_let_through(
    door: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: good settings do connect."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schemas").mkdir()
    given = {**JOB, "kafka.bootstrap_servers": f"127.0.0.1:{door.getsockname()[1]}"}
    main(["check", *(part for n, v in given.items() for part in ("--set", f"{n}={v}"))])
    assert not nobody_came(door)
