"""Models in ONNX Runtime: loading one, proving that it is what it should be, running it.

Decides how a session is made and what its answers and errors mean on the path. A model is ready
when its contract fits its signature, its golden vectors come out again and every batch size has
run once. Refuses to know where files come from (``model/repository.py``).
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from stream_app.adapters.model.buckets import run_in_buckets
from stream_app.adapters.model.golden_file import Golden, difference
from stream_app.adapters.model.manifest_file import CONTRACT_FILE, MODEL_FILE
from stream_app.adapters.model.onnx_file import OnnxFile
from stream_app.adapters.model.onnx_session import Session, open_session
from stream_app.adapters.model.repository import ModelFiles
from stream_app.core.columns import Tensor
from stream_app.core.contract import Contract
from stream_app.core.contract_check import check_signature
from stream_app.core.cost_curve import CostCurve
from stream_app.core.signature import ModelSignature
from stream_app.errors import ConfigError, FatalError, StreamAppError
from stream_app.settings import ModelSettings

_DYNAMIC_INT8 = frozenset(
    {
        "DynamicQuantizeLinear",
        "DynamicQuantizeMatMul",
        "DynamicQuantizeLSTM",
        "MatMulIntegerToFloat",
    }
)
_WARM_UP_RUNS = 3
_WARM_UP_LIMIT_S = 1.0


class OnnxModel:
    """One version of a model, loaded and warm; implements ``ports.Model``.

    Made by :func:`load_model`. Runs on one thread at a time, the loop's.
    """

    def __init__(
        self,
        files: ModelFiles,
        session: Session,
        warm_up_s: Mapping[int, float],
        warnings: Sequence[str],
        buckets: Sequence[int] = (),
    ) -> None:
        self._buckets = tuple(sorted(buckets))
        self._files = files
        self._session = session
        self._warm_up_s = dict(sorted(warm_up_s.items()))
        self._warnings = tuple(warnings)

    @property
    def name(self) -> str:
        return self._files.name

    @property
    def version(self) -> str:
        return self._files.version

    @property
    def content_hash(self) -> str:
        return self._files.content_hash

    @property
    def contract(self) -> Contract:
        """The contract that came with it, checked against ``signature``."""
        return self._files.contract

    @property
    def signature(self) -> ModelSignature:
        """Its inputs and outputs."""
        return self._session.signature

    @property
    def execution_provider(self) -> str:
        """The one that was obtained."""
        return self._session.execution_provider

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know and what does not prevent scoring."""
        return self._warnings

    @property
    def curve(self) -> CostCurve:
        """What a run costs by its rows, as the warm-up measured it.

        It repeats the golden rows, and caches like repetition: real rows may cost several times
        as much (trees, measured: 2.5 times), at every size.
        """
        return CostCurve.of(self._warm_up_s.items())

    @property
    def seconds_per_row(self) -> float:
        """Cost of a row in the largest batch of the warm-up; see :attr:`curve`."""
        rows, seconds = max(self._warm_up_s.items())
        return seconds / rows

    def run(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Score rows; see ``ports.Model.run``."""
        if self._buckets:
            return run_in_buckets(self._session.run, tensors, self._buckets)
        return self._session.run(tensors)


def load_model(
    files: ModelFiles,
    settings: ModelSettings,
    batch_sizes: Sequence[int] = (1,),
    buckets: Sequence[int] = (),
) -> OnnxModel:
    """Load a version and prove it.

    Args:
        files: Verified, from :class:`~stream_app.adapters.model.repository.ModelRepository`.
        settings: Execution provider, threads, memory.
        batch_sizes: Every number of rows that will be used often; each is run here, so that no
            live batch pays for first allocations.
        buckets: Sizes that every batch is padded to; none: batches run as they are.

    Raises:
        ConfigError: a check failed: operators, provider, contract against signature, golden
            vectors or warm-up; names the file, what was expected and what was found.
    """
    path = str(files.folder / MODEL_FILE)
    session, file, notes = open_session(files.model, path, settings)
    faults = check_signature(files.contract, session.signature)
    if faults:
        place = files.folder / CONTRACT_FILE
        raise ConfigError("\n".join(f"{place}: {fault}" for fault in faults))
    _compare_golden(session, files, path)
    warm_up_s = _warm_ups(session, files.golden, sorted(set(batch_sizes)), path)
    hazards = _hazards(file, path)
    return OnnxModel(files, session, warm_up_s, [*notes, *hazards], buckets)


def read_signature(path: Path) -> ModelSignature:
    """Inputs and outputs of an ONNX file that is in no repository yet.

    Raises:
        ConfigError: the file cannot be read, or is no model that could be loaded.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"{path}: the model cannot be read ({exc.strerror}); give the path of an ONNX file"
        ) from exc
    return open_session(content, str(path), ModelSettings()).session.signature


def _hazards(file: OnnxFile, path: str) -> list[str]:
    found = sorted(name for _, name in file.operators if name in _DYNAMIC_INT8)
    if not found:
        return []
    return [
        f"{path}: quantised dynamically ({', '.join(found)}): a row changes the scores of the rows "
        "beside it in a batch (by up to 0.14, measured); prefer static quantisation"
    ]


def _compare_golden(session: Session, files: ModelFiles, path: str) -> None:
    golden, tolerance = files.golden, files.manifest.tolerance
    try:
        found = session.run(golden.inputs)
    except FatalError:
        raise
    except StreamAppError as exc:
        raise ConfigError(
            f"{path}: the golden vectors cannot be run: {exc}; pack the version again"
        ) from exc
    faults = []
    if found.keys() != golden.outputs.keys():
        faults.append(f"expected outputs {sorted(golden.outputs)}, found {sorted(found)}")
    else:
        for name, expected in golden.outputs.items():
            fault = difference(found[name], expected, tolerance.absolute, tolerance.relative)
            if fault:
                faults.append(f'output "{name}": {fault}')
    if faults:
        raise ConfigError(
            f"{path}: golden vectors: {'; '.join(faults)}. The model computes something else here "
            "than where it was packed; pack it again with this ONNX Runtime and device if that "
            "is right"
        )


def _warm_ups(
    session: Session, golden: Golden, sizes: Sequence[int], path: str
) -> dict[int, float]:
    """The least and the greatest size, and of those between what there is time for."""
    ends = [sizes[0], sizes[-1]]
    found = {rows: _warm_up(session, golden, rows, path) for rows in ends}
    began = time.perf_counter()
    for rows in sizes[1:-1]:
        if time.perf_counter() - began > _WARM_UP_LIMIT_S:
            break
        found[rows] = _warm_up(session, golden, rows, path)
    return found


def _warm_up(session: Session, golden: Golden, rows: int, path: str) -> float:
    """Run ``rows`` rows a few times; the least time of a run, in seconds."""
    began = time.perf_counter()
    times: list[float] = []
    try:
        tensors = golden.tiled(rows)
        session.run(tensors)  # The first one allocates.
        while len(times) < _WARM_UP_RUNS:
            start = time.perf_counter()
            session.run(tensors)
            end = time.perf_counter()
            times.append(end - start)
            if end - began > _WARM_UP_LIMIT_S:
                break
    except FatalError:
        raise
    except (StreamAppError, MemoryError) as exc:
        raise ConfigError(
            f"{path}: the warm-up with {rows} rows failed: {exc}; lower batch.max_records, or "
            "export a model that takes that many rows at once"
        ) from exc
    return min(times)
