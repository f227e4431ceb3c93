"""``stream-app status``: the group, where it stands, and what it gave up on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.offsets import (
    GroupState,
    committed_offsets,
    describe_group,
    end_offsets,
    start_offsets,
)
from stream_app.adapters.kafka.reader import SeenRecord, read_records
from stream_app.cli.options import (
    ConfigOption,
    JsonOption,
    SetOption,
    read_tool_settings,
    require_input_topic,
)
from stream_app.cli.output import print_json, print_table
from stream_app.cli.record_view import iso_time, text_of
from stream_app.settings import Settings

_LOOKED_BACK = (500, 5_000, 50_000)
"""Offsets at the end of each partition of the dead letter topic that are looked at, in turn."""

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition of the input.

    Attributes:
        partition: Its number.
        committed: Where the group continues; ``None`` before its first commit.
        stable_end: The offset after the last committed record.
        end: The offset after the last record, open transactions included.
        lag: Records behind; ``None`` before the first commit.
        member: Whose it is, by client id and host.
    """

    partition: int
    committed: int | None
    stable_end: int
    end: int
    lag: int | None
    member: str | None


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A partition whose last records are not committed yet.

    Readers who wait for commits see up to ``stable_end``; one transaction or several are between
    it and ``end``. The cluster's protocol names them, the client library does not.
    """

    topic: str
    partition: int
    stable_end: int
    end: int


@dataclass(frozen=True, slots=True)
class DeadLetterNote:
    """A dead letter, by its headers alone."""

    partition: int
    offset: int
    timestamp: str | None
    stage: str
    code: str
    source: str
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that the command shows.

    Attributes:
        topic: The input topic.
        group: The group and its members.
        partitions: Of the input.
        open_transactions: On the output topics.
        absent_topics: Output topics that do not exist.
        dead_letters_by_code: Of those looked at.
        last_dead_letters: The newest, newest last.
    """

    topic: str
    group: GroupState
    partitions: list[PartitionStatus]
    open_transactions: list[OpenTransaction]
    absent_topics: list[str]
    dead_letters_by_code: dict[str, int]
    last_dead_letters: list[DeadLetterNote]


