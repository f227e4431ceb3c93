"""The yardstick of decoding runs, and names everybody in its answer."""

import json
import subprocess
import sys


def test_it_measures_every_way_of_decoding_and_prints_nothing_but_json() -> None:
    command = [sys.executable, "-m", "tests.bench.decode", "--json"]
    done = subprocess.run(
        [*command, "--records", "300", "--batch", "100", "--rounds", "1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = json.loads(done.stdout)
    assert set(told["microseconds_per_record"]) == {
        "fastavro, a dictionary a record",
        "fastavro by hand, to tensors",
        "strict (fastavro), to tensors",
        "compiled, to tensors",
    }
    assert told["times_compiled"]["compiled, to tensors"] == 1
    assert all(us > 0 for us in told["microseconds_per_record"].values())
