"""``stream-app verify``: was anything lost or repeated? Told from the topics alone."""

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

_MEANING = {
    "lost": "committed events without an outcome",
    "deleted_unread": "offsets deleted before the group had read them",
    "beyond_end": "partitions that end before the committed offset: cut, or made anew",
    "duplicated": "outcomes beyond the first of an event",
    "reordered": "outcomes behind a later one of their partition",
    "misplaced": "outcomes in another partition than their event's (topics of equal size)",
    "torn": "outcomes of events that are not committed",
    "foreign": "outcomes that answer no event of the input",
    "hanging": "output partitions with a transaction that nobody ends",
    "wrong_content": "predictions that differ from the model's answer",
    "wrong_letter": "dead letters that are not their record, or of another cause",
    "wrongly_scored": "predictions of events that cannot be scored",
    "wrongly_dead": "dead letters of events that can be scored",
    "drift_gaps": "events with an outcome that no drift partial covers",
    "drift_overlaps": "events that drift partials cover more than once",
    "drift_torn": "drift partials of events that are not committed",
    "drift_miscounted": "windows and codes of which partials say another number than there is",
    "drift_unreadable": "records of the partials topic that are no partials",
}

_OF_CONTENT = {"wrong_content", "wrong_letter", "wrongly_scored", "wrongly_dead"}
_OF_DRIFT = {"drift_gaps", "drift_overlaps", "drift_torn", "drift_miscounted", "drift_unreadable"}
_ONLY_WHERE_FOUND = {"deleted_unread", "beyond_end", "misplaced", "drift_torn", "drift_unreadable"}

_ReportOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the report as JSON. Stable under its number in `format`: `ok`, `sound` (nothing"
        " was found: ok but for `uncommitted`, and where there was nothing to judge or to "
        "compare), how many `events`, `predictions`, `dead_letters` by code, a number for each "
        "finding with its `first` places, `members` of the group, how `content` was compared "
        "(null: not), what of `drift` was judged (or why it was `skipped`), `notes` on what limits "
        "the verdict.",
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
            "two minutes for a million records. Without it positions alone are judged: that each "
            "event has one outcome, not that it is the right one. A wrong score, a prediction of "
            "a bad record, a dead letter of a good one, or one that is not its record, is seen "
            "only with it.",
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

    Where scorers count drift, what they told of it is held against the outcomes: each event must
    be covered once, and each window's and dead letter's count be what lies in the topics.

    Exit status: 0 nothing was and all input is committed; 65 otherwise, also where the input is
    empty, or with --content nothing could be compared.
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
        if finding.count or _is_shown(name, report)
    ]
    rows.append(("uncommitted", report.uncommitted, "events that the group has not committed"))
    rows += _compared(report)
    rows += _counted(report)
    if report.members:
        rows.append(("members", report.members, "of the group: what they do from now is not here"))
    print_table(("what", "count", "where or why"), rows, right=("count",))
    for note in report.notes:
        warn(note)
    console().print(_verdict(report))


def _is_shown(name: str, report: Report) -> bool:
    """Whether a finding stands in the table although nothing was found."""
    if name in _ONLY_WHERE_FOUND or (name in _OF_CONTENT and report.content is None):
        return False
    return name not in _OF_DRIFT or _has_drift(report)


def _has_drift(report: Report) -> bool:
    return report.drift is not None and not report.drift.skipped


def _compared(report: Report) -> list[tuple[str, object, str]]:
    content = report.content
    if content is None:
        why = "contents were not compared with the model's answers (--content)"
        return [("compared", "-", why)]
    left = sum(content.not_compared.values())
    rows: list[tuple[str, object, str]] = [
        ("compared", content.compared, f"outcomes, scores within {content.tolerance:g}")
    ]
    if left:
        rows.append(("not compared", left, "outcomes; why stands below"))
    return rows


def _counted(report: Report) -> list[tuple[str, object, str]]:
    drift = report.drift
    if drift is None or drift.skipped:
        return [("drift", "-", f"not judged: {drift.skipped}")] if drift else []
    told = f"partials: {drift.rows} predictions in {drift.windows} windows"
    rows: list[tuple[str, object, str]] = [("drift", drift.partials, told)]
    if drift.before:
        why = "events answered before their model was counted"
        if drift.deleted:
            why = f"events whose partials were deleted: {drift.deleted}"
        rows.append(("not counted", drift.before, why))
    return rows


def _by_code(report: Report) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(report.dead_letters.items()))


def _verdict(report: Report) -> str:
    once = "exactly once" if report.promise is Promise.EXACTLY_ONCE else "at least once"
    if report.ok:
        content = report.content
        drift = "; drift counts add up" if _has_drift(report) else ""
        if content is None:
            return f"ok: every event has its outcome {once}{drift}"
        left = sum(content.not_compared.values())
        but = f", but for {left} outcomes that were not compared" if left else ""
        return f"ok: every event has its outcome {once}, and the right one{but}{drift}"
    if report.sound and not report.events:
        return "nothing to judge: the input holds no events. Is input.topic the right one?"
    if report.blind and report.sound and not report.uncommitted:
        return (
            f"NOT SHOWN: every event has its outcome {once}, and none could be compared with the "
            "model's answer; why stands above"
        )
    if report.sound:
        return (
            f"not finished: {report.uncommitted} events are not committed yet; what is committed "
            f"has its outcome {once}. Wait for it with --wait, or see stream-app status"
        )
    if report.faults <= _OF_DRIFT:
        return f"every event has its outcome {once}; what was counted of DRIFT is wrong: see above"
    if report.faults <= _OF_CONTENT | _OF_DRIFT:
        return f"outcomes came {once} and are WRONG: see the counts above"
    return f"NOT {once}: see the counts above"
