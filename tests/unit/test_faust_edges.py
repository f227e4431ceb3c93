"""Faust at our edges: who we are to the brokers, and nothing of its own in our process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("faust")

from faust.auth import SASLCredentials, SSLCredentials

from stream_app.adapters.monitor.faust_credentials import broker_credentials, ignored_properties
from stream_app.errors import ConfigError, ExitStatus
from stream_app.settings import KafkaSettings, load_settings

ROOT = Path(__file__).parents[2]


def kafka(**given: str) -> KafkaSettings:
    return load_settings(overrides={f"kafka.{k}": v for k, v in given.items()}).kafka


def test_open_brokers_need_nothing() -> None:
    assert broker_credentials(kafka()) is None


def test_tls_checks_names_and_certificates_always() -> None:
    found = broker_credentials(kafka(security_protocol="SSL"))
    assert isinstance(found, SSLCredentials)
    assert found.context.check_hostname
    assert found.context.verify_mode.name == "CERT_REQUIRED"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_passwords_are_read_anew_and_go_over_tls(mechanism: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    given = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": mechanism,
        "sasl_username": "monitor",
        "sasl_password_file": str(path),
    }
    for password in ("first", "second"):
        path.write_text(password + "\n")
        found = broker_credentials(kafka(**given))
        assert isinstance(found, SASLCredentials)
        assert (found.mechanism.value, found.username, found.password) == (
            mechanism, "monitor", password,
        )  # fmt: skip
        assert found.protocol.value == "SASL_SSL"
        assert password not in repr(found)


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("canary")
    with pytest.raises(ConfigError, match=r"kafka\.ssl_ca_file"):
        broker_credentials(kafka(security_protocol="SSL", ssl_ca_file=str(broken)))
    with pytest.raises(ConfigError, match="ssl_key_password right"):
        broker_credentials(
            kafka(
                security_protocol="SSL",
                ssl_certificate_file=str(broken),
                ssl_key_file=str(broken),
            )
        )


@pytest.mark.parametrize(
    ("properties", "refused"),
    [
        ({"ssl.cipher.suites": "x", "sasl.kerberos.principal": "y"}, True),
        ({"enable.ssl.certificate.verification": "true"}, False),
        ({"client.rack": "a", "socket.nagle.disable": "true"}, False),
    ],
)
def test_ways_in_that_faust_does_not_know_are_refused_and_the_rest_is_named(
    properties: dict[str, str], refused: bool
) -> None:
    given = kafka(**{f"properties.{name}": value for name, value in properties.items()})
    if refused:
        with pytest.raises(ConfigError) as told:
            broker_credentials(given)
        assert [name for name in properties if name not in str(told.value)] == []
    else:
        broker_credentials(given)
        assert ignored_properties(given) == sorted(properties)


def run(code: str, arguments: Sequence[str] = (), **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_library_sees_neither_our_command_line_nor_its_own_variables() -> None:
    code = (
        "import sys, os\n"
        "from stream_app.adapters.monitor.quiet_faust import require_faust\n"
        "require_faust()\n"
        "assert sys.argv[1:] == ['--loop', 'nonsense', '--datadir=/nowhere'], sys.argv\n"
        "assert os.environ['FAUST_LOOP'] == 'nonsense'\n"
        "assert os.environ['FAUST_DATADIR'] == '/elsewhere'\n"
        "print('fine')\n"
    )
    told = run(
        code,
        ["--loop", "nonsense", "--datadir=/nowhere"],
        FAUST_LOOP="nonsense",
        FAUST_DATADIR="/elsewhere",
    )
    assert told == "fine\n"


def test_without_the_extra_the_command_says_how_to_have_it() -> None:
    code = (
        "import sys\n"
        "sys.modules['faust'] = None\n"
        "from stream_app.__main__ import main\n"
        "print(main(['monitor', '--set', 'input.topic=t']))\n"
    )
    told = run(code)
    assert "pip install 'stream-app[monitor]'" in told
    assert told.startswith(f"{int(ExitStatus.CONFIG)}\n")
    assert "Traceback" not in told
