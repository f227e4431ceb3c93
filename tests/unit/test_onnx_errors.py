"""Laws of ONNX Runtime's exceptions: each known one is one of ours, and none quotes the payload."""

import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as state

from stream_app.adapters.model.onnx_errors import RUNTIME_ERRORS, load_error, run_error
from stream_app.errors import ConfigError, DeviceOutOfMemoryError, FatalError, ModelRunError

WHERE = "Non-zero status code returned while running Gemm node. Name:'fc1' Status Message: "


def test_every_exception_of_the_library_is_known() -> None:
    raised = {
        kind
        for kind in vars(state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert raised
    assert raised <= set(RUNTIME_ERRORS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer", "memory"),
        ("Available memory of 1048576 is smaller than requested bytes of 4194304", "memory"),
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=h", "memory"),
        ("CUDA error cudaErrorMemoryAllocation:out of memory", "memory"),
        ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", "memory"),
        ("CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", "memory"),
        ("std::bad_alloc", "memory"),
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", "fatal"),
        ("CUDA failure 719: unspecified launch failure", "fatal"),
        ("CUDA failure 46: all CUDA-capable devices are busy or unavailable", "fatal"),
        ("CUDA failure 710: device-side assert triggered", "fatal"),
        ("CUDA failure 214: uncorrectable ECC error encountered", "fatal"),
        ("CUDA error cudaErrorIllegalAddress:an illegal memory access was encountered", "fatal"),
        ("CUDA error cudaErrorDevicesUnavailable", "fatal"),
        ("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0", "fatal"),
        ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED", "fatal"),
        ("CUDA failure 700: illegal memory access; Failed to allocate memory", "fatal"),
        ("CUDA failure 9: invalid configuration argument", "rows"),
        ("CUDNN failure 3: CUDNN_STATUS_BAD_PARAM", "rows"),
        ("indices element out of data bounds, idx=77 must be within [-4,3]", "rows"),
        ("Integer overflow", "rows"),
    ],
)
def test_a_failed_run_is_about_memory_the_device_or_the_rows(text: str, expected: str) -> None:
    kinds = {"memory": DeviceOutOfMemoryError, "fatal": FatalError, "rows": ModelRunError}
    error = run_error(state.Fail(WHERE + text))
    assert type(error) is kinds[expected]
    assert 'node "fc1" (Gemm)' in str(error)


def test_no_text_of_the_library_is_passed_on_from_a_run() -> None:
    for text in (
        "idx=77",
        "CUDA failure 700: 77 ; hostname=secret",
        "Failed to allocate memory for 77",
        "CUBLAS_STATUS_EXECUTION_FAILED 77 secret",
    ):
        for error in (run_error(state.InvalidArgument(WHERE + text)), run_error(state.Fail(text))):
            assert "77" not in str(error)
            assert "secret" not in str(error)


def test_pythons_own_lack_of_memory_is_the_devices() -> None:
    assert isinstance(run_error(MemoryError()), DeviceOutOfMemoryError)
    assert isinstance(run_error(state.DeviceReset("gone")), FatalError)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (state.NotImplemented("no kernel"), "an operator has no kernel here"),
        (state.InvalidProtobuf("bad"), "the file is damaged"),
        (MemoryError(), "it does not fit into memory"),
        (state.Fail("Failed to allocate memory"), "raise model.gpu_memory_limit_bytes"),
        (RuntimeError("whatever"), "supports"),
    ],
)
def test_a_model_that_does_not_load_is_a_matter_of_configuration(
    exc: Exception, expected: str
) -> None:
    error = load_error(exc, "m.onnx")
    assert type(error) is ConfigError
    assert str(error).startswith("m.onnx: ONNX Runtime ")
    assert expected in str(error)


def test_a_dead_device_at_load_is_not() -> None:
    error = load_error(state.Fail("CUDA failure 700: illegal memory access"), "m.onnx")
    assert type(error) is FatalError
