"""The end of a run, for a person: the numbers, some outcomes, the verdict, and where to go next.

Decides the form only; it must read well in a terminal of 60 columns and in a log file.
"""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream_app.demo.options import KafkaKind
from stream_app.demo.summary import Summary
from stream_app.settings import Delivery


def print_answer(console: Console, summary: Summary) -> None:
    """Print all of it."""
    console.print()
    console.print(_numbers(summary))
    if summary.examples:
        console.print(_predictions(summary))
    if summary.report.dead_letters:
        console.print(_dead_letters(summary))
    console.print(_drift(summary))
    _print_verdict(console, summary)


def _numbers(summary: Summary) -> Table:
    report, measured = summary.report, summary.measured
    table = _table("Summary")
    table.show_header = False
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("events", f"{report.events:,}")
    table.add_row("predictions", f"{report.predictions:,}")
    table.add_row("dead letters", f"{sum(report.dead_letters.values()):,}, all of them below")
    table.add_row("lost", _count(report.lost.count))
    table.add_row("duplicated", _count(report.duplicated.count))
    table.add_row("delivery", summary.delivery.replace("_", " "))
    table.add_row("killed", "; ".join(summary.killed) or "nothing")
    if measured.take_over_s is not None:
        table.add_row("take-over", f"{measured.take_over_s:.1f} s after the kill")
    table.add_row("throughput", _throughput(summary))
    table.add_row("latency", _latency(summary))
    return table


def _throughput(summary: Summary) -> str:
    measured = summary.measured
    if measured.records_per_second is None:
        return "too few events to measure"
    whole = f"{measured.records_per_second:,.0f} records/s, {summary.workers} workers"
    if measured.records_per_second_before_kill is None:
        return whole
    return (
        f"{measured.records_per_second_before_kill:,.0f} records/s until the kill, "
        f"{measured.records_per_second:,.0f} with the take-over"
    )


def _latency(summary: Summary) -> str:
    measured = summary.measured
    if measured.latency_p50_s is None or measured.latency_p99_s is None:
        return "too few events to measure"
    return (
        f"p50 {measured.latency_p50_s * 1000:.0f} ms, p99 {measured.latency_p99_s * 1000:.0f} ms, "
        "from sending an event to reading its prediction"
    )


def _predictions(summary: Summary) -> Table:
    table = _table("Some predictions")
    for name in ("event", "label", "scores"):
        table.add_column(name, overflow="fold")
    table.add_column("read from", overflow="fold")
    for prediction in summary.examples:
        table.add_row(
            Text(str(prediction.get("event_id", "-"))),
            str(prediction.get("label", "-")),
            _scores(prediction),
            f"partition {prediction['source_partition']} @ {prediction['source_offset']}",
        )
    return table


def _scores(prediction: Mapping[str, Any]) -> str:
    return " ".join(f"{score:.3f}" for score in prediction.get("scores", ())) or "-"


def _dead_letters(summary: Summary) -> Table:
    table = _table("Dead letters, by reason")
    table.add_column("code", overflow="fold", min_width=12)
    table.add_column("records", justify="right")
    table.add_column("the first one says", overflow="fold")
    for code, count in sorted(summary.report.dead_letters.items()):
        table.add_row(code, f"{count:,}", Text(summary.reasons.get(code, "-")))
    return table


def _drift(summary: Summary) -> Table:
    drift = summary.drift
    table = _table("Drift")
    table.show_header = False
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    same = "the same, computed again from a file of the events"
    told = same if drift.live_equals_offline else "not the same as computed from a file"
    table.add_row("windows", f"{drift.windows}; {told}")
    table.add_row("first half", _alerts(drift.quiet_half_alerts))
    columns = f": {', '.join(drift.columns)}" if drift.columns else ""
    table.add_row("second half", Text(f"{_alerts(drift.drifted_half_alerts)}{columns}"))
    table.add_row("report", Text(str(drift.page)))
    return table


def _alerts(count: int) -> str:
    return "no alert" if not count else "1 alert" if count == 1 else f"{count} alerts"


def _print_verdict(console: Console, summary: Summary) -> None:
    # What the mock cannot show was said before it began.
    for note in summary.report.notes if summary.kafka != KafkaKind.MOCK else ():
        console.print(Text(f"note: {note}", style="dim"))
    if not summary.ok:
        for fault in summary.faults:
            console.print(Text(fault, style="bold red"))
        return
    again = "" if summary.delivery == Delivery.EXACTLY_ONCE else " in this run"
    console.print(
        Text(
            "Every event has exactly one outcome: nothing was lost, nothing was repeated"
            f"{again}. The topics were read again to find out.",
            style="green",
        )
    )
    console.print(_next(summary))


def _next(summary: Summary) -> Text:
    if summary.kafka == KafkaKind.MOCK:
        return Text(
            "Next: stream-app demo --kafka real (make demo KAFKA=real) does it exactly once on a "
            "real Apache Kafka, and kills a worker half-way."
        )
    return Text(
        "Next: your own events, on your own Kafka: the five-minute tour in README.md, or "
        "stream-app --help."
    )


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )


def _count(count: int) -> Text:
    return Text(f"{count:,}", style="bold red" if count else "green")
