"""``stream-app offsets``: show where the group continues, and move it while nobody is there."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.offsets import (
    alter_offsets,
    committed_offsets,
    describe_group,
    end_offsets,
    offsets_at,
    start_offsets,
)
from stream_app.cli.options import (
    ConfigOption,
    JsonOption,
    SetOption,
    read_tool_settings,
    require_input_topic,
)
from stream_app.cli.output import print_json, print_table, warn
from stream_app.core.positions import NextOffset
from stream_app.errors import UnavailableError, UsageError

app = typer.Typer(
    help="Show or reset where the group continues.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


class Place(StrEnum):
    """Places of a partition that have a name."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, in milliseconds since 1970, UTC."""

    timestamp_ms: int


Target = Place | Moment | int


def parse_target(text: str) -> Target:
    """What ``--to`` says: ``start``, ``end``, an offset, or a moment in ISO 8601.

    A moment without a zone is UTC.

    Raises:
        UsageError: none of these.
    """
    word = text.strip()
    if word.lower() in set(Place):
        return Place(word.lower())
    if word.isascii() and word.isdigit():
        return int(word)
    try:
        moment = datetime.fromisoformat(word)
    except ValueError as exc:
        raise UsageError(
            f"--to {text!r}: expected start, end, an offset such as 1500, or a time such as "
            "2024-05-01T12:00:00Z"
        ) from exc
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Moment(round(moment.timestamp() * 1000))


@dataclass(frozen=True, slots=True)
class Span:
    """A partition of the input and where the group stands in it.

    Attributes:
        partition: Its number.
        start: Its first offset that is still there.
        committed: Where the group continues; ``None`` when it never committed here.
        end: The offset after its last committed record.
    """

    partition: int
    start: int
    committed: NextOffset | None
    end: int

    @property
    def lag(self) -> int | None:
        """Offsets until the end; markers of transactions are counted too."""
        return None if self.committed is None else max(0, self.end - self.committed.offset)


def read_spans(admin: KafkaAdmin, group: str, topic: str) -> list[Span]:
    """Every partition of ``topic``, as ``group`` stands in it.

    Raises:
        UnavailableError: the topic or the cluster is not there.
    """
    partitions = range(admin.partitions(topic))
    starts = start_offsets(admin, topic, partitions)
    committed = committed_offsets(admin, group, topic, partitions)
    ends = end_offsets(admin, topic, partitions)
    return [Span(p, starts[p], committed.get(p), ends[p]) for p in partitions]


@app.command(epilog="Example: [bold]stream-app offsets show --config stream-app.toml[/bold]")
def show(
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show where the group continues in each partition of the input."""
    settings = read_tool_settings(config, assignments)
    topic = require_input_topic(settings)
    spans = read_spans(KafkaAdmin(settings.kafka), settings.kafka.group, topic)
    if as_json:
        print_json(
            [
                {
                    "topic": topic,
                    "partition": span.partition,
                    "start": span.start,
                    "committed": span.committed.offset if span.committed else None,
                    "metadata": span.committed.metadata if span.committed else None,
                    "end": span.end,
                    "lag": span.lag,
                }
                for span in spans
            ]
        )
        return
    print_table(
        ("partition", "start", "committed", "end", "lag"),
        [
            (
                span.partition,
                span.start,
                span.committed.offset if span.committed else None,
                span.end,
                span.lag,
            )
            for span in spans
        ],
        title=f"group {settings.kafka.group}, topic {topic}",
        right=("partition", "start", "committed", "end", "lag"),
    )


@app.command(
    epilog="Example: [bold]stream-app offsets reset --to 2024-05-01T00:00:00Z --dry-run[/bold] "
    "shows what would change; without --dry-run it asks before it changes anything."
)
def reset(
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="start|end|TIME|OFFSET",
            help="Where to continue: the start, the end, the first record not older than a time "
            "(ISO 8601, UTC unless it says otherwise), or an offset.",
        ),
    ],
    partition: Annotated[
        list[int] | None,
        typer.Option(
            "--partition",
            "-p",
            metavar="N",
            min=0,
            help="Only this partition. May be given several times.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Move the group's offsets; refused while a member is active.

    Going back means that events are scored again: their predictions are then in the output twice.
    Going forward means that events are never scored.
    """
    target = parse_target(to)
    settings = read_tool_settings(config, assignments)
    topic, group = require_input_topic(settings), settings.kafka.group
    admin = KafkaAdmin(settings.kafka)
    spans = _chosen(read_spans(admin, group, topic), partition, topic)
    active = _active_members(admin, group)
    if active and not dry_run:
        raise UsageError(active)
    wanted = _resolve(admin, topic, spans, target)
    _print_change(spans, wanted, f"group {group}, topic {topic}")
    if dry_run:
        typer.echo("dry run: nothing was changed")
        if active:
            warn(f"it would be refused now: {active}")
        return
    if not yes:
        typer.confirm("Change these offsets?", abort=True)
    # Somebody may have started a worker while the question stood.
    if active := _active_members(admin, group):
        raise UsageError(active)
    alter_offsets(admin, group, topic, {p: NextOffset(offset) for p, offset in wanted.items()})
    confirmed = committed_offsets(admin, group, topic, list(wanted))
    if {p: at.offset for p, at in confirmed.items()} != wanted:
        raise UnavailableError(
            f"the offsets of group {group!r} are not what was asked for: a worker may have "
            "started meanwhile; look with `stream-app offsets show`"
        )
    typer.echo(f"changed {len(wanted)} partitions")


def _chosen(spans: list[Span], partitions: list[int] | None, topic: str) -> list[Span]:
    if not partitions:
        return spans
    absent = sorted(set(partitions) - {span.partition for span in spans})
    if absent:
        raise UsageError(
            f"--partition {absent[0]}: topic {topic!r} has the partitions 0 to {len(spans) - 1}"
        )
    return [span for span in spans if span.partition in partitions]


def _active_members(admin: KafkaAdmin, group: str) -> str:
    """Why the offsets must stay as they are; empty if nobody is at work."""
    members = describe_group(admin, group).members
    if not members:
        return ""
    who = ", ".join(sorted({f"{m.client_id} on {m.host}" for m in members}))
    return (
        f"group {group!r} has {len(members)} active member{'s' * (len(members) != 1)} ({who}); "
        "stop them first: what they have in hand would be committed over the new offsets"
    )


def _resolve(admin: KafkaAdmin, topic: str, spans: list[Span], target: Target) -> dict[int, int]:
    """The new offset of each partition, inside what is there."""
    match target:
        case Place.START:
            return {span.partition: span.start for span in spans}
        case Place.END:
            return {span.partition: span.end for span in spans}
        case Moment(timestamp_ms=timestamp_ms):
            return offsets_at(admin, topic, [span.partition for span in spans], timestamp_ms)
        case offset:
            outside = [span for span in spans if not span.start <= offset <= span.end]
            if outside:
                first = outside[0]
                raise UsageError(
                    f"--to {offset}: partition {first.partition} holds the offsets {first.start} "
                    f"to {first.end}; choose one of them, or limit with --partition"
                )
            return {span.partition: offset for span in spans}


def _print_change(spans: list[Span], wanted: dict[int, int], title: str) -> None:
    rows = []
    for span in spans:
        before, after = span.committed, wanted[span.partition]
        change = None if before is None else f"{after - before.offset:+d}"
        rows.append((span.partition, before.offset if before else None, after, change))
    print_table(
        ("partition", "before", "after", "change"),
        rows,
        title=title,
        right=("partition", "before", "after", "change"),
    )
