"""A report as one page that needs no network: what is read without a single plot, and their places.

Decides the order in which a person learns of it: the verdict, alerts, where and when, each column,
the rest. Everything that comes from data is escaped here, or set as text by the scripts.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import isnan
from pathlib import Path

from stream_app.adapters.drift.plot_page import (
    Html,
    embedded,
    own_file,
    page,
    plotly_source,
    table,
    write,
)
from stream_app.adapters.drift.report_data import (
    MOST_COLUMNS,
    drawn,
    fault_words,
    page_data,
    statistic_words,
)
from stream_app.core.drift.alerts import Alert
from stream_app.drift_report import DriftReport, Rank
from stream_app.drift_words import facts, moment, number, times_threshold, verdict_lines

_WORST = 5
_MOST_ALERTS = 15
_MOST_GROUNDS = 3
_FILTER_FROM = 12
_SCRIPTS = tuple(
    f"report_{name}.js" for name in ("marks", "plots", "map", "cards", "columns", "page")
)


def write_report(path: Path, report: DriftReport, made: str) -> None:
    """Write the page.

    Args:
        path: The file; replaced if it is there.
        report: What is told.
        made: When and by what, as text.

    Raises:
        ConfigError: Plotly is not installed, or the file cannot be written.
    """
    scripts = [plotly_source(), "\n".join(map(own_file, _SCRIPTS))]
    title = f"Drift of {report.stream.model_name} version {report.stream.model_version}"
    write(path, page(title, _body(report, title, made), scripts, more_scripts=False))


def _body(report: DriftReport, title: str, made: str) -> Iterator[str]:
    stream, ranks = report.stream, drawn(report)
    yield '<a class="skip" href="#columns">To the columns</a>'
    yield f"<header><h1>{escape(title)}</h1>"
    yield f"<p>{escape(f'{stream.role}, beside the reference {stream.reference_id}')}</p></header>"
    yield "<main>"
    lines = [f"<p>{escape(line)}</p>" for line in verdict_lines(report)[1:]]
    headline = f"<p><strong>{escape(verdict_lines(report)[0])}</strong></p>"
    yield f'<section class="verdict {report.verdict.value}">{headline}{"".join(lines)}</section>'
    yield '<dl class="facts">'
    for name, value in facts(report):
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
    yield "</dl>"
    yield "<noscript><p>Plots need JavaScript; the tables do not.</p></noscript>"
    yield from _worst(ranks)
    yield from _alerts(report)
    yield from _map(report, ranks)
    yield _PICKER
    yield from _columns(report, ranks)
    yield from _together(report)
    yield from _windows(report)
    yield _READING
    yield f"</main><footer><p>{escape(made)}</p></footer>"
    yield embedded("data", page_data(report))


def _worst(ranks: Sequence[Rank]) -> Iterator[str]:
    worst = [rank for rank in ranks if rank.drifted or rank.defective][:_WORST]
    if worst:
        yield "<h2>Worst columns</h2><ol>"
        for rank in worst:
            told = f" ({rank.role}): drift in {rank.drifted:,} of {rank.judged:,} windows"
            if rank.statistic:
                told += (
                    f", at most {times_threshold(rank.ratio)} ({statistic_words(rank.statistic)}, "
                    f"{moment(rank.start_ms)})"
                )
            if rank.defective:
                told += f"; defects in {rank.defective:,}"
            yield f"<li>{_link(rank)}{escape(told)}</li>"
        yield "</ol>"


def _link(rank: Rank) -> Html:
    return Html(f'<a href="#c{rank.place}" data-column>{escape(rank.name)}</a>')


def _alerts(report: DriftReport) -> Iterator[str]:
    yield '<h2 id="alerts">Alerts</h2>'
    if report.alerts is None:
        yield f"<p>Not known: {escape(report.alerts_from)}.</p>"
        return
    yield f"<p>{escape(report.alerts_from)}</p>"
    if report.last_alerts:
        head = ("level", "state", "column", "statistic", "score", "opened", "changed", "rests on")
        shown, rest = report.last_alerts[:_MOST_ALERTS], report.last_alerts[_MOST_ALERTS:]
        yield table(head, map(_alert, shown), right=("score",))
        if rest:
            others = table(head, map(_alert, rest), right=("score",))
            yield f"<details><summary>{len(rest):,} more</summary>{others}</details>"
    else:
        yield "<p>None.</p>"


def _alert(alert: Alert) -> Sequence[object]:
    grounds = [
        f"{moment(ground.window_start)} (revision {ground.revision})" for ground in alert.grounds
    ]
    more = len(grounds) - _MOST_GROUNDS
    if more > 0:
        grounds = [f"{more} windows", "...", *grounds[-_MOST_GROUNDS:]]
    last = max((ground.window_start for ground in alert.grounds), default=alert.opened)
    return (
        alert.level.name.lower(),
        f"{alert.state.value} ({alert.reason.value.replace('_', ' ')})",
        Html(f'<a href="#map" data-alert="{escape(alert.id)}">{escape(alert.column)}</a>'),
        statistic_words(alert.statistic).replace("_", " "),
        times_threshold(alert.score / alert.threshold),
        moment(alert.opened),
        moment(last),
        ", ".join(grounds),
    )


def _map(report: DriftReport, ranks: Sequence[Rank]) -> Iterator[str]:
    yield '<section id="map"><h2>Where and when</h2>'
    yield _MAP
    left = len(report.ranks) - len(ranks)
    if left:
        yield (
            f'<p class="warn">The {MOST_COLUMNS} worst columns are drawn; {left:,} others have '
            "no drift, or less.</p>"
        )
    yield '<div class="legend" id="legend"></div><div class="plot" id="heat"></div>'
    yield (
        '<p class="tools"><button type="button" id="more" hidden></button> '
        '<button type="button" id="reset" hidden>Whole time</button></p>'
    )
    head = ("column", "role", "kind", "drift", "judged", "greatest", "by", "in", "defects")
    rows = [
        (
            _link(rank),
            rank.role,
            rank.kind,
            f"{rank.drifted:,}",
            f"{rank.judged:,}",
            times_threshold(rank.ratio),
            statistic_words(rank.statistic) or None,
            moment(rank.start_ms) if rank.statistic else None,
            f"{rank.defective:,}",
        )
        for rank in ranks
    ]
    right = ("drift", "judged", "greatest", "defects")
    yield f"<details><summary>The columns in numbers</summary>{table(head, rows, right)}</details>"
    yield "</section>"


def _columns(report: DriftReport, ranks: Sequence[Rank]) -> Iterator[str]:
    yield '<div id="columns">'
    if len(ranks) > _FILTER_FROM:
        yield (
            '<p class="tools"><label>Columns whose name has <input type="search" id="filter">'
            "</label></p>"
        )
    for role, title in (
        ("input", "What the model was given"),
        ("output", "What it answered: prediction drift"),
    ):
        of_role = [(at, rank) for at, rank in enumerate(ranks) if rank.role == role]
        if of_role:
            yield f"<section><h2>{title}</h2>"
            yield from (_column(at, rank) for at, rank in of_role)
            yield "</section>"
    yield "</div>"


def _column(at: int, rank: Rank) -> str:
    bad = ' class="bad"' if rank.drifted or rank.defective else ""
    told = f"drift in {rank.drifted:,} of {rank.judged:,} windows"
    if rank.defective:
        told += f", defects in {rank.defective:,}"
    most = f"at most {times_threshold(rank.ratio)}" if rank.statistic else "no score"
    return (
        f'<details class="column" id="c{rank.place}" data-at="{at}">'
        f"<summary><b>{escape(rank.name)}</b><span>{escape(rank.kind)}</span>"
        f"<span{bad}>{told}</span><span>{most}</span></summary>"
        '<div class="cards"></div></details>'
    )


def _together(report: DriftReport) -> Iterator[str]:
    yield '<section><h2>Together</h2><div class="cards" id="together"></div>'
    if report.letters:
        rows = [(fault_words(code), f"{count:,}") for code, count in report.letters.items()]
        shown = table(("dead letters by code", "count"), rows, right=("count",))
        yield f"<details><summary>Dead letters of all windows</summary>{shown}</details>"
    yield "</section>"


def _windows(report: DriftReport) -> Iterator[str]:
    head = (
        "window", "rows", "dead letters", "status", "revision", "found", "greatest score",
        "threshold", "worst column", "statistic",
    )  # fmt: skip
    rows = [_window(report, at) for at in reversed(range(len(report.windows)))]
    shown = table(head, rows, right=("rows", "dead letters", "greatest score", "threshold"))
    yield (
        "<section><h2>All windows</h2><details><summary>A line for each window, the newest first"
        f"</summary>{shown}</details></section>"
    )


def _window(report: DriftReport, at: int) -> Sequence[object]:
    window = report.windows[at]
    head = window.head
    marks = [window.status.value]
    marks += [] if head.is_final else ["still open"]
    marks += [] if head.exact else ["some rows perhaps twice"]
    found = ["drift"] if at in report.drifted else []
    found += ["defects"] if at in report.defective else []
    return (
        moment(head.start_ms),
        f"{head.rows:,}",
        f"{sum(head.letters.values()):,}",
        ", ".join(marks),
        head.revision,
        ", ".join(found) or "none",
        None if isnan(window.greatest) else number(window.greatest),
        None if isnan(window.threshold) else number(window.threshold),
        window.worst_column or None,
        statistic_words(window.worst_statistic) or None,
    )


_MAP = """
<p>The greatest score of each column in each window, by the window's threshold. Choose a cell to see
its column in its window.</p>
<p class="tools"><label>Scores of <select id="rule"><option value="drift">distributions</option>
<option value="apart">values missing, unseen or out of range</option></select></label></p>
"""

_PICKER = """
<div class="picker" role="group" aria-label="The window that distributions show">
<button type="button" id="back" aria-label="Window before">&#9664;</button>
<input type="range" id="window" min="0" value="0" aria-label="Window" aria-describedby="told">
<button type="button" id="next" aria-label="Window after">&#9654;</button>
<button type="button" id="all" aria-pressed="false">All windows</button>
<output id="told" for="window"></output></div>
"""

_READING = """
<section><h2>How to read this</h2>
<p>Each statistic is divided by what one window in a hundred of that size exceeds without drift:
that is its score. A window has drift where a score is above the window's threshold, by a change
large enough to matter. The threshold is chosen so that one window in a hundred alarms though
nothing drifted, over all columns and statistics together. So a score of 1.2 times the threshold in
one window of hundreds is no news; the same in two of three is. A window has <em>defects</em>
where more values are missing, unseen or out of range than the reference and chance account
for.</p>
<p>Windows with too few rows are not judged; they are drawn grey and count neither way.
Distributions of numbers are drawn over groups of values of about equal shares in the reference, so
that its bars are about equally high: the widths of groups differ, and their bounds stand below
them. Estimated accuracy takes scores to be as good a measure of certainty as in the reference, and
does not see a changed meaning of the same inputs.</p></section>
"""
