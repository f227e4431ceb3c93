"""Sessions of ONNX Runtime: how one is made, and on which device it really runs.

Decides the session's options, refuses models that point at other files, and compares the
execution provider asked for with the one obtained (ONNX Runtime takes the CPU instead, with no
more than a warning). Refuses to know contracts and repositories.
"""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import onnxruntime as ort

from stream_app.adapters.model.onnx_errors import RUNTIME_ERRORS, load_error, run_error
from stream_app.adapters.model.onnx_file import OnnxFile, read_onnx
from stream_app.core.columns import Tensor
from stream_app.core.signature import ModelSignature, TensorSignature
from stream_app.errors import ConfigError, ModelRunError
from stream_app.settings import ModelSettings

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

_DTYPES = {
    "float": "float32",
    "double": "float64",
    **{name: name for name in ("float16", "bfloat16", "bool", "string")},
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_FATAL_ONLY = 4
_ERRORS = 3


class Session:
    """An ONNX Runtime session whose errors are ours."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.signature = ModelSignature(
            tuple(_tensor_signature(node) for node in session.get_inputs()),
            tuple(_tensor_signature(node) for node in session.get_outputs()),
        )
        self._output_names = [tensor.name for tensor in self.signature.outputs]
        # A failed run is reported by its exception; ONNX Runtime's own line on standard error
        # would come for every row of a bisection, and can hold values of the payload.
        self._run_options = ort.RunOptions()
        self._run_options.log_severity_level = _FATAL_ONLY

    @property
    def execution_provider(self) -> str:
        """The first of the session's providers; the CPU is always among the rest."""
        return str(self._session.get_providers()[0])

    def run(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the whole graph; errors as in ``ports.Model.run``."""
        try:
            outputs = self._session.run(self._output_names, dict(tensors), self._run_options)
        except RUNTIME_ERRORS as exc:
            raise run_error(exc) from exc
        rows = len(next(iter(tensors.values())))
        for name, output in zip(self._output_names, outputs, strict=True):
            if getattr(output, "shape", ())[:1] != (rows,):
                raise ModelRunError(f'output "{name}" has another number of rows than the input')
        return dict(zip(self._output_names, outputs, strict=True))


class Opened(NamedTuple):
    """A session, with what was learnt while it was opened."""

    session: Session
    file: OnnxFile
    notes: list[str]


def open_session(content: bytes, path: str, settings: ModelSettings) -> Opened:
    """Open a session on the bytes of a model; ``path`` stands in messages.

    Raises:
        ConfigError: the model cannot be loaded, or not as the settings ask.
        FatalError: the device fails.
    """
    file = _inspect(content, path)
    session, notes = _obtain(content, path, settings)
    return Opened(Session(session), file, notes)


def _inspect(content: bytes, path: str) -> OnnxFile:
    """Refuse what no session may see: pointers to other files."""
    try:
        facts = read_onnx(content)
    except ValueError as exc:
        raise ConfigError(
            f"{path}: not an ONNX model ({exc}); export it again in the ONNX format"
        ) from exc
    if facts.external_tensors:
        shown = ", ".join(facts.external_tensors[:3])
        raise ConfigError(
            f"{path}: expected one file, found {len(facts.external_tensors)} tensors with external "
            f"data ({shown}); save it as one file (onnx.save with save_as_external_data=False)"
        )
    if any(operator == "EPContext" for _, operator in facts.operators):
        raise ConfigError(
            f"{path}: expected a portable model, found a compiled one (EPContext), which can load "
            "other files; export the original model"
        )
    return facts


def _obtain(content: bytes, path: str, settings: ModelSettings) -> tuple[Any, list[str]]:
    """A session on the provider of the settings, or on the CPU where they allow that."""
    wanted = settings.execution_provider
    available = ort.get_available_providers()
    if wanted not in available:
        found = f"this ONNX Runtime has {', '.join(available)}"
        return _on_cpu_instead(content, path, settings, found)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            session = _make(content, _providers(wanted, settings), settings)
    except (ValueError, RuntimeError) as exc:
        # How ONNX Runtime says that a provider, rather than the model, is the trouble.
        if wanted == CPU:
            raise load_error(exc, path) from exc
        return _on_cpu_instead(content, path, settings, f"it does not start ({exc})")
    except RUNTIME_ERRORS as exc:
        raise load_error(exc, path) from exc
    obtained = session.get_providers()
    if obtained[0] != wanted:
        found = f"the session got {', '.join(obtained)}"
        return _on_cpu_instead(content, path, settings, found)
    notes = [str(warning.message) for warning in caught]
    return session, notes if wanted == CPU else [*notes, *_left_on_cpu(session, wanted)]


def _on_cpu_instead(
    content: bytes, path: str, settings: ModelSettings, found: str
) -> tuple[Any, list[str]]:
    wanted = settings.execution_provider
    if not settings.allow_cpu_fallback:
        raise ConfigError(
            f"model.execution_provider: expected {wanted}, but {found}; install what it needs "
            "(for CUDA: onnxruntime-gpu instead of onnxruntime, CUDA and cuDNN), or set "
            "model.allow_cpu_fallback = true to score on the CPU"
        )
    try:
        session = _make(content, [CPU], settings)
    except RUNTIME_ERRORS as exc:
        raise load_error(exc, path) from exc
    return session, [f"scoring on the CPU instead of {wanted}: {found}"]


def _make(content: bytes, providers: list[Any], settings: ModelSettings) -> Any:
    # With its own fallback a session remakes itself on the CPU when the provider fails, even in
    # the middle of a run, and prints so on standard output.
    return ort.InferenceSession(
        content, _session_options(settings), providers=providers, enable_fallback=0
    )


def _left_on_cpu(session: Any, wanted: str) -> list[str]:
    """A provider without kernels for a model's operators leaves them to the CPU, silently."""
    by_provider: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        nodes = len(part.get_nodes())
        by_provider[part.ep_name] = by_provider.get(part.ep_name, 0) + nodes
    on_cpu = by_provider.get(CPU, 0)
    if not on_cpu:
        return []
    total = sum(by_provider.values())
    return [
        f"{wanted} has no kernel for {on_cpu} of the model's {total} nodes: they run on the CPU"
    ]


def _session_options(settings: ModelSettings) -> Any:
    options = ort.SessionOptions()
    # Spinning stays as it is: one thread has nobody to spin for, and with two a tree ensemble
    # gained 1.8 times with it and nothing without.
    options.intra_op_num_threads = settings.intra_op_threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERRORS
    # Bytes that look like ONNX Runtime's own format would be loaded as such, past our inspection.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _providers(wanted: str, settings: ModelSettings) -> list[Any]:
    if wanted != CUDA:
        return [wanted] if wanted == CPU else [wanted, CPU]
    # kNextPowerOfTwo, the default, would take up to twice what batches of many sizes need.
    cuda: dict[str, str] = {"arena_extend_strategy": "kSameAsRequested"}
    if settings.gpu_memory_limit_bytes:
        cuda["gpu_mem_limit"] = str(settings.gpu_memory_limit_bytes)
    return [(CUDA, cuda), CPU]


def _tensor_signature(node: Any) -> TensorSignature:
    kind = str(node.type)
    if kind.startswith("tensor("):
        inner = kind.removeprefix("tensor(").removesuffix(")")
        kind = _DTYPES.get(inner, inner)
    # No dimensions at all is how ONNX Runtime shows both a single value and an unknown shape.
    dims = tuple(size if isinstance(size, int) else None for size in node.shape)
    return TensorSignature(str(node.name), kind, dims or None)
