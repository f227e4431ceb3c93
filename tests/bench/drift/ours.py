"""The verdicts of stream-app: its own bins, calibration, thresholds and rules, nothing set.

Decides which two are shown: a window above its threshold, which warns, and an alert that stands.
"""

from collections.abc import Iterator, Sequence

from stream_app.core.drift.alerts import Level, State
from stream_app.core.drift.rules import judge
from stream_app.core.drift.score_window import DISTRIBUTION, window_scores
from stream_app.core.drift.window_scores import WindowScores
from tests.bench.drift.scenes import Scene
from tests.bench.drift.verdicts import Verdicts
from tests.drift_claims.rows import is_loud, reference_of, reports

RULES = ("warn", "alert")


def judged(scene: Scene) -> Verdicts:
    """Of each window, whether it is above the threshold, and whether an alert stands after it."""
    layout = reference_of(scene.reference, in_time_order=True)
    found: dict[str, dict[int, list[bool]]] = {rule: {} for rule in RULES}
    for size, count in scene.windows.items():
        told = list(reports(layout, scene.stream.part(0, size * count).values(), size))
        found["warn"][size] = [is_loud(report) for report in told]
        windows = [window_scores(report, DISTRIBUTION) for report in told]
        run = scene.run or count
        found["alert"][size] = [
            stands for at in range(0, count, run) for stands in _standing(windows[at : at + run])
        ]
    return found


def _standing(windows: Sequence[WindowScores]) -> Iterator[bool]:
    alerts = list(judge("compared", "drift", windows).alerts)
    standing: set[str] = set()
    for window in windows:
        while alerts and alerts[0].grounds[-1].window_start <= window.window_start:
            alert = alerts.pop(0)
            if alert.state is State.CLOSED:
                standing.discard(alert.id)
            elif alert.level >= Level.ALERT:
                standing.add(alert.id)
        yield bool(standing)