@app.command(epilog="Example: [bold]stream-app status --config stream-app.toml[/bold]")
def status(
    *,
    dead_letters: Annotated[
        int,
        typer.Option("--dead-letters", metavar="N", min=0, help="Show the last N dead letters."),
    ] = 5,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show the group's members and lag, open transactions and the last dead letters."""
    settings = read_tool_settings(config, assignments)
    found = read_status(settings, dead_letters)
    if as_json:
        print_json(asdict(found))
    else:
        _print(found)


def read_status(settings: Settings, dead_letters: int) -> Status:
    """Ask the cluster.

    Raises:
        UnavailableError: the cluster or the input topic is not there.
        ConfigError: we may not ask.
    """
    topic = require_input_topic(settings)
    admin = KafkaAdmin(settings.kafka)
    counts = admin.partition_counts()
    admin.partitions(topic)
    group = describe_group(admin, settings.kafka.group)
    outputs = [settings.predictions_topic, settings.dlq_topic, settings.partials_topic]
    present = [name for name in outputs if name in counts]
    letters: list[SeenRecord] = []
    if settings.dlq_topic in counts and dead_letters:
        letters = _last_letters(admin, settings, counts[settings.dlq_topic], dead_letters)
    notes = [_note(letter) for letter in letters]
    return Status(
        topic=topic,
        group=group,
        partitions=_partitions(admin, group, topic, counts[topic]),
        open_transactions=[
            found for name in present for found in _open_transactions(admin, name, counts[name])
        ],
        absent_topics=[name for name in outputs if name not in counts],
        dead_letters_by_code=dict(Counter(note.code for note in notes).most_common()),
        last_dead_letters=notes[-dead_letters:] if dead_letters else [],
    )


def _partitions(
    admin: KafkaAdmin, group: GroupState, topic: str, count: int
) -> list[PartitionStatus]:
    partitions = range(count)
    committed = committed_offsets(admin, group.name, topic, partitions)
    stable = end_offsets(admin, topic, partitions)
    ends = end_offsets(admin, topic, partitions, stable=False)
    owners = {
        p: f"{member.client_id} on {member.host}"
        for member in group.members
        for name, p in member.partitions
        if name == topic
    }
    found = []
    for p in partitions:
        at = committed[p].offset if p in committed else None
        lag = None if at is None else max(0, stable[p] - at)
        found.append(PartitionStatus(p, at, stable[p], ends[p], lag, owners.get(p)))
    return found


def _open_transactions(admin: KafkaAdmin, topic: str, count: int) -> list[OpenTransaction]:
    partitions = range(count)
    # The end first: what is committed between the two questions must not look open.
    ends = end_offsets(admin, topic, partitions, stable=False)
    stable = end_offsets(admin, topic, partitions)
    return [
        OpenTransaction(topic, p, stable[p], ends[p]) for p in partitions if stable[p] < ends[p]
    ]


def _last_letters(
    admin: KafkaAdmin, settings: Settings, count: int, wanted: int
) -> list[SeenRecord]:
    """The newest dead letters, at least ``wanted`` if there are as many; oldest first."""
    topic, partitions = settings.dlq_topic, range(count)
    starts = start_offsets(admin, topic, partitions)
    ends = end_offsets(admin, topic, partitions)
    found: list[SeenRecord] = []
    # Where a transaction was aborted there are offsets without records: look further then.
    for back in _LOOKED_BACK:
        near = {p: max(starts[p], ends[p] - back) for p in partitions}
        found = list(read_records(settings.kafka, topic, near, ends))
        if len(found) >= wanted or near == starts:
            break
    return sorted(found, key=lambda record: (record.timestamp_ms, record.partition, record.offset))


def _note(letter: SeenRecord) -> DeadLetterNote:
    headers = {name: text_of(content) or "" for name, content in letter.headers}
    place = (headers.get(f"err.{part}", "?") for part in ("topic", "partition", "offset"))
    return DeadLetterNote(
        partition=letter.partition,
        offset=letter.offset,
        timestamp=iso_time(letter.timestamp_ms),
        stage=headers.get("err.stage", "?"),
        code=headers.get("err.code", "?"),
        source="/".join(place),
        message=headers.get("err.message", ""),
    )


def _print(found: Status) -> None:
    group = found.group
    facts = [group.state, group.protocol, group.assignor, f"{len(group.members)} members"]
    typer.echo(f"group {group.name}: {', '.join(filter(None, facts))}")
    if group.members:
        _print_members(group)
    lags = [partition.lag for partition in found.partitions]
    known = [lag for lag in lags if lag is not None]
    total = f"lag {sum(known)}" if len(known) == len(lags) else "some partitions never committed"
    columns = ("partition", "committed", "stable end", "end", "lag")
    print_table(
        (*columns, "member"),
        [
            (p.partition, p.committed, p.stable_end, p.end, p.lag, p.member)
            for p in found.partitions
        ],
        title=f"input {found.topic}: {total}",
        right=columns,
    )
    for name in found.absent_topics:
        typer.echo(f"topic {name} does not exist; stream-app topics create makes it")
    if found.open_transactions:
        rows = [(t.topic, t.partition, t.stable_end, t.end) for t in found.open_transactions]
        print_table(
            ("topic", "partition", "stable end", "end"),
            rows,
            title="open transactions",
            right=("partition", "stable end", "end"),
        )
    else:
        typer.echo("open transactions: none")
    _print_dead_letters(found.dead_letters_by_code, found.last_dead_letters)


def _print_members(group: GroupState) -> None:
    rows = []
    for member in group.members:
        by_topic: dict[str, list[int]] = {}
        for topic, partition in member.partitions:
            by_topic.setdefault(topic, []).append(partition)
        assigned = "; ".join(f"{t}: {', '.join(map(str, ps))}" for t, ps in by_topic.items())
        rows.append((member.client_id, member.host, assigned or "nothing", member.member_id))
    print_table(("client", "host", "assigned", "member id"), rows)


def _print_dead_letters(by_code: dict[str, int], last: Sequence[DeadLetterNote]) -> None:
    if not by_code:
        typer.echo("dead letters: none seen")
        return
    counted = ", ".join(f"{code} {count}" for code, count in by_code.items())
    print_table(
        ("partition", "offset", "timestamp", "stage", "code", "source", "message"),
        [(n.partition, n.offset, n.timestamp, n.stage, n.code, n.source, n.message) for n in last],
        title=f"last dead letters (of the last {sum(by_code.values())}: {counted})",
        right=("partition", "offset"),
    )
