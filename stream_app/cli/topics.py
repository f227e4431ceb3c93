"""``stream-app topics``: make the topics that the job needs, and leave those that are there."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from stream_app.adapters.avro.schema_registration import Registration, register_schemas
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.topic_plan import PlanOptions, TopicPlan, plan_topics
from stream_app.adapters.kafka.topics import TopicState, create_topics, describe_topics
from stream_app.cli.options import (
    ConfigOption,
    JsonOption,
    SetOption,
    read_tool_settings,
    require_input_topic,
)
from stream_app.cli.output import print_json, print_table, warn
from stream_app.errors import UnavailableError, UsageError
from stream_app.settings import Settings

_DEFAULT_PARTITIONS = 4
_FOR_EVER_MS = -1

app = typer.Typer(
    help="Create the topics that the job needs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


@app.callback()
def _group() -> None:
    """Keep ``create`` a command of its own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one topic of the plan.

    Attributes:
        plan: As it should be.
        action: ``created``, ``exists``, or ``would create``.
        partitions: As it is now, or would be.
        differences: What is other than planned; nothing is changed there.
    """

    plan: TopicPlan
    action: str
    partitions: int
    differences: tuple[str, ...]


@app.command(
    epilog="Example: [bold]stream-app topics create --set input.topic=events "
    "--with-input --partitions 4 --register-schemas[/bold]"
)
def create(
    *,
    partitions: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Partitions of input, predictions and dead letters. Default: the input's, or "
            f"{_DEFAULT_PARTITIONS} when it is made now.",
            show_default=False,
        ),
    ] = None,
    replication_factor: Annotated[
        int, typer.Option(metavar="N", min=0, help="Replicas; 0 lets the cluster decide.")
    ] = 0,
    retention_ms: Annotated[
        int | None,
        typer.Option(
            metavar="MS",
            min=1,
            help="How long records are kept, by their own time. Default: as the cluster says.",
            show_default=False,
        ),
    ] = None,
    keep_forever: Annotated[
        bool,
        typer.Option(
            "--keep-forever",
            help="retention.ms = -1: for trials with old events, which a cluster would delete.",
        ),
    ] = False,
    with_input: Annotated[
        bool,
        typer.Option(
            "--with-input/--no-input",
            help="Make the input topic too. For trials: elsewhere it belongs to those who write.",
        ),
    ] = False,
    register_schemas_too: Annotated[
        bool,
        typer.Option(
            "--register-schemas",
            help="Register the prediction schema, and --event-schema if given, in the schema "
            "registry (framing confluent); refused if not BACKWARD compatible.",
        ),
    ] = False,
    event_schema: Annotated[
        Path | None,
        typer.Option(
            metavar="AVSC",
            help="The events' schema, to register for the input topic. For trials.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Create what is missing: predictions, dead letters, drift topics, and the input for trials.

    Running it again changes nothing: topics that are there are left as they are, and what
    differs from the plan is reported.
    """
    settings = read_tool_settings(config, assignments)
    require_input_topic(settings)
    if keep_forever and retention_ms is not None:
        raise UsageError("--keep-forever and --retention-ms exclude each other; give one")
    admin = KafkaAdmin(settings.kafka)
    options = PlanOptions(
        partitions=_count(admin, settings, partitions, with_input=with_input),
        replication_factor=replication_factor,
        retention_ms=_FOR_EVER_MS if keep_forever else retention_ms,
        with_input=with_input,
    )
    outcomes = carry_out(admin, plan_topics(settings, options), dry_run=dry_run)
    registrations = (
        register_schemas(settings, event_schema, dry_run=dry_run) if register_schemas_too else []
    )
    if as_json:
        print_json(_document(outcomes, registrations))
    else:
        _print(outcomes, registrations)
        if register_schemas_too and not registrations:
            typer.echo("no schema to register: the framing is not confluent")
    for outcome in outcomes:
        if outcome.differences:
            warn(f"topic {outcome.plan.name}: {'; '.join(outcome.differences)}; left as it is")


def carry_out(
    admin: KafkaAdmin, plans: tuple[TopicPlan, ...], *, dry_run: bool = False
) -> list[Outcome]:
    """Create the topics of ``plans`` that are missing.

    Raises:
        UnavailableError: no broker answers.
        ConfigError: the cluster refuses a topic.
    """
    present = describe_topics(admin, [plan.name for plan in plans])
    missing = [plan for plan in plans if plan.name not in present]
    made = {} if dry_run else create_topics(admin, missing)
    lost_race = [plan.name for plan in missing if made.get(plan.name) is False]
    present |= describe_topics(admin, lost_race)
    return [_outcome(plan, present.get(plan.name), dry_run=dry_run) for plan in plans]


def _outcome(plan: TopicPlan, state: TopicState | None, *, dry_run: bool) -> Outcome:
    if state is None:
        return Outcome(plan, "would create" if dry_run else "created", plan.partitions, ())
    return Outcome(plan, "exists", state.partitions, tuple(_differences(plan, state)))


def _differences(plan: TopicPlan, state: TopicState) -> list[str]:
    found = []
    if state.partitions != plan.partitions:
        found.append(f"{state.partitions} partitions, expected {plan.partitions}")
    if plan.replication_factor and state.replication_factor != plan.replication_factor:
        found.append(f"{state.replication_factor} replicas, expected {plan.replication_factor}")
    for name, wanted in plan.configs.items():
        actual = state.configs.get(name, "")
        # A topic that accepts larger records than we need is as good.
        enough = name == "max.message.bytes" and actual and int(actual) >= int(wanted)
        if actual != wanted and not enough:
            found.append(f"{name}={actual}, expected {wanted}")
    return found


def _count(admin: KafkaAdmin, settings: Settings, wanted: int | None, *, with_input: bool) -> int:
    """Partitions of the topics that go with the input.

    Raises:
        UnavailableError: the input topic is not there, and nobody asked to make it.
    """
    counts = admin.partition_counts()
    source = settings.input.topic
    if source not in counts:
        if with_input:
            return wanted or _DEFAULT_PARTITIONS
        if wanted is None:
            raise UnavailableError(
                f"the input topic {source!r} does not exist, and the outputs get as many "
                "partitions as it has; correct input.topic, make it too with --with-input (for "
                "trials), or give --partitions"
            )
    return wanted or counts.get(source, _DEFAULT_PARTITIONS)


def _document(
    outcomes: list[Outcome], registrations: list[Registration]
) -> dict[str, list[dict[str, object]]]:
    topics: list[dict[str, object]] = [
        {
            "topic": outcome.plan.name,
            "role": outcome.plan.role,
            "action": outcome.action,
            "partitions": outcome.partitions,
            "configs": dict(outcome.plan.configs),
            "differences": list(outcome.differences),
        }
        for outcome in outcomes
    ]
    return {"topics": topics, "schemas": [asdict(found) for found in registrations]}


def _print(outcomes: list[Outcome], registrations: list[Registration]) -> None:
    rows = [
        (
            outcome.plan.name,
            outcome.plan.role,
            outcome.action,
            outcome.partitions,
            " ".join(f"{name}={value}" for name, value in outcome.plan.configs.items()),
        )
        for outcome in outcomes
    ]
    columns = ("topic", "for", "action", "partitions", "configuration")
    print_table(columns, rows, right=("partitions",))
    if registrations:
        found = [(r.subject, r.action, r.schema_id) for r in registrations]
        print_table(("subject", "action", "schema id"), found, right=("schema id",))
