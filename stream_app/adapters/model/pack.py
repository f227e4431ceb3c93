"""Packing: a model and its contract become a version of the repository.

Decides what is recorded so that every later start can prove that it runs this model: hashes, and
the model's own answers to sample inputs. A version is made aside and renamed into place, so that
a reader sees all of it or nothing; a version that exists is never changed.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stream_app.adapters.model.contract_draft import PLACEHOLDER
from stream_app.adapters.model.contract_file import parse_contract
from stream_app.adapters.model.golden_file import Golden, dump_golden
from stream_app.adapters.model.manifest_file import (
    CONTRACT_FILE,
    GOLDEN_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    Manifest,
    Producer,
    Tolerance,
    entries_of,
)
from stream_app.adapters.model.onnx_model import load_model
from stream_app.adapters.model.onnx_session import open_session
from stream_app.adapters.model.repository import LATEST, ModelRepository, check_name
from stream_app.core.columns import Tensor
from stream_app.core.contract import Contract, DType, Feature, OnNull
from stream_app.core.contract_check import check_signature
from stream_app.errors import ConfigError, DeviceOutOfMemoryError, ModelRunError
from stream_app.settings import ModelSettings

_SAMPLE_ROWS = 64
_ON_CPU = ModelSettings()


def pack_model(
    *,
    model: bytes,
    contract: bytes,
    repository: Path,
    name: str,
    version: str,
    samples: Mapping[str, Tensor] | None = None,
    tolerance: Tolerance | None = None,
    created_by: str = "",
) -> Path:
    """Write ``<repository>/<name>/<version>/`` and load it once as a scorer would.

    Args:
        model: Content of an ONNX file.
        contract: Content of a ``contract.toml``.
        repository: Made when it is not there.
        name: Of the model.
        version: A number, so that ``latest`` finds it, or another name.
        samples: Input tensors by name, some tens of typical rows; made up from the contract when
            left out.
        tolerance: For outputs on other devices and runtimes.
        created_by: A note for people, such as the script and its settings.

    Returns:
        The folder of the version.

    Raises:
        ConfigError: the version exists, or the model and the contract do not pass the checks of a
            start; nothing is left behind.
    """
    check_name("model.name", name)
    check_name("model.version", version)
    target = repository / name / version
    if version == LATEST or target.exists():
        reason = "is reserved" if version == LATEST else "exists, and versions never change"
        raise ConfigError(f"{target}: the version {reason}; choose another version")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".packing-", dir=repository) as aside:
            folder = Path(aside, name, version)
            folder.mkdir(parents=True)
            _write(folder, _files(model, contract, samples, tolerance or Tolerance(), created_by))
            _prove(ModelRepository(Path(aside)), name, version)
            folder.rename(target)
    except OSError as exc:
        raise ConfigError(
            f"{target}: cannot be written ({exc.strerror}); see that nobody else packs the same "
            f"version, and that {repository} can be written to"
        ) from exc
    except ConfigError as exc:
        # The checks name the folder in which they ran, which has gone.
        text = re.sub(rf"{re.escape(str(repository))}/\.packing-[^/]+", str(repository), str(exc))
        raise ConfigError(text) from exc
    return target


def _files(
    model: bytes,
    contract: bytes,
    samples: Mapping[str, Tensor] | None,
    tolerance: Tolerance,
    created_by: str,
) -> dict[str, bytes]:
    parsed = parse_contract(contract, CONTRACT_FILE)
    session, file, _ = open_session(model, MODEL_FILE, _ON_CPU)
    faults = _left_from_draft(parsed) + check_signature(parsed, session.signature)
    if faults:
        raise ConfigError("\n".join(f"{CONTRACT_FILE}: {fault}" for fault in faults))
    inputs = sample_tensors(parsed) if samples is None else dict(samples)
    try:
        outputs = session.run(inputs)
    except (ModelRunError, DeviceOutOfMemoryError) as exc:
        raise ConfigError(
            f"{MODEL_FILE}: cannot run the samples: {exc}; give samples that fit the contract"
        ) from exc
    files = {
        MODEL_FILE: model,
        CONTRACT_FILE: contract,
        GOLDEN_FILE: dump_golden(Golden(inputs, outputs)),
    }
    manifest = Manifest(
        files=entries_of(files),
        tolerance=tolerance,
        producer=Producer(
            name=file.producer,
            ir_version=file.ir_version,
            opsets={domain or "ai.onnx": number for domain, number in sorted(file.opsets.items())},
        ),
        created_by=created_by,
    )
    return {**files, MANIFEST_FILE: manifest.to_json()}


def _left_from_draft(contract: Contract) -> list[str]:
    """What a draft could not know: every value would count as unseen, and no check would fail."""
    return [
        f"{feature.field}: categories are still the draft's {list(PLACEHOLDER)}; list the real "
        "ones, in the order of the training's codes"
        for tensor in contract.inputs
        for feature in tensor.features
        if feature.categories == PLACEHOLDER
    ]


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    # Not flushed to the disk: a file that a crash cut short does not pass its hash.
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _prove(repository: ModelRepository, name: str, version: str) -> None:
    load_model(repository.open(name, version), _ON_CPU)


def sample_tensors(contract: Contract, rows: int = _SAMPLE_ROWS) -> dict[str, Tensor]:
    """Inputs that a contract could produce, the same ones each time.

    They are enough to tell whether a model computes the same everywhere; typical rows, where
    there are some, tell it better.
    """
    random = np.random.default_rng(0)
    tensors: dict[str, Tensor] = {}
    for tensor in contract.inputs:
        columns = [
            _sample_column(random, tensor.dtype, feature, rows) for feature in tensor.features
        ]
        joined = np.concatenate(columns, axis=1).astype(tensor.dtype.numpy)
        tensors[tensor.name] = joined.reshape((rows, *tensor.shape))
    return tensors


def _sample_column(
    random: np.random.Generator, dtype: DType, feature: Feature, rows: int
) -> Tensor:
    size = (rows, feature.width)
    if feature.categories is not None:
        return random.integers(0, len(feature.categories) + 1, size)
    if dtype is DType.STRING:
        return np.array(["a", "b", "c"], dtype=object)[random.integers(0, 3, size)]
    if dtype is DType.BOOL:
        return random.integers(0, 2, size)
    if dtype in {DType.INT64, DType.UINT8}:
        return random.integers(0, 100, size)
    values = random.normal(size=size)
    if feature.on_null is OnNull.NAN:
        values[::8] = np.nan
    return values
