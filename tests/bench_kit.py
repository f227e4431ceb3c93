"""A report of a bench, as tests of what is shown and said need one."""

from stream_app.bench.advice import Advice
from stream_app.bench.figures import CurvePoint, Figures, Latencies, Latency, PartialBytes, Result
from stream_app.bench.options import Contender
from stream_app.bench.report import Report


def result(per_second: int, **steps: float) -> Result:
    run = Figures(per_second, 0, 1.0, 0.5, 0.4, steps, 3, 2, 0, 10**8)
    return Result((run,))


REPORT = Report(
    date="2026-01-01T00:00:00+00:00",
    kafka="a cluster",
    model="mlp 1",
    records=1_000,
    partitions=4,
    rounds=1,
    settings={},
    machine={"processor": "a processor", "cores": 2},
    versions={"python": "3"},
    pinned=True,
    results={
        Contender.NATIVE: result(400_000, fetch=0.25, other=0.75),
        Contender.NATIVE_WITHOUT_DRIFT: result(500_000, other=1.0),
        Contender.PLAIN_LOOP: result(100_000, decode=1.0),
        Contender.ONNX: result(800_000, score=1.0),
    },
    curve=[CurvePoint(1, 1, 1e5), CurvePoint(64, 1, 1e6)],
    latencies={"echo": Latencies((Latency(2_000.0, 3, (0.001, 0.002)),))},
    advice=[Advice("batch.max_records", "64", "512", "since 64")],
    partials=[
        PartialBytes("stream-app-native", 400_000.0, 0.11),
        PartialBytes("stream-app-native", 2_000.0, 30.0),
    ],
    compared=100,
)
