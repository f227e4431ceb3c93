"""What becomes of windows in sequence: how often rules alert without drift, how soon with it.

Decides what streams are tried: a normal column, a thousand rows a window, and drift that begins at
once with nothing remembered. A rule is tried alone by taking from the others what they live on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, nan
from statistics import median

import numpy as np
from numpy.random import Generator

from stream_app.core.drift.alerts import Level
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.reference import Float64Array
from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import DISTRIBUTION, window_scores
from stream_app.core.drift.window_scores import WindowScores
from tests.drift_claims.claims import Say
from tests.drift_claims.rows import Field, Rows, reference_of, reports

ROWS = 1_000
RAMP = 100
"""Windows in which a ramp rises."""

_FIELDS = (Field("x"),)

SHIFTS: Mapping[str, Float64Array] = {
    "step .1 sd": np.full(40, 0.1),
    "step .3 sd": np.full(10, 0.3),
    "ramp to .3 sd": 0.3 * np.arange(1, RAMP + 1) / RAMP,
}
"""By how many standard deviations each window is moved; in so many it is seen, or not."""

Way = Callable[[WindowScores], WindowScores]
"""What a window's scores are made before they are judged."""


def _without_sums(window: WindowScores) -> WindowScores:
    return replace(window, scores=tuple(replace(score, sd=nan) for score in window.scores))


def _without_loud(window: WindowScores) -> WindowScores:
    return replace(window, threshold=inf)


def _as_it_is(window: WindowScores) -> WindowScores:
    return window


RULES: Mapping[str, tuple[Way, Level]] = {
    "one window (`warn`)": (_without_sums, Level.WARN),
    "two of three": (_without_sums, Level.ALERT),
    "sum": (_without_loud, Level.ALERT),
    "both (`alert`)": (_as_it_is, Level.ALERT),
}
"""By name: what is taken away, and the level that counts."""

ALERTING = tuple(name for name, (_, level) in RULES.items() if level is Level.ALERT)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one rule did.

    Attributes:
        rule: Its name.
        alarms: Without drift.
        windows: Without drift.
        delays: By shift: the median number of windows until it was seen; infinite: mostly never.
    """

    rule: str
    alarms: int
    windows: int
    delays: Mapping[str, float]

    @property
    def per_thousand(self) -> float:
        """False alarms in a thousand windows."""
        return 1_000 * self.alarms / self.windows


def told(windows: Sequence[WindowScores], rule: str) -> list[int]:
    """The windows, counted from 0, in which an alert first reached the level that counts."""
    way, level = RULES[rule]
    places = {window.window_start: at for at, window in enumerate(windows)}
    alerts = judge("claims", "drift", map(way, windows)).alerts
    found: dict[str, int] = {}
    for alert in alerts:
        if alert.level >= level and alert.id not in found:
            found[alert.id] = places[alert.grounds[-1].window_start]
    return sorted(found.values())


def try_rules(
    reference_rows: int, references: int, runs: int, windows: int, say: Say
) -> Iterator[Seen]:
    """Every rule on the same windows.

    Args:
        reference_rows: Of each reference.
        references: How many; runs take them in turns.
        runs: Of each stream.
        windows: In each run without drift.
        say: Is told what is tried.
    """
    alarms = dict.fromkeys(RULES, 0)
    delays: dict[str, dict[str, list[float]]] = {
        rule: {shift: [] for shift in SHIFTS} for rule in RULES
    }
    generator = np.random.default_rng((reference_rows, runs))
    for number in range(references):
        say(f"rules against {reference_rows:,} rows: {number + 1} of {references}")
        own = Rows(_FIELDS, generator.normal(size=(reference_rows, 1)))
        layout = reference_of(own, in_time_order=False)
        for _ in range(runs // references):
            quiet = _run(layout, generator, np.zeros(windows))
            for rule in RULES:
                alarms[rule] += len(told(quiet, rule))
            for name, shift in SHIFTS.items():
                moved = _run(layout, generator, shift)
                for rule in RULES:
                    first = told(moved, rule)[:1]
                    delays[rule][name].append(first[0] + 1.0 if first else inf)
    for rule in RULES:
        medians = {shift: median(found) for shift, found in delays[rule].items()}
        yield Seen(rule, alarms[rule], runs * windows, medians)


def _run(layout: Layout, generator: Generator, shifts: Float64Array) -> list[WindowScores]:
    values = generator.normal(size=(len(shifts), ROWS)) + shifts[:, None]
    rows = Rows(_FIELDS, values.reshape(-1, 1))
    return [window_scores(report, DISTRIBUTION) for report in reports(layout, rows.values(), ROWS)]
