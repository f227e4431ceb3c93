"""What ONNX Runtime's exceptions mean to us.

Decides, from exception types and texts, who is guilty: the file, these rows, their number, or the
device. Texts of failed runs are cut: they can hold values of the payload (an index out of range
is quoted), so only the operator's type and name are passed on.
"""

import re

from onnxruntime.capi import onnxruntime_pybind11_state as state

from stream_app.errors import (
    ConfigError,
    DeviceOutOfMemoryError,
    FatalError,
    ModelRunError,
    StreamAppError,
)

RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    state.DeviceReset,
    state.EPFail,
    state.EngineError,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.ModelLoadCanceled,
    state.ModelLoaded,
    state.ModelRequiresCompilation,
    state.NoModel,
    state.NoSuchFile,
    state.NotFound,
    state.NotImplemented,
    state.RuntimeException,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""All that loading and running are known to raise."""

_OUT_OF_MEMORY = re.compile(
    r"Failed to allocate memory|Available memory of \d+ is smaller|BFCArena|out of memory"
    r"|cudaErrorMemoryAllocation|(?:CUBLAS|CUDNN|CUSPARSE)_STATUS_ALLOC_FAILED"
    r"|CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED|std::bad_alloc|bad allocation",
    re.IGNORECASE,
)
_CUDA_NUMBER = re.compile(r"CUDA (?:failure|error)[: ]+(\d+)", re.IGNORECASE)
_CUDA_TEXT = re.compile(
    r"cudaError\w+|CUDA error|CUDA failure|illegal memory access|launch failure|misaligned address"
    r"|device-side assert|devices? (?:is|are) busy or unavailable|uncorrectable ECC"
    r"|CU\w+_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|MAPPING_ERROR|NOT_INITIALIZED)"
    r"|device removed|driver shutting down"
)
# After these three the context lives on (CUDA Runtime API, error handling): an argument, a launch
# configuration, or a launch that asked for too many resources. All others are taken as its death.
_CUDA_HARMLESS = frozenset({"1", "9", "701"})
_CUDA_OUT_OF_MEMORY = "2"
_NODE = re.compile(r"while running (\w+) node\. Name:'([^']*)'")


def load_error(exc: Exception, path: str) -> StreamAppError:
    """The error for a model that could not be loaded."""
    text = str(exc)
    if _device_lost(text):
        return FatalError(
            f"{path}: the device fails while the model is loaded: {_one_line(text)}; look at the "
            "device (nvidia-smi), then start again"
        )
    return ConfigError(
        f"{path}: ONNX Runtime {state.get_version_string()} does not load it: {_one_line(text)}; "
        f"{_remedy(exc, text)}"
    )


def _remedy(exc: Exception, text: str) -> str:
    for kind, remedy in (
        (state.InvalidProtobuf, "the file is damaged or no ONNX model; export it again"),
        (state.InvalidGraph, "an operator or its use is not known; export with a known opset"),
        (state.NotImplemented, "an operator has no kernel here; export with other operators"),
        (MemoryError, "it does not fit into memory; use a smaller model or more memory"),
    ):
        if isinstance(exc, kind):
            return remedy
    if "is not a registered function/op" in text:
        return "libraries of custom operators are never loaded; export without them"
    if "No graph was found" in text:
        return "the file holds no graph; export the model again"
    if _OUT_OF_MEMORY.search(text):
        return "it does not fit; raise model.gpu_memory_limit_bytes or use a smaller model"
    return "export it with operators and an opset that this ONNX Runtime supports"


def run_error(exc: Exception) -> StreamAppError:
    """The error for a run that failed."""
    text = str(exc)
    node = _NODE.search(text)
    where = f'in node "{node[2]}" ({node[1]})' if node else f"({type(exc).__name__})"
    if isinstance(exc, MemoryError):
        return DeviceOutOfMemoryError(f"no memory for so many rows at once {where}")
    # First, because a dead context's message can go on to speak of memory that it has not got.
    if _device_lost(text) or isinstance(exc, state.DeviceReset):
        return FatalError(
            f"the device is lost {where}: {_device_text(text)}; this process must end and start "
            "again; if it repeats, look at the device (nvidia-smi, dmesg)"
        )
    if _OUT_OF_MEMORY.search(text) or _CUDA_OUT_OF_MEMORY in _CUDA_NUMBER.findall(text):
        return DeviceOutOfMemoryError(
            f"no memory for so many rows at once {where}; if it repeats, lower batch.max_records "
            "or raise model.gpu_memory_limit_bytes"
        )
    return ModelRunError(f"the model fails {where}")


def _device_lost(text: str) -> bool:
    numbers = _CUDA_NUMBER.findall(text)
    if numbers:
        return any(n != _CUDA_OUT_OF_MEMORY and n not in _CUDA_HARMLESS for n in numbers)
    return bool(_CUDA_TEXT.search(text)) and not _OUT_OF_MEMORY.search(text)


def _device_text(text: str) -> str:
    """What the device said: a number or a fixed text, so nothing of the payload."""
    number = _CUDA_NUMBER.search(text)
    found = _CUDA_TEXT.search(text)
    if number:
        return f"CUDA failure {number[1]}"
    return found[0] if found else "the device was reset"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
