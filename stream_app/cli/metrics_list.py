"""``stream-app metrics``: everything that is measured, from the table in ``core/metrics.py``."""

from enum import StrEnum
from typing import Annotated

import typer

from stream_app.cli.output import print_json, print_table
from stream_app.core.metrics import METRICS

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


class Format(StrEnum):
    """How the list is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command(epilog="Example: [bold]stream-app metrics --format json[/bold]")
def metrics(
    output_format: Annotated[
        Format, typer.Option("--format", "-f", help="How to write the list.")
    ] = Format.TABLE,
) -> None:
    """List all metrics that a worker serves under /metrics."""
    rows = [
        (metric.name, metric.kind.value, ", ".join(metric.labels), metric.help)
        for metric in METRICS
    ]
    match output_format:
        case Format.TABLE:
            print_table(("metric", "kind", "labels", "meaning"), rows)
        case Format.MARKDOWN:
            typer.echo(markdown(), nl=False)
        case Format.JSON:
            print_json(
                [
                    {
                        "name": metric.name,
                        "kind": metric.kind.value,
                        "labels": list(metric.labels),
                        "buckets": list(metric.buckets),
                        "meaning": metric.help,
                    }
                    for metric in METRICS
                ]
            )


def markdown() -> str:
    """The content of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Served under `/metrics` of the operations port (`http.port`), in Prometheus' text form.",
        "Seconds, bytes and records are the only units.",
        "",
        "This page is written by `stream-app metrics --format markdown`; a test keeps it equal.",
        "",
        "| Metric | Kind | Labels | Meaning |",
        "|---|---|---|---|",
    ]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"
