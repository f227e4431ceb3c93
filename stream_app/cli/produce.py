"""``stream-app produce``: a file's events into a topic, at the pace that is asked for."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.avro.event_framing import value_prefix
from stream_app.adapters.avro.record_files import (
    EventFile,
    FileFormat,
    open_events,
)
from stream_app.adapters.avro.schema_file import read_schema_file
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.replay import OutgoingEvent, ReplayReport, produce_events
from stream_app.adapters.kafka.topics import topic_configs
from stream_app.cli.event_fields import (
    Partitioning,
    default_time_field,
    key_bytes,
    parse_partitioning,
    require_field,
    timestamp_ms,
)
from stream_app.cli.options import ConfigOption, JsonOption, SetOption, read_tool_settings
from stream_app.cli.output import print_json, warn
from stream_app.cli.progress import Progress
from stream_app.errors import ExitStatus, UsageError
from stream_app.settings import Framing

_REMEDIES = {
    "INVALID_TIMESTAMP": "brokers refuse timestamps more than an hour ahead of their clock "
    "(message.timestamp.after.max.ms); choose another --time-field, or --timestamp-now",
    "MSG_SIZE_TOO_LARGE": "a record is larger than the topic's max.message.bytes",
    "_MSG_TIMED_OUT": "no broker took the records in time; look at the cluster and try again",
    "TOPIC_AUTHORIZATION_FAILED": "missing ACL: Write on the topic",
    "NOT_ENOUGH_REPLICAS": "too few brokers are up for the topic's min.insync.replicas",
}

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(
    epilog="Example: [bold]stream-app produce events.csv --topic events --schema event.avsc "
    "--key-field application_id --rate 500[/bold]"
)
def produce(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="Avro container (.avro), CSV with a header (.csv), or JSON lines (.jsonl).",
        ),
    ],
    *,
    topic: Annotated[
        str | None,
        typer.Option("--topic", "-t", help="Default: input.topic.", show_default=False),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            "-s",
            metavar="AVSC",
            help="The events' Avro schema, for CSV and JSON lines.",
            show_default=False,
        ),
    ] = None,
    file_format: Annotated[
        FileFormat | None,
        typer.Option("--format", help="Default: by the file's name.", show_default=False),
    ] = None,
    framing: Annotated[
        Framing | None,
        typer.Option(help="Default: input.framing.", show_default=False),
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Register the schema if the registry lacks it.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(metavar="N", help="Records a second. Default: as many as go."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Send only the first N.", show_default=False),
    ] = None,
    key_field: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="Its value becomes the key.", show_default=False),
    ] = None,
    time_field: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="Its value becomes the record's timestamp. Default: the timestamp-millis field, "
            "if there is exactly one.",
            show_default=False,
        ),
    ] = None,
    timestamp_now: Annotated[
        bool, typer.Option("--timestamp-now", help="The record's timestamp is the time of sending.")
    ] = False,
    partition_by: Annotated[
        str,
        typer.Option(
            metavar="key|round-robin|N",
            help="By key (murmur2, as Java clients do; keyless records spread at random), one "
            "partition after the other, or all into partition N.",
        ),
    ] = "key",
    ignore_unknown: Annotated[
        bool,
        typer.Option("--ignore-unknown", help="Leave out columns that the schema does not know."),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Send the events of a file to a topic, as framed Avro.

    The records' timestamps are the events' own times. Bytes are base64 in CSV and JSON. Ends with
    a status other than 0 when a record was not delivered.
    """
    if rate is not None and rate <= 0:
        raise UsageError(f"--rate {rate:g}: expected more than 0 records a second")
    if timestamp_now and time_field is not None:
        raise UsageError("--timestamp-now and --time-field exclude each other; give one")
    settings = read_tool_settings(config, assignments)
    target = topic or settings.input.topic
    if not target:
        raise UsageError("to which topic? give --topic, or set input.topic")
    given = None if schema is None else read_schema_file(schema)
    with open_events(file, file_format, given, ignore_unknown=ignore_unknown) as events:
        record = events.schema.record
        if time_field is None and not timestamp_now:
            time_field = default_time_field(record)
        plan = _Plan(
            key_field=require_field(record, key_field, "--key-field"),
            time_field=require_field(record, time_field, "--time-field"),
            partitioning=parse_partitioning(partition_by),
            limit=limit,
        )
        admin = KafkaAdmin(settings.kafka)
        plan.partitions = admin.partitions(target)
        chosen = framing or settings.input.framing
        plan.prefix = value_prefix(settings, target, events.schema, chosen, register=register)
        plan.retention_ms = _retention_ms(topic_configs(admin, [target])[target])
        with Progress(f"sending to {target}", quiet=as_json) as progress:
            report = produce_events(
                settings.kafka,
                target,
                plan.outgoing(events),
                rate=rate,
                on_progress=lambda now: progress.show(now, _share(now, events, limit)),
            )
    _finish(report, target, as_json=as_json)


@dataclass(slots=True)
class _Plan:
    """How a row becomes a record."""

    key_field: str | None
    time_field: str | None
    partitioning: Partitioning
    limit: int | None
    partitions: int = 1
    prefix: bytes = b""
    retention_ms: int = -1
    _warned: bool = field(default=False)

    def outgoing(self, events: EventFile) -> Iterator[OutgoingEvent]:
        time_of = timestamp_ms(events.schema.record, self.time_field)
        choose = self.partitioning.chooser(self.partitions)
        for number, event in enumerate(events.rows()):
            if number == self.limit:
                return
            at_ms = time_of(event.fields)
            self._warn_if_old(at_ms)
            key = key_bytes(event.fields.get(self.key_field)) if self.key_field else None
            yield OutgoingEvent(self.prefix + event.avro, key, at_ms, choose(number))

    def _warn_if_old(self, at_ms: int) -> None:
        if self._warned or self.retention_ms < 0 or at_ms < 0:
            return
        if at_ms < time.time() * 1000 - self.retention_ms:
            self._warned = True
            days = self.retention_ms / 86_400_000
            warn(
                f"the topic keeps records for {days:g} days by their own time, and these are "
                "older: brokers will delete them soon. Make the topic with `stream-app topics "
                "create --with-input --keep-forever`, or give --timestamp-now"
            )


def _retention_ms(configs: dict[str, str]) -> int:
    kept = configs.get("retention.ms", "-1")
    return int(kept) if "delete" in configs.get("cleanup.policy", "delete") else -1


def _share(report: ReplayReport, events: EventFile, limit: int | None) -> float:
    return events.share_read if limit is None else max(report.sent / limit, events.share_read)


def _finish(report: ReplayReport, topic: str, *, as_json: bool) -> None:
    failed = report.failed.total()
    if as_json:
        print_json(
            {
                "topic": topic,
                "sent": report.sent,
                "delivered": report.delivered,
                "failed": dict(report.failed),
                "size_bytes": report.size_bytes,
                "elapsed_s": round(report.elapsed_s, 3),
                "records_per_second": round(report.records_per_second, 1),
                "interrupted": report.interrupted,
            }
        )
    else:
        typer.echo(
            f"{report.delivered} records delivered to {topic} in {report.elapsed_s:.1f} s "
            f"({report.records_per_second:.0f}/s), {failed} failed"
            + (", interrupted" if report.interrupted else "")
        )
    for name, count in report.failed.most_common():
        warn(f"{count} records: {name}; {_REMEDIES.get(name, 'see the brokers')}")
    if report.interrupted:
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(ExitStatus.UNAVAILABLE)
