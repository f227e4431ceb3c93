"""The model, asked once more: ONNX Runtime on the CPU, with files read without the scorer's help.

Decides what a version of a model says of events, by batches, on one device that every machine
has. Refuses to know predictions. It trusts the repository: that a version's files are what was
packed is for ``stream-app model verify`` to say.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from stream_app.errors import ConfigError
from stream_app.settings import ModelSettings
from stream_app.verify.codes import Place
from stream_app.verify.compare import Answer, unusable_output
from stream_app.verify.contract import Contract, read_contract
from stream_app.verify.event import Event, EventPlan, tensors
from stream_app.verify.refused import RefusedError

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASH_DIGITS = 12
_FATAL_ONLY = 4


class Model:
    """One version of a model."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Read and load it.

        Raises:
            ConfigError: it cannot be.
        """
        contract, model = folder / "contract.toml", folder / "model.onnx"
        try:
            self.contract: Contract = read_contract(contract.read_bytes(), str(contract))
            content = model.read_bytes()
        except OSError as exc:
            raise ConfigError(
                f"{exc.filename}: cannot be read ({exc.strerror}); contents cannot be compared "
                "without it: restore the version, or verify with --no-content"
            ) from exc
        self.hash = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
        self.plans: dict[object, EventPlan | RefusedError] = {}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _FATAL_ONLY
        try:
            self._session: Any = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # ONNX Runtime's errors have no common base
            raise ConfigError(
                f"{model}: ONNX Runtime cannot load it on the CPU ({type(exc).__name__}); contents "
                "cannot be compared: verify with --no-content"
            ) from exc
        self._outputs = sorted({bound.output for bound in self.contract.outputs})

    def answers(self, events: Sequence[Event]) -> list[Answer | RefusedError]:
        """What must be predicted for each event, or why nothing can be."""
        try:
            found = self._session.run(self._outputs, tensors(self.contract, events))
        except Exception as exc:  # noqa: BLE001 - as above; a row may make the whole batch fail
            if len(events) == 1:
                reason = f"the model fails ({type(exc).__name__})"
                return [RefusedError(reason, certain=False, place=Place.MODEL)]
            return [answer for event in events for answer in self.answers([event])]
        rows = [output.reshape(len(events), -1).tolist() for output in found]
        return [
            self._answer(event, dict(zip(self._outputs, outputs, strict=True)))
            for event, *outputs in zip(events, *rows, strict=True)
        ]

    def _answer(self, event: Event, outputs: dict[str, list[Any]]) -> Answer | RefusedError:
        unusable = unusable_output(self.contract, outputs)
        if unusable is not None:
            return RefusedError(unusable, place=Place.OUTPUT)
        return Answer(event.id, event.time_ms, outputs)


class Models:
    """The repository's models by name and version, each loaded when it is first asked for."""

    def __init__(self, settings: ModelSettings) -> None:
        """Look at the repository.

        Raises:
            ConfigError: the model of the settings is not there.
        """
        self._settings = settings
        self._loaded: dict[tuple[str, str], Model | None] = {}
        folder = settings.repository / settings.name
        if not settings.name or not folder.is_dir():
            raise ConfigError(
                f"comparing contents needs the model: expected the folder {folder} of its versions "
                "and found none; set model.repository and model.name as for scoring, or verify "
                "with --no-content"
            )

    def get(self, name: str, version: str) -> Model | None:
        """A version, or ``None`` where the repository has none.

        Raises:
            ConfigError: it is there and cannot be loaded.
        """
        key = name, version
        if key not in self._loaded:
            folder = self._settings.repository / name / version
            # Names come out of records: they must not lead out of the repository.
            there = _PLAIN.fullmatch(name) and _PLAIN.fullmatch(version) and folder.is_dir()
            self._loaded[key] = Model(folder, self._settings.intra_op_threads) if there else None
        return self._loaded[key]
