"""What a process really writes to standard error."""

import json
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import logging
import structlog
from pydantic import BaseModel, SecretStr
from stream_app.adapters.process.logs import configure_logging
log = structlog.get_logger()
"""


def stderr_of(body: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "", "standard output belongs to the commands"
    return done.stderr


def events_of(body: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stderr_of(body).splitlines()]


def test_every_line_is_one_json_event_whoever_wrote_it() -> None:
    ours, theirs, warned = events_of(
        """
        configure_logging("info", "auto", worker=3)
        log.info("started", partitions=[1, 2])
        logging.getLogger("confluent_kafka").error("broker %s is away", "b1")
        import warnings
        warnings.warn("old\\nnews")
        """
    )
    assert (ours["event"], ours["partitions"], ours["worker"]) == ("started", [1, 2], 3)
    assert theirs["event"] == "broker b1 is away"
    assert (theirs["logger"], theirs["level"], theirs["worker"]) == ("confluent_kafka", "error", 3)
    assert "old" in str(warned["event"])
    assert all(str(event["timestamp"]).endswith("Z") for event in (ours, theirs, warned))


def test_nothing_below_the_level_is_written() -> None:
    assert (
        events_of(
            """
            configure_logging("error", "json")
            log.warning("no")
            logging.getLogger("confluent_kafka").warning("no")
            """
        )
        == []
    )


def test_repeated_errors_are_written_once_and_counted_at_the_end() -> None:
    events = events_of(
        """
        configure_logging("info", "json")
        for number in range(1000):
            log.error("delivery_failed", code="A", number=number)
            logging.getLogger("lib").warning("away for %d s", number)
            log.info("progress") if number < 2 else None
        """
    )
    assert [(e["event"], e.get("repeated")) for e in events] == [
        ("delivery_failed", None),
        ("away for 0 s", None),
        ("progress", None),
        ("progress", None),
        ("delivery_failed", 999),
        ("away for %d s", 999),
    ]
    assert events[4]["code"] == "A"


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_payloads_and_local_variables_are_never_written(form: str) -> None:
    text = stderr_of(
        f"""
        configure_logging("debug", "{form}")

        class Settings(BaseModel):
            password: SecretStr

        def fail(local):
            raise ValueError("what failed")

        secret = SecretStr("canary")
        log.info("settings", one=secret, many=[secret], model=Settings(password=secret))
        log.info("record", value=b"canary", key=bytearray(b"canary"))
        try:
            fail("can" "ary")
        except ValueError:
            log.exception("failed")
            logging.getLogger("lib").exception("failed too")
        """
    )
    assert "canary" not in text
    assert text.count("ValueError: what failed") == 2
    assert "<6 bytes>" in text


def test_the_same_event_of_another_worker_is_told() -> None:
    events = events_of(
        """
        configure_logging("info", "json")
        for worker in (0, 1, 0, 1, 1):
            log.warning("worker_ended", worker=worker)
        """
    )
    assert [(str(e["worker"]), e.get("repeated")) for e in events] == [
        ("0", None),
        ("1", None),
        ("0", 1),
        ("1", 2),
    ]


def test_configuring_again_replaces_the_first() -> None:
    events = events_of(
        """
        configure_logging("info", "console", run=1)
        configure_logging("info", "json", run=2)
        log.info("once")
        """
    )
    assert [(event["event"], event["run"]) for event in events] == [("once", 2)]


def test_the_console_form_without_a_terminal_has_no_colours() -> None:
    text = stderr_of('configure_logging("info", "console")\nlog.info("hello", a=1)')
    assert "hello" in text
    assert "a=1" in text
    assert "\x1b" not in text
