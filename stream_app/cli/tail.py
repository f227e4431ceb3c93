"""``stream-app tail``: a topic's committed records, decoded."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from stream_app.adapters.avro.codec import AvroCodec, UndecodableError
from stream_app.adapters.avro.tool_codec import tool_codec, topic_framing
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.offsets import end_offsets, start_offsets
from stream_app.adapters.kafka.reader import SeenRecord, read_records
from stream_app.cli.options import (
    ConfigOption,
    SetOption,
    read_tool_settings,
    require_input_topic,
)
from stream_app.cli.output import print_json_line
from stream_app.cli.record_view import (
    TABLE_HEADER,
    Decoded,
    dead_letter_line,
    json_document,
    table_line,
)
from stream_app.errors import RetriableError, UnavailableError, UsageError
from stream_app.settings import Framing

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


class Format(StrEnum):
    """How records are shown."""

    TABLE = "table"
    JSON = "json"


@app.command(
    epilog="Example: [bold]stream-app tail events.predictions --from-beginning --until-end "
    "--format json | head[/bold]"
)
def tail(
    topic: Annotated[
        str | None,
        typer.Argument(metavar="[TOPIC]", help="May be left out with --dead-letters."),
    ] = None,
    *,
    dead_letters: Annotated[
        bool,
        typer.Option("--dead-letters", help="The job's dead letters, with the reason of each."),
    ] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest record, not with new.")
    ] = False,
    until_end: Annotated[
        bool,
        typer.Option("--until-end", help="Stop at what is there now, instead of waiting for more."),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--max", "-n", metavar="N", min=1, help="Stop after N records."),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", "-f", help="A line a record, or JSON lines for programs.")
    ] = Format.TABLE,
    raw: Annotated[
        bool, typer.Option("--raw", help="Do not decode: show values as base64.")
    ] = False,
    framing: Annotated[
        Framing | None,
        typer.Option(help="Default: as the settings say for this topic.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show a topic's records with headers, partition, offset and time.

    Only committed records are shown. What cannot be decoded is shown as base64 with the reason.
    No group is joined and nothing is committed.
    """
    settings = read_tool_settings(config, assignments)
    if dead_letters:
        require_input_topic(settings)
        topic = topic or settings.dlq_topic
    if topic is None:
        raise UsageError("which topic? give its name, or --dead-letters")
    codec = None if raw else tool_codec(settings, framing or topic_framing(settings, topic))
    admin = KafkaAdmin(settings.kafka)
    partitions = range(admin.partitions(topic))
    ends = end_offsets(admin, topic, partitions)
    starts = start_offsets(admin, topic, partitions) if from_beginning else ends
    records = read_records(settings.kafka, topic, starts, ends if until_end else None)
    line = dead_letter_line if dead_letters else table_line
    _show(islice(records, limit), codec, None if output_format is Format.JSON else line)


def _show(
    records: Iterator[SeenRecord],
    codec: AvroCodec | None,
    line: Callable[[SeenRecord, Decoded], str] | None,
) -> None:
    """One record at a time, so that the reader of a pipe has each at once."""
    if line is table_line:
        typer.echo(TABLE_HEADER)
    some = False
    for record in records:
        some = True
        decoded = _decode(record, codec)
        if line is None:
            print_json_line(json_document(record, decoded))
        else:
            typer.echo(line(record, decoded))
    if not some:
        typer.echo("no records", err=True)


def _decode(record: SeenRecord, codec: AvroCodec | None) -> Decoded:
    if record.value is None:
        return Decoded(None)
    if codec is None:
        return Decoded(None, "not decoded")
    try:
        return Decoded(codec.decode(record.value, record.headers))
    except UndecodableError as exc:
        return Decoded(None, str(exc))
    except RetriableError as exc:
        raise UnavailableError(
            f"{exc}; without it values cannot be decoded: mend it, or give --raw"
        ) from exc
