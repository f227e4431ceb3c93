"""The end of a bench, for a person: who made how much, where time goes, how long outcomes take.

Decides which figures are shown and in which words; all of them are in ``--json``.
"""

from collections.abc import Mapping
from typing import Final

from stream_app.bench.figures import Latencies, Result, Spread
from stream_app.bench.options import COUNTED, Contender
from stream_app.bench.report import PERCENTILES, Report

Row = list[object]

_STEPS: Final = ("fetch", "decode", "score", "encode", "drift", "deliver", "commit", "other")
_MIB: Final = 1024 * 1024


def throughput(report: Report) -> tuple[list[str], list[Row]]:
    """Columns and rows: everybody's speed and cost, the fastest last."""
    columns = ["", "records/s", "of plain loop", "of the model", "CPU us", "thread us", "RSS MiB"]
    rows: list[Row] = [
        [
            contender.value,
            spread(result.per_second),
            _times(report.ratio(contender, Contender.PLAIN_LOOP)),
            _share(report.ratio(contender, Contender.ONNX)) if contender.scores else "-",
            f"{result.cpu_us.median:.2f}",
            f"{result.thread_cpu_us.median:.2f}",
            f"{result.peak_rss_bytes / _MIB:,.0f}",
        ]
        for contender, result in by_speed(report)
    ]
    return columns, rows


def by_speed(report: Report) -> list[tuple[Contender, Result]]:
    """Contenders and results, the slowest first."""
    return sorted(report.results.items(), key=lambda each: each[1].per_second.median)


def steps(report: Report) -> tuple[list[str], list[Row]]:
    """Columns and rows: of the working thread's time, the share of each step."""
    rows: list[Row] = []
    for contender, result in by_speed(report):
        if contender is not Contender.ONNX:
            shares = result.shares()
            rows.append([contender.value, *(_percent(shares.get(step, 0.0)) for step in _STEPS)])
    return ["", *_STEPS], rows


def latency(latencies: Mapping[str, Latencies]) -> tuple[list[str], list[Row]]:
    """Columns and rows: milliseconds from sending to reading, the median of the runs."""
    rows: list[Row] = [
        [name, *(_ms(found.at(share)) for share in PERCENTILES.values()), _ms(found.at(1.0))]
        for name, found in latencies.items()
    ]
    return ["", "p50 ms", "p99 ms", "p99.9 ms", "greatest"], rows


def drift(report: Report) -> tuple[list[str], list[Row]]:
    """Columns and rows: what counting drift costs, and how much is written of it."""
    columns = ["", "costs of throughput", "events/s", "partials, bytes an event"]
    rows: list[Row] = []
    for contender in COUNTED.values():
        runs = [each for each in report.partials if each.contender == contender.value]
        cost = report.drift_cost(contender)
        for at, each in enumerate(sorted(runs, key=lambda run: run.per_second)):
            told = "" if at else _share(cost)
            name = "" if at else contender.value
            rows.append([name, told, f"{each.per_second:,.0f}", f"{each.each:.2f}"])
    return columns, rows


def model_cost(report: Report) -> tuple[list[str], list[Row]]:
    """Columns and rows: thousands of rows a second, a line for each number of threads."""
    batches = sorted({point.batch for point in report.curve})
    by_place = {(p.threads, p.batch): p.rows_per_second for p in report.curve}
    rows: list[Row] = [
        [
            f"{threads} thread{'s' if threads > 1 else ''}",
            *(f"{by_place[threads, batch] / 1000:,.0f}" for batch in batches),
        ]
        for threads in sorted({point.threads for point in report.curve})
    ]
    return ["1000 rows/s at", *map(str, batches)], rows


def advice(report: Report) -> tuple[list[str], list[Row]]:
    """Columns and rows: what to set, and why."""
    rows: list[Row] = [[a.setting, a.value, a.now, a.reason] for a in report.advice]
    return ["setting", "take", "now", "since"], rows


def spread(found: Spread) -> str:
    """The median, and the range where there is one."""
    if found.least == found.greatest:
        return f"{found.median:,.0f}"
    return f"{found.median:,.0f} ({found.least:,.0f} to {found.greatest:,.0f})"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f} x"


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.0%}"


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _ms(found: Spread | None) -> str:
    return "-" if found is None else f"{1000 * found.median:.1f}"
