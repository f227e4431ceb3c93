"""``stream-app verify``: was anything lost or repeated? Told from the topics alone."""

from dataclasses import replace
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from stream_app.adapters.verifier.reader import verify as run
from stream_app.cli.options import (
    ConfigOption,
    SetOption,
    read_tool_settings,
    require_input_topic,
)
from stream_app.cli.output import console, print_json, print_table, warn
from stream_app.errors import ExitStatus
from stream_app.verify import Isolation, Promise, Report
from stream_app.verify.compare import TOLERANCE
from stream_app.verify.report import NOTHING

_MEANING = {
    "lost": "committed events without an outcome",
    "duplicated": "outcomes beyond the first of an event",
    "reordered": "outcomes behind a later one of their partition",
    "torn": "outcomes of events that are not committed",
    "foreign": "outcomes that answer no event of the input",
    "hanging": "output partitions with a transaction that nobody ends",
    "wrong_content": "predictions that differ from the model's answer",
    "wrongly_scored": "predictions of events that cannot be scored",
    "wrongly_dead": "dead letters of events that can be scored",
}

_OF_CONTENT = {"wrong_content", "wrongly_scored", "wrongly_dead"}

_ReportOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the report as JSON. Stable under its number in `format`: `ok`, `sound` (ok but "
        "for `uncommitted`), how many `events`, `predictions`, `dead_letters` by code, a number "
        "for each finding with its `first` places, `members` of the group, how `content` was "
        "compared (null: not), `notes` on what limits the verdict.",
    ),
]

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: [bold]stream-app verify --config stream-app.toml --wait 60[/bold]. It reads "
    "the whole input, predictions and dead letters, joins no group and writes nothing; it may run "
    "beside the scorers."
)
def verify(
    *,
    wait_s: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="S", help="Wait for the group to catch up first."),
    ] = 0.0,
    committed: Annotated[
        bool,
        typer.Option(
            "--committed/--no-committed",
            help="Judge what the group has committed, or all of the input whatever is committed.",
        ),
    ] = True,
    content: Annotated[
        bool,
        typer.Option(
            "--content/--no-content",
            help="Compare every outcome with what the model says of its event, computed anew on "
            "the CPU. Reads all topics twice, needs the model's repository, and takes about "
            "two minutes for a million records; without it positions alone are judged.",
        ),
    ] = False,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="X",
            help="With --content: how far scores may be off, absolute and relative. The size of "
            "a batch changes the last bits of some models' scores, a GPU more of them: 1e-3 "
            "for scores from there. Ids, times, labels and texts must be equal.",
        ),
    ] = TOLERANCE,
    isolation: Annotated[
        Isolation,
        typer.Option(
            help="How outcomes are read; read_uncommitted is for librdkafka's mock, which has no "
            "transactions."
        ),
    ] = Isolation.READ_COMMITTED,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: _ReportOption = False,
) -> None:
    """Re-read the topics: was anything lost or repeated, or, with --content, wrong?

    Exit status: 0 nothing was and all input is committed, 65 otherwise.
    """
    settings = read_tool_settings(config, assignments)
    require_input_topic(settings)
    with _Bars() as bars:
        report = run(
            settings,
            progress=bars.advance,
            wait_s=wait_s,
            committed=committed,
            isolation=isolation,
            content=content,
            tolerance=tolerance,
        )
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(ExitStatus.DATA)


class _Bars:
    """A bar for each topic, on standard error, gone when all is read."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def advance(self, topic: str, done: int, total: int) -> None:
        if topic not in self._tasks:
            self._tasks[topic] = self._progress.add_task(f"reading {topic}", total=total)
        self._progress.update(self._tasks[topic], completed=done, total=total)


def _show(report: Report) -> None:
    rows: list[tuple[str, object, str]] = [
        ("events", report.events, "records of the input"),
        ("predictions", report.predictions, ""),
        ("dead letters", sum(report.dead_letters.values()), _by_code(report)),
    ]
    rows += [
        (name.replace("_", " "), finding.count, ", ".join(finding.first) or _MEANING[name])
        for name, finding in report.findings.items()
        if report.content is not None or finding.count or name not in _OF_CONTENT
    ]
    rows.append(("uncommitted", report.uncommitted, "events that the group has not committed"))
    rows.append(("compared", *_compared(report)))
    if report.members:
        rows.append(("members", report.members, "of the group: what they do from now is not here"))
    print_table(("what", "count", "where or why"), rows, right=("count",))
    for note in report.notes:
        warn(note)
    console().print(_verdict(report))


def _compared(report: Report) -> tuple[object, str]:
    if report.content is None:
        return "-", "contents were not compared with the model's answers (--content)"
    return report.content.compared, f"outcomes, scores within {report.content.tolerance:g}"


def _by_code(report: Report) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(report.dead_letters.items()))


def _verdict(report: Report) -> str:
    once = "exactly once" if report.promise is Promise.EXACTLY_ONCE else "at least once"
    if report.ok:
        is_known = report.content is not None and not report.content.not_compared
        return f"ok: every event has its outcome {once}{', and the right one' if is_known else ''}"
    if report.sound:
        return (
            f"not finished: {report.uncommitted} events are not committed yet; what is committed "
            f"has its outcome {once}. Wait for it with --wait, or see stream-app status"
        )
    right = replace(report, wrong_content=NOTHING, wrongly_scored=NOTHING, wrongly_dead=NOTHING)
    if right.sound:
        return f"outcomes came {once} and are WRONG: see the counts above"
    return f"NOT {once}: see the counts above"
