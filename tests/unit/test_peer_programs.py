"""Laws of running a peer: its core, its parent, its answer, its end."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from stream_app.errors import RetriableError, StreamAppError
from tests.bench.peers.homes import HERE
from tests.bench.peers.orders import PeerOrder
from tests.bench.peers.programs import run

PINNED = str(HERE / "pinned.py")
ANSWERS = 'import json, sys; print("noise"); print(json.dumps({"answer": json.load(sys.stdin)}))'

linux = pytest.mark.skipif(sys.platform != "linux", reason="nobody is pinned elsewhere")


def order(folder: Path) -> PeerOrder:
    names = "servers input output group model compression event_schema prediction_schema"
    texts = dict.fromkeys([*names.split(), "event_prefix", "prediction_prefix"], "text")
    return PeerOrder(
        **texts,
        records=7,
        lineage={"model_name": "mlp"},
        batch=512,
        transaction_s=0.1,
        linger_ms=5.0,
        folder=str(folder),
    )


def carry(folder: Path, program: str, limit_s: float = 30.0) -> object:
    command = (sys.executable, "-c", program)
    return run(command, order(folder), (), "a peer", limit_s, nullcontext)


def test_a_peer_reads_its_order_and_its_answer_is_taken(tmp_path: Path) -> None:
    answer = carry(tmp_path, ANSWERS)
    assert isinstance(answer, dict)
    assert (answer["records"], answer["lineage"]) == (7, {"model_name": "mlp"})


def test_a_peer_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(StreamAppError, match=r"(?s)a peer: ended with status 1.*it is broken"):
        carry(tmp_path, "raise SystemExit('it is broken')")


def test_a_peer_that_does_not_end_is_ended(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    program = f"import os, time; open({str(place)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(RetriableError, match="not done within 4 s"):
        carry(tmp_path, program, 4.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.read_text()), 0)


@linux
def test_a_peer_sees_its_cores_only() -> None:
    core = max(os.sched_getaffinity(0))
    look = "import os; print(os.sched_getaffinity(0))"
    command = [
        sys.executable,
        PINNED,
        str(os.getpid()),
        str(core),
        "--",
        sys.executable,
        "-c",
        look,
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.strip() == f"{{{core}}}"


@linux
def test_a_peer_of_somebody_who_has_ended_does_not_begin() -> None:
    command = [sys.executable, PINNED, "1", "", "--", sys.executable, "-c", "print('begun')"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 1
    assert (told.stdout, told.stderr) == ("", "whoever started this has ended\n")
