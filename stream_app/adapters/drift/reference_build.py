"""Making a reference: a file of past events is read, scored, looked at and counted.

Decides the order of it. What is read twice is the file, since nobody knows how large it is; one
that is no larger than the sample is read once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from stream_app.adapters.avro.schema_file import EventSchema
from stream_app.adapters.drift.event_reader import CHUNK_ROWS, read_events
from stream_app.adapters.drift.first_look import FirstLook
from stream_app.adapters.drift.reference_record import Making
from stream_app.adapters.drift.scored_events import ScoredChunk, score_events
from stream_app.adapters.model.manifest_file import CONTRACT_FILE
from stream_app.adapters.model.onnx_model import OnnxModel
from stream_app.adapters.model.repository import ModelFiles
from stream_app.core.drift.calibrate import calibrate
from stream_app.core.drift.profile import Survey, Tally, rows_to_draw
from stream_app.core.drift.reference import Calibration, Column, Reference
from stream_app.core.drift.row_sample import take_rows
from stream_app.core.drift.watch import Values, read_values, watched_inputs, watched_outputs


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
        max_value_bytes: Larger events are faults, as on the live path.
        compiled: Decode with kernels.
        calibrated: Draw windows, to know how large statistics get by chance.
        sample_rows: That cut the bins and are drawn from; 0: as many as there is room for.
    """

    path: Path
    schema: EventSchema | None = None
    label: str | None = None
    classes: Sequence[str] = ()
    max_value_bytes: int = 1 << 20
    compiled: bool = False
    calibrated: bool = True
    sample_rows: int = 0


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
    contract, typical = files.contract, files.golden.outputs
    watched = (*watched_inputs(contract), *watched_outputs(contract, typical))
    origins = [each.origin for each in watched]

    def chunks(phase: Phase) -> Iterator[tuple[ScoredChunk, Values]]:
        for chunk in _scored(files, model, options):
            batch = chunk.batch
            if len(batch.rows):
                yield chunk, read_values(origins, chunk.events, batch.rows, batch.outputs)
            elif phase is Phase.READING:
                look.note(chunk)
            progress(phase, chunk.share_read, chunk.rows_read)

    look = FirstLook(contract, typical, options.label, options.classes)
    survey = Survey(watched, options.sample_rows)
    for chunk, values in chunks(Phase.READING):
        look.note(chunk)
        survey.add(values)
    look.require_enough(str(options.path))
    progress(Phase.BINNING, 0.0, 0)
    tally = Tally(survey.blank_columns())
    sample = survey.sample.values()
    if survey.sample.is_whole:
        for values in _slices(sample):
            tally.add(values)
    else:
        for _, values in chunks(Phase.COUNTING):
            tally.add(values)
    columns, times = tally.columns(), look.times()
    in_order = times is not None and times.in_order
    reference = Reference(
        model_name=files.name,
        model_version=files.version,
        rows=tally.rows,
        columns=columns,
        correlated=tally.correlated,
        co_moments=tally.co_moments(),
        co_sums=tally.co_sums,
        co_rows=tally.co_rows,
        scores=look.score_map(),
        calibration=_calibrated(columns, tally.correlated, sample, in_order, progress)
        if options.calibrated
        else None,
    )
    making = Making(
        model_sha256=files.model_sha256,
        contract_sha256=files.manifest.files[CONTRACT_FILE].sha256,
        faults=look.faults,
        times=times,
        sample_rows=len(sample),
    )
    return reference, making


def _scored(files: ModelFiles, model: OnnxModel, options: BuildOptions) -> Iterator[ScoredChunk]:
    reader = read_events(
        options.path,
        files.contract,
        schema=options.schema,
        label=options.label,
        max_value_bytes=options.max_value_bytes,
        compiled=options.compiled,
    )
    return score_events(reader, model, files.contract)


def _calibrated(
    columns: Sequence[Column],
    correlated: Sequence[int],
    sample: Values,
    in_order: bool,
    progress: Progress,
) -> Calibration:
    progress(Phase.CALIBRATING, 0.0, 0)
    bins, coarse = rows_to_draw(columns, correlated, sample)
    return calibrate(
        columns,
        bins,
        correlated,
        coarse,
        in_time_order=in_order,
        progress=lambda share: progress(Phase.CALIBRATING, share, 0),
    )


def _slices(values: Values) -> Iterator[Values]:
    for begin in range(0, len(values), CHUNK_ROWS):
        yield take_rows(values, np.arange(begin, min(len(values), begin + CHUNK_ROWS)))
