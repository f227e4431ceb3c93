"""What the model costs without anything around it: ONNX Runtime on rows of the input topic.

Rows never come twice in a row: on repeated rows trees were measured 2.5 times too fast, since
branches are then foreseen. This is the upper bound of what any worker on this machine can score.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import cycle
from statistics import median

import numpy as np

from stream_app.adapters.avro.parts import build_decoder
from stream_app.adapters.bench.meter import peak_rss_bytes
from stream_app.adapters.bench.plain_model import PlainModel
from stream_app.adapters.bench.topics import read_batches
from stream_app.adapters.model.manifest_file import MODEL_FILE
from stream_app.adapters.model.repository import ModelRepository
from stream_app.adapters.process.clock import SystemClock
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry
from stream_app.core.columns import Tensor
from stream_app.errors import DataError
from stream_app.settings import Settings

_ROWS = 32_768
_FIRST_RUNS = 3

Tensors = Mapping[str, Tensor]


class ModelCost:
    """Runs the model of these settings on rows of their input topic."""

    def __init__(self, settings: Settings) -> None:
        """Read the rows.

        Raises:
            StreamAppError: there is no model, or no input that can be decoded.
        """
        repository = ModelRepository(settings.model.repository)
        self._files = repository.open(settings.model.name, settings.model.version)
        self._rows = self._read(settings)
        self._count = len(next(iter(self._rows.values())))

    def at_batch(self, batch: int, threads: int, seconds: float) -> dict[str, object]:
        """Measure for about ``seconds``; as ``Meter.figures`` where it has the same."""
        model = PlainModel(self._files.folder / MODEL_FILE, threads)
        parts = cycle(list(self._parts(batch)))
        for _ in range(_FIRST_RUNS):
            model.run(next(parts))
        rows = 0
        runs_s: list[float] = []
        cpu_s, thread_s = time.process_time(), time.thread_time()
        begun_s = now_s = time.monotonic()
        while now_s < begun_s + seconds:
            part, before_s = next(parts), now_s
            model.run(part)
            rows += len(next(iter(part.values())))
            now_s = time.monotonic()
            runs_s.append(now_s - before_s)
        return {
            "batch": batch,
            "threads": threads,
            # What else the machine does falls on some runs, and would bend the curve.
            "rows_per_run_second": rows / len(runs_s) / median(runs_s),
            "predictions": rows,
            "dead_letters": 0,
            "seconds": now_s - begun_s,
            "cpu_s": time.process_time() - cpu_s,
            "thread_cpu_s": time.thread_time() - thread_s,
            "steps": {"score": now_s - begun_s},
            "batches": len(runs_s),
            "commits": 0,
            "aborts": 0,
            "peak_rss_bytes": peak_rss_bytes(),
        }

    def _read(self, settings: Settings) -> Tensors:
        contract = self._files.contract
        decoder = build_decoder(settings, contract, SystemClock(), NullTelemetry(), compiled=False)
        found: list[Tensors] = []
        for records in read_batches(settings.kafka, settings.input.topic, _ROWS):
            events = decoder.decode(records)
            good = events.good_rows()
            found.append({name: tensor[good] for name, tensor in events.tensors.items()})
        names = [tensor.name for tensor in contract.inputs]
        rows = {name: np.concatenate([each[name] for each in found]) for name in names if found}
        if not rows or not len(next(iter(rows.values()))):
            raise DataError(
                f"{settings.input.topic}: none of its first {_ROWS} records can be decoded for "
                f"the model {settings.model.name}; `stream-app check` says why"
            )
        return rows

    def _parts(self, batch: int) -> Iterator[Tensors]:
        """Full batches only, unless there are fewer rows than one."""
        step = min(batch, self._count)
        for begin in range(0, self._count - step + 1, step):
            yield {name: tensor[begin : begin + step] for name, tensor in self._rows.items()}
