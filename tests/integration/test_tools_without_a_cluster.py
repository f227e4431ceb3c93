"""The tools where no broker answers: one message, with the address and what to look at."""

import socket

import pytest

from stream_app.errors import ExitStatus
from tests.command_line import command_line


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("topics", "create"),
        ("offsets", "show"),
        ("tail", "events", "--raw"),
        ("produce", __file__, "--format", "jsonl", "--framing", "single-object"),
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_a_broker_that_is_not_there_is_told_with_its_address(
    arguments: tuple[str, ...],
    closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    address = f"127.0.0.1:{closed_port}"
    cli = command_line(address, monkeypatch, capsys)
    if arguments[0] == "produce":
        schema = tmp_path_factory.mktemp("schema") / "event.avsc"
        schema.write_text('{"type": "record", "name": "R", "fields": []}', encoding="utf-8")
        arguments = (*arguments, "--schema", str(schema))
    answer = cli(*arguments, input__topic="events", kafka__request_timeout_s=1)
    assert answer.status == ExitStatus.UNAVAILABLE
    assert f"no broker answers at {address} within 1 s" in answer.err
    assert "Connection refused" in answer.err
    assert len(answer.err.splitlines()) == 1
