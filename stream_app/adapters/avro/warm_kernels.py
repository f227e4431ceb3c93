"""The kernels made ready before the first batch: compiled once a machine, from then on loaded.

Decides when they are compiled (here, and never inside a batch) and that one process does it while
the others wait. Where they cannot be had at all the path goes on without them.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import structlog

from stream_app.adapters.process.user_cache import Progress, exclusive, silent

log = structlog.get_logger(__name__)

_COMPILES = "compiling the kernels that decode, encode and count: once a version and user, about {}"
_ABOUT = "20 s"


@dataclass(frozen=True, slots=True)
class WarmKernels:
    """What it took.

    Attributes:
        compiled: Whether they had to be compiled; else they were loaded.
        seconds: In all.
        kept_in: For the next process; ``None``: nowhere.
    """

    compiled: bool
    seconds: float
    kept_in: Path | None


def warm_kernels(tell: Progress = silent, *, native: bool = False) -> WarmKernels | None:
    """Have them compiled or loaded; ``None`` when this machine cannot.

    Args:
        tell: Hears, in words, what takes long.
        native: Also those of the native Kafka client.
    """
    started_s = time.monotonic()
    try:
        # numba is a large library: whoever needs no kernels does not wait for it.
        from stream_app.adapters.avro import compiled_kernels  # noqa: PLC0415

        kept_in = compiled_kernels.KEPT_IN
        if kept_in is None:
            tell(_COMPILES.format(f"{_ABOUT}, and there is no folder to keep them in"))
            compiled = _load(compiled_kernels, native=native)
        else:
            with _alone(kept_in, tell):
                if not _are_there(kept_in, native=native):
                    tell(_COMPILES.format(_ABOUT))
                compiled = _load(compiled_kernels, native=native)
    except Exception as exc:  # noqa: BLE001  # numba and LLVM list nothing
        log.warning(
            "kernels_unavailable",
            reason=f"{type(exc).__name__}: {exc}",
            consequence="records are decoded and encoded one by one, about fifty times slower",
        )
        return None
    return WarmKernels(compiled, time.monotonic() - started_s, kept_in)


@contextmanager
def _alone(kept_in: Path, tell: Progress) -> Iterator[None]:
    with ExitStack() as stack:
        # Without a lock two processes may compile the same, which costs time and nothing else.
        with suppress(OSError):
            stack.enter_context(exclusive(kept_in, tell))
        yield


def _are_there(kept_in: Path, *, native: bool) -> bool:
    """One of each module with kernels."""
    found = {path.name.rpartition("-")[0] for path in kept_in.rglob("*.nbi")}
    wanted = {"decode.decode_rows", "encode.encode_rows", "kernels.find_cells"}
    return wanted <= found and (not native or "kernels.measure" in found)


def _load(compiled_kernels: ModuleType, *, native: bool) -> bool:
    from stream_app.adapters.drift import compiled_counting  # noqa: PLC0415  # numba

    compiled: bool = compiled_kernels.load() | compiled_counting.load()
    if native:
        from stream_app.adapters.kafka.native import header_kernels, kernels  # noqa: PLC0415  # numba

        compiled |= kernels.load() | header_kernels.load()
    return compiled
