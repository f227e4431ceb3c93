"""What windows all contenders judge: the same rows, in the same order, against the same reference.

Decides the data, the sizes of windows and how many there are: few enough that the slowest of them,
half a second a window, is done in minutes. A drift by a step begins anew in each run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.drift_claims.loans import Loans
from tests.drift_claims.mixed import mixed
from tests.drift_claims.rows import Rows, joined

RUN = 15
"""Windows from the step on, in which it is seen or not."""
_RUNS = 5
_REFERENCE_ROWS = 30_000
"""Six chunks of 5,000: nannyml asks for six or more."""
_SMALL = 1_000
"""Rows of a reference up to which evidently's defaults are tests with p-values."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One stream.

    Attributes:
        name: In a person's words.
        key: In those of files.
        reference: Of a time without drift.
        stream: What windows are cut from, from its first row on, for every size anew.
        windows: By their size: how many.
        run: Windows in sequence that belong together; drift begins with the first. 0: all.
        drifts: Whether there is anything to be seen.
    """

    name: str
    key: str
    reference: Rows
    stream: Rows
    windows: Mapping[int, int]
    run: int
    drifts: bool


def scenes(loans: Loans, share: float = 1.0) -> list[Scene]:
    """All of them.

    Args:
        loans: The car-loan data set.
        share: Of the windows of each, at least two runs of them.
    """
    history = loans.history
    reference = history.part(20_000, 20_000 + _REFERENCE_ROWS)
    quiet = joined([history.part(0, 20_000), loans.quiet])
    generator = np.random.default_rng(1)
    own = mixed(generator, _REFERENCE_ROWS)
    steps = dict.fromkeys((100, 1_000, 5_000), _RUNS * RUN)

    def stepped(step_sd: float) -> Rows:
        return mixed(generator, 5_000 * _RUNS * RUN, step_sd)

    found = [
        Scene(
            "car loan, before its drift", "loans-quiet", reference, quiet,
            {100: 450, 1_000: 45, 5_000: 9}, 0, drifts=False,
        ),
        Scene(
            "car loan, after", "loans-drifted", reference, loans.drifted,
            {100: 60, 1_000: 25, 5_000: 5}, 0, drifts=True,
        ),
        Scene(
            "twelve columns, no drift", "mixed", own, mixed(generator, 150_000),
            {100: 150, 1_000: 150, 5_000: 30}, 0, drifts=False,
        ),
        Scene(
            "the same, reference of 1,000 rows", "mixed-small", own.part(0, _SMALL),
            mixed(generator, 100 * 150), {100: 150}, 0, drifts=False,
        ),
        Scene("one of twelve columns +.1 sd", "step-1", own, stepped(0.1), steps, RUN, drifts=True),
        Scene("one of twelve columns +.3 sd", "step-3", own, stepped(0.3), steps, RUN, drifts=True),
    ]  # fmt: skip
    return [shortened(scene, share) for scene in found]


def shortened(scene: Scene, share: float) -> Scene:
    """The first windows of a scene, in whole runs; two at least, if it has as many."""
    run = scene.run or 1
    windows = {
        size: max(min(2, count // run), int(share * count) // run) * run
        for size, count in scene.windows.items()
    }
    return Scene(
        scene.name, scene.key, scene.reference, scene.stream, windows, scene.run, scene.drifts
    )
