"""A worker whose native code kills it on certain records: `stream-app score` with a bad decoder.

    CRASHES_AT=<partition>:<offset>[,...] CRASHES_BY=SIGSEGV|SIGKILL
    python -m tests.fault.crashing_worker score ...

Decides that a record kills by its position alone, in the middle of decoding its batch, as a bug
in a library would: a real segmentation fault, or the signal that operators and the system's lack
of memory send.
"""

import ctypes
import os
import signal
import sys
from typing import Any

from stream_app.__main__ import main
from stream_app.adapters.avro.fastavro_decoder import FastavroDecoder
from stream_app.core.columns import EventBatch, RecordBatch

MODULE = "tests.fault.crashing_worker"
AT = "CRASHES_AT"
BY = "CRASHES_BY"


def break_the_decoder(killers: frozenset[tuple[int, int]], by: str) -> None:
    """Let it die of these positions."""
    decode = FastavroDecoder.decode

    def deadly(self: Any, records: RecordBatch) -> EventBatch:
        events = decode(self, records)
        rows = zip(records.partition.tolist(), records.offset.tolist(), strict=True)
        if not killers.isdisjoint(rows):
            if by == "SIGSEGV":
                ctypes.string_at(0)
            os.kill(os.getpid(), signal.SIGKILL)
        return events

    FastavroDecoder.decode = deadly  # type: ignore[method-assign]  # that is what this is for


def asked() -> frozenset[tuple[int, int]]:
    """The positions in the environment."""
    pairs = (text.split(":") for text in os.environ[AT].split(","))
    return frozenset((int(partition), int(offset)) for partition, offset in pairs)


if __name__ == "__main__":
    break_the_decoder(asked(), os.environ.get(BY, "SIGSEGV"))
    sys.exit(main())
