"""Making a reference: a file of past events is read, scored, looked at and counted.

Decides the order of it, and when data is too bad to be compared with. Rows that the model could
not have answered are counted by their fault and told, never left out in silence.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from stream_app.adapters.avro.schema_file import EventSchema
from stream_app.adapters.drift.event_reader import CHUNK_ROWS, EventReader, read_events
from stream_app.adapters.drift.reference_record import Making, Times
from stream_app.adapters.model.manifest_file import CONTRACT_FILE
from stream_app.adapters.model.onnx_model import OnnxModel
from stream_app.adapters.model.repository import ModelFiles
from stream_app.core.columns import NO_TIMESTAMP, Tensor
from stream_app.core.drift.calibrate import calibrate
from stream_app.core.drift.profile import Survey, Tally, rows_to_draw
from stream_app.core.drift.reference import Reference, ScoreMap
from stream_app.core.drift.row_sample import take_rows
from stream_app.core.drift.score_map import ScoreTally, find_scores
from stream_app.core.drift.statistics.accuracy import isotonic
from stream_app.core.drift.watch import (
    Values,
    Watched,
    read_values,
    watched_inputs,
    watched_outputs,
)
from stream_app.core.faults import Fault
from stream_app.errors import ConfigError, DataError
from stream_app.scoring import Outputs, ScoringRules, score

LEAST_ROWS = 200
MOST_FAULTY = 0.1
_BISECT_LIMIT = 64
_FEW = 5


class Phase(StrEnum):
    """What is done just now."""

    READING = "reading"
    BINNING = "binning"
    COUNTING = "counting"
    CALIBRATING = "calibrating"


Progress = Callable[[Phase, float, int], None]
"""Is told the phase, its share done from 0 to 1, and the rows of it."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What to make a reference of.

    Attributes:
        path: The file.
        schema: Of the events in a CSV or Parquet file; ``None``: the contract tells.
        label: The field with the right answer; ``None``: there is none.
        classes: What labels call the classes, where the model does not say.
        compiled: Decode with kernels.
        calibrated: Draw windows, to know how large statistics get by chance.
    """

    path: Path
    schema: EventSchema | None = None
    label: str | None = None
    classes: Sequence[str] = ()
    compiled: bool = False
    calibrated: bool = True


def build_reference(
    files: ModelFiles,
    model: OnnxModel,
    options: BuildOptions,
    progress: Progress = lambda phase, share, rows: None,
) -> tuple[Reference, Making]:
    """Make the reference of a model.

    Args:
        files: The model's version.
        model: The same, loaded, on the CPU.
        options: What of.
        progress: Told now and then.

    Raises:
        ConfigError: the file cannot be read as the contract asks, or holds too little.
        DataError: the file is broken, or more than a tenth of its rows could not be scored.
    """
    job = _Job(files, model, options, progress)
    survey = Survey(job.watched)
    for scored in job.scored(Phase.READING):
        survey.add(scored.values)
        job.note(scored)
    job.require_enough()
    times = job.times()
    progress(Phase.BINNING, 0.0, 0)
    tally = Tally(survey.blank_columns())
    sample = survey.sample.values()
    whole = _slices(sample) if survey.sample.is_whole else None
    for values in whole or (scored.values for scored in job.scored(Phase.COUNTING)):
        tally.add(values)
        progress(Phase.COUNTING, tally.rows / job.rows, tally.rows)
    columns = tally.columns()
    calibration = None
    if options.calibrated:
        bins, coarse = rows_to_draw(columns, tally.correlated, sample)
        progress(Phase.CALIBRATING, 0.0, 0)
        calibration = calibrate(
            columns,
            bins,
            tally.correlated,
            coarse,
            in_time_order=times is not None and times.in_order,
            progress=lambda share: progress(Phase.CALIBRATING, share, 0),
        )
    reference = Reference(
        model_name=files.name,
        model_version=files.version,
        rows=tally.rows,
        columns=columns,
        correlated=tally.correlated,
        co_moments=tally.co_moments(),
        co_rows=tally.co_rows,
        scores=job.score_map(),
        calibration=calibration,
    )
    making = Making(
        model_sha256=files.model_sha256,
        contract_sha256=files.manifest.files[CONTRACT_FILE].sha256,
        faults={Fault.of(code).name: rows for code, rows in job.faults.items()},
        times=times,
        sample_rows=len(sample),
    )
    return reference, making


@dataclass(frozen=True, slots=True)
class _Scored:
    values: Values
    outputs: Outputs
    labels: Sequence[Any]
    times_ms: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    faults: Counter[int]


class _Job:
    """One file, one model; what is noted of it on the first look."""

    def __init__(
        self, files: ModelFiles, model: OnnxModel, options: BuildOptions, progress: Progress
    ) -> None:
        self._files, self._model, self._options = files, model, options
        self._progress = progress
        contract = files.contract
        self.watched: tuple[Watched, ...] = (
            *watched_inputs(contract),
            *watched_outputs(contract, files.golden.outputs),
        )
        self._origins = [watched.origin for watched in self.watched]
        self._rules = ScoringRules(
            bisect_limit=_BISECT_LIMIT,
            on_non_finite_output=contract.on_non_finite_output,
            bound_outputs=tuple(binding.output for binding in contract.outputs),
        )
        self.rows = 0
        self.faults: Counter[int] = Counter()
        self._scores: ScoreTally | None = None
        self._first_ms, self._last_ms, self._latest_ms = 0, 0, 0
        self._is_timed, self._is_ordered = True, True

    def scored(self, phase: Phase) -> Iterator[_Scored]:
        """The file's chunks, scored."""
        with self._open() as reader:
            for chunk in reader:
                events = chunk.events
                batch = score(self._model, events, self._rules)
                faulty = batch.fault[batch.fault != 0].tolist()
                labels = [chunk.labels[row] for row in batch.rows.tolist()] if chunk.labels else []
                if len(batch.rows):
                    values = read_values(self._origins, events, batch.rows, batch.outputs)
                    times_ms = events.event_time_ms[batch.rows]
                    yield _Scored(values, batch.outputs, labels, times_ms, Counter(faulty))
                else:
                    self.faults.update(faulty)
                self._progress(phase, reader.share_read, reader.rows_read)

    def note(self, scored: _Scored) -> None:
        """What only the first look asks."""
        self.rows += len(scored.values)
        self.faults.update(scored.faults)
        self._note_times(scored)
        if self._options.label is not None:
            if self._scores is None:
                self._scores = self._score_tally(scored.outputs)
            self._scores.add(scored.outputs, scored.labels)

    def require_enough(self) -> None:
        """Refuse data that says too little.

        Raises:
            ConfigError: there are too few rows, or no labels that mean anything.
            DataError: too many rows are faulty.
        """
        faulty = self.faults.total()
        path = self._options.path
        if faulty > MOST_FAULTY * (faulty + self.rows):
            told = ", ".join(
                f"{Fault.of(code).name} {rows}" for code, rows in self.faults.most_common()
            )
            raise DataError(
                f"{path}: {faulty} of {faulty + self.rows} rows cannot be scored ({told}); at most "
                f"{MOST_FAULTY:.0%} may, since what is left would not be typical; correct the "
                "data, or the contract"
            )
        if self.rows < LEAST_ROWS:
            raise ConfigError(
                f"{path}: {self.rows} rows that can be scored; a reference needs {LEAST_ROWS}, and "
                "is good from some ten thousand on"
            )

    def score_map(self) -> ScoreMap | None:
        """From scores to accuracy; ``None`` without labels.

        Raises:
            ConfigError: no label is a class of the model.
        """
        if self._scores is None:
            return None
        counts, right = self._scores.counted()
        if not counts.any():
            told = ", ".join(sorted(self._scores.unknown)[:_FEW]) or "nothing"
            raise ConfigError(
                f"--label {self._options.label}: holds no class of the model, which has "
                f"{', '.join(self._scores.labels)}; it holds {told}; say with --classes what it "
                "calls them"
            )
        probability = [isotonic(*each) for each in zip(counts, right, strict=True)]
        return self._scores.score_map(np.stack(probability))

    def times(self) -> Times | None:
        """The events' times, if all have one."""
        if not self._is_timed:
            return None
        return Times(self._first_ms, self._last_ms, self._is_ordered)

    def _open(self) -> EventReader:
        options = self._options
        return read_events(
            options.path,
            self._files.contract,
            schema=options.schema,
            label=options.label,
            compiled=options.compiled,
        )

    def _note_times(self, scored: _Scored) -> None:
        times_ms = scored.times_ms
        if (times_ms == NO_TIMESTAMP).any():
            self._is_timed = False
            return
        first, last = int(times_ms.min()), int(times_ms.max())
        is_first = self.rows == len(times_ms)
        self._first_ms = first if is_first else min(self._first_ms, first)
        self._last_ms = last if is_first else max(self._last_ms, last)
        follows = is_first or int(times_ms[0]) >= self._latest_ms
        self._is_ordered &= follows and bool((np.diff(times_ms) >= 0).all())
        self._latest_ms = int(times_ms[-1])

    def _score_tally(self, outputs: Outputs) -> ScoreTally:
        golden: dict[str, Tensor] = {
            name: np.concatenate([self._files.golden.outputs[name], rows])
            for name, rows in outputs.items()
        }
        try:
            source = find_scores(self._files.contract, golden, self._options.classes)
        except ValueError as exc:
            raise ConfigError(f"--classes: {exc}") from exc
        if source is None:
            raise ConfigError(
                f"--label {self._options.label}: the model has no output that is a probability, "
                "so there is no score to compare labels with; leave --label out"
            )
        return ScoreTally(source)


def _slices(values: Values) -> Iterator[Values]:
    for begin in range(0, len(values), CHUNK_ROWS):
        yield take_rows(values, np.arange(begin, min(len(values), begin + CHUNK_ROWS)))
