"""``python -m tests.fault.failing_model score``: our program on a device that fails.

Stands in for ONNX Runtime on a GPU: its session raises what ONNX Runtime raises there, with the
texts that were seen, and otherwise computes as ever. Decides only when: after the warm-up, as the
environment says.

    FAILING_MODEL=memory:ROWS   no memory for more rows than this at once
    FAILING_MODEL=dead:RUN:FILE the device is lost at this run, and for good in this process; with
                                FILE there, which is written then, another process has a sound one
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from stream_app.__main__ import main

VARIABLE = "FAILING_MODEL"

OUT_OF_MEMORY = (
    "Non-zero status code returned while running Conv node. Name:'conv1' Status Message: "
    "bfc_arena.cc:376 BFCArena::AllocateRawInternal Failed to allocate memory for requested "
    "buffer of size 268435456"
)
DEAD = (
    "Non-zero status code returned while running Gemm node. Name:'fc1' Status Message: CUDA "
    "failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=h"
)

_WARM_UP_RUNS = 12
"""At least the golden vectors, and some runs of each batch size."""


def _without_memory(rows: int) -> Callable[[int, int], None]:
    def fail(run: int, asked: int) -> None:
        if run > _WARM_UP_RUNS and asked > rows:
            print(f"stand-in: no memory for {asked} rows", file=sys.stderr)  # noqa: T201 - the log
            raise state.RuntimeException(OUT_OF_MEMORY)

    return fail


def _dead_from(first: int, once: Path) -> Callable[[int, int], None]:
    sound = once.exists()

    def fail(run: int, asked: int) -> None:
        del asked
        if not sound and run >= first:
            once.touch()
            raise state.Fail(DEAD)

    return fail


def _break(fail: Callable[[int, int], None]) -> None:
    runs = [0]

    class Failing(onnxruntime.InferenceSession):  # type: ignore[misc]  # the library has no types
        def run(self, names: Any, feeds: Any, *more: Any) -> Any:
            runs[0] += 1
            fail(runs[0], len(next(iter(feeds.values()))))
            return super().run(names, feeds, *more)

    onnxruntime.InferenceSession = Failing


if __name__ == "__main__":
    how, _, which = os.environ[VARIABLE].partition(":")
    number, _, file = which.partition(":")
    _break(_without_memory(int(number)) if how == "memory" else _dead_from(int(number), Path(file)))
    sys.exit(main(sys.argv[1:]))
