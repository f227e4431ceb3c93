"""Each kernel is compiled once, ahead: no batch has types that a later one would compile for.

In a process of its own: what other tests compiled is no matter here.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json

from stream_app.adapters.avro import compiled_kernels
from stream_app.adapters.kafka.native import gates, header_kernels, kernels
from stream_app.adapters.kafka.native.library import library
from stream_app.core.avro.store import WriterSchema
from stream_app.core.contract import DType, Feature
from stream_app.settings import Framing
from tests.avro_kit import MemoryStore, batch, confluent, contract_of, event_schema, written
from tests.decoders import DECODERS
from tests.hostile.the_path import ThePath

KERNELS = {
    "decode_rows": compiled_kernels.decode_rows,
    "encode_rows": compiled_kernels.encode_rows,
    "measure": kernels.measure,
    "take": kernels.take,
    "release": kernels.release,
    "send": kernels.send,
    "measure_headers": header_kernels.measure_headers,
    "take_headers": header_kernels.take_headers,
}
compiled_kernels.load()
kernels.load()
header_kernels.load()
ahead = {name: len(each.signatures) for name, each in KERNELS.items()}

text = event_schema({"name": "f", "type": ["null", "double"]})
good = [written(text, {"id": str(n), "f": float(n) if n % 2 else None}) for n in range(9)]
rows = [confluent(1, value) for value in good]
contract = contract_of(Feature("f"))
for dtype in (DType.FLOAT32, DType.FLOAT64):
    for values in (rows, [*rows, None, b"", b"bad"], [None], [b"bad"] * 3):
        for headers in ({}, {0: (("a", b"1"), ("__value_schema_id", b"x"))}):
            path = ThePath(
                DECODERS["compiled"], contract_of(Feature("f"), dtype=dtype),
                MemoryStore({1: WriterSchema(text)}), Framing.CONFLUENT,
            )
            path.outcomes(batch(values, headers))
gates.self_test(library())
after = {name: len(each.signatures) for name, each in KERNELS.items()}
print(json.dumps([ahead, after]))
"""


def test_what_is_compiled_ahead_is_all_that_is_ever_used() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    ahead, after = json.loads(ran.stdout.splitlines()[-1])
    assert set(ahead.values()) == {1}
    assert after == ahead
