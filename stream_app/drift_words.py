"""A report in words: what stands at the head of a page and of a table.

Decides which facts a person wants first. Prints nothing, and knows no HTML.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import isnan

from stream_app.core.drift.window_report import Status
from stream_app.drift_report import DriftReport, Verdict

_DAY_MS = 86_400_000
_SPANS = ((_DAY_MS, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"))


def verdict_lines(report: DriftReport) -> list[str]:
    """The verdict first; then what the newest window says, and what limits both."""
    lines = [_verdict(report), *_newest(report), *_defects(report), *_open_alerts(report)]
    if any(not window.head.exact for window in report.windows):
        lines.append("Delivery was at least once: in some windows rows may be counted twice.")
    if report.left_out:
        lines.append(
            f"These are the newest {len(report.windows):,} windows; {report.left_out:,} older ones "
            "are left out. Choose others by --since and --until, or a longer time by --roll-up."
        )
    return lines


def _verdict(report: DriftReport) -> str:
    judged, drifted = len(report.judged), len(report.drifted)
    chance = f"{_about(report.expected)} to be expected by chance"
    have = "has" if drifted == 1 else "have"
    match report.verdict:
        case Verdict.NOT_JUDGED:
            if report.newest.calibration == "none":
                return "Not judged: the reference is not calibrated."
            more = "; --roll-up adds hours or days up" if report.length_ms < _DAY_MS else ""
            return f"Not judged: none of {_windows(len(report.windows))} has rows enough{more}."
        case Verdict.NONE:
            return f"No drift: none of the {_windows(judged)} that could be judged ({chance})."
        case Verdict.BY_CHANCE:
            return (
                f"{drifted:,} of the {_windows(judged)} that could be judged {have} drift: no more "
                f"than chance may give ({chance})."
            )
        case Verdict.DRIFT:
            return (
                f"Drift: {drifted:,} of the {_windows(judged)} that could be judged {have} it "
                f"({chance})."
            )


def _newest(report: DriftReport) -> Iterator[str]:
    if not report.judged:
        return
    at = report.judged[-1]
    last, found = report.windows[at], "has none"
    if at in report.drifted:
        worst = last.worst_column or "the correlation"
        ratio = times_threshold(last.greatest / last.threshold)
        found = f"has drift, most of all {worst} ({ratio})"
    after = len(report.windows) - 1 - at
    told = f"; {after:,} newer could not be judged" if after else ""
    yield f"The newest that could be judged, {moment(last.head.start_ms)}, {found}{told}."


def _defects(report: DriftReport) -> Iterator[str]:
    if report.defective:
        worst = max(report.ranks, key=lambda rank: rank.defective)
        yield (
            "More values are missing, unseen or out of range than in the reference: in "
            f"{_windows(len(report.defective))}, most of all in {worst.name} "
            f"({_windows(worst.defective)})."
        )


def _open_alerts(report: DriftReport) -> Iterator[str]:
    alerts = report.open_alerts
    if alerts:
        worst = f"{alerts[0].column} ({alerts[0].level.name.lower()})"
        many = f"{len(alerts):,} alerts are open, the worst of {worst}."
        yield many if len(alerts) > 1 else f"An alert is open: of {worst}."


def facts(report: DriftReport) -> list[tuple[str, str]]:
    """Names and values."""
    stream, newest = report.stream, report.newest
    unjudged = ", ".join(
        f"{report.count(status):,} {words}"
        for status, words in (
            (Status.INSUFFICIENT, "with too few rows"),
            (Status.EMPTY, "empty"),
        )
        if report.count(status)
    )
    open_windows = sum(not window.head.is_final for window in report.windows)
    letters = sum(report.letters.values())
    share = letters / max(1, letters + report.rows)
    thresholds = [window.threshold for window in report.windows if not isnan(window.threshold)]
    found = [
        ("model", f"{stream.model_name} version {stream.model_version}"),
        ("role", stream.role),
        ("reference", f"{stream.reference_id}, {newest.reference_rows:,} rows"),
        ("time", f"{moment(report.start_ms)} to {moment(report.end_ms)} UTC"),
        ("windows", f"{len(report.windows):,} of {_span(report.length_ms)}"),
        ("with drift", f"{len(report.drifted):,} of {len(report.judged):,} judged"),
        ("with defects", f"{len(report.defective):,}"),
        ("not judged", unjudged or "none"),
        ("still open", f"{open_windows:,}"),
        ("rows", f"{report.rows:,}"),
        ("dead letters", f"{letters:,} ({share:.2%})" if letters else "none"),
        ("chance was measured on", _CALIBRATIONS.get(newest.calibration, newest.calibration)),
    ]
    if thresholds:
        low, high = number(min(thresholds)), number(max(thresholds))
        found.append(("threshold of scores", low if low == high else f"{low} to {high}"))
    return found


_CALIBRATIONS = {
    "contiguous": "neighbouring rows of the reference",
    "iid": "rows of the reference, taken to be independent",
    "none": "nothing: the reference is not calibrated",
}


def moment(time_ms: int) -> str:
    """UTC; of a midnight the day alone."""
    try:
        found = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
    if time_ms % _DAY_MS == 0:
        return f"{found:%Y-%m-%d}"
    return f"{found:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def number(value: float) -> str:
    """With three digits."""
    return f"{value:.3g}"


def times_threshold(ratio: float) -> str:
    """A ratio in words."""
    return "-" if isnan(ratio) else f"{ratio:.2f} x threshold"


def _span(length_ms: int) -> str:
    for unit_ms, name in _SPANS:
        if length_ms % unit_ms == 0:
            count = length_ms // unit_ms
            return f"{count:,} {name}{'s' if count > 1 else ''}"
    return f"{length_ms} ms"


def _about(count: float) -> str:
    """An expected number: with a digit or two."""
    return f"{count:.2g}" if count < 1 else f"{count:,.0f}"


def _windows(count: int) -> str:
    return f"{count:,} window{'' if count == 1 else 's'}"
