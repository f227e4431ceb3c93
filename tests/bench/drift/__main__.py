"""Windows of drift, and of none, judged by stream-app and by the defaults of other tools.

    python -m tests.bench.drift --json build/drift-compared.json --write

Makes an environment for evidently and one for nannyml (a network is needed the first time), cuts
the same windows for all, and tells how many each calls drifted, and how soon. Numbers that should
be the same are compared too. Exit status: 0, or 70 when one of these is too far from ours.
"""

import argparse
import json
import logging
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from math import isinf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from rich.console import Console

from stream_app import __version__
from stream_app.adapters.drift.compiled_counting import load
from stream_app.bench.machine import describe_machine, today
from stream_app.bench.screen import Screen
from stream_app.errors import ExitStatus
from tests.bench.drift import checks, ours
from tests.bench.drift.contenders import EVIDENTLY, NANNYML, BrokenContenderError, ask, hand_over
from tests.bench.drift.scenes import Scene, scenes
from tests.bench.drift.verdicts import Figure, Verdicts
from tests.bench.peers.homes import HERE, MissingPeerError, python_home
from tests.drift_claims.claims import table
from tests.drift_claims.loans import read_loans, read_scored
from tests.drift_claims.page import circumstances, write

WINDOWS, NUMBERS = "compared", "numbers"
"""The parts of the page."""

Figures = dict[tuple[str, str], dict[tuple[str, int], Figure]]
"""By contender and rule, by scene and size of windows."""


def main() -> int:
    """Compare; returns the exit status."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load()
    console = Console(stderr=True)
    try:
        with Screen(console) as screen, TemporaryDirectory() as folder:
            made, told, near = _compare(
                screen, Path(folder), 0.0 if options.numbers else options.share
            )
    except (MissingPeerError, BrokenContenderError) as exc:
        console.print(str(exc), style="bold red", markup=False)
        return int(ExitStatus.SOFTWARE)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(f"{json.dumps(told, indent=2)}\n", encoding="utf-8")
    for part, lines in made.items():
        text = "\n".join(lines)
        if options.write:
            write(part, text)
        sys.stdout.write(f"{text}\n\n")
    return int(ExitStatus.OK if near else ExitStatus.SOFTWARE)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.drift", description="Drift, judged by several tools."
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the windows, to be quicker (1)"
    )
    parser.add_argument(
        "--numbers", action="store_true", help="only those that should be the same: a minute"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the tables into docs/drift-compared.md"
    )
    return parser.parse_args()


def _compare(
    screen: Screen, folder: Path, share: float
) -> tuple[dict[str, list[str]], dict[str, Any], bool]:
    """The parts of the page, everything as plain values, and whether numbers are close enough."""
    homes = {name: python_home(name, screen.say) for name in (EVIDENTLY, NANNYML)}
    data = homes[NANNYML].parents[1]
    acted = scenes(read_loans(data), share) if share else []
    figures: Figures = {}
    versions = {
        "stream-app": __version__, "python": platform.python_version(), **_versions(homes),
    }  # fmt: skip
    below = ["", circumstances(", ".join(f"{name} {number}" for name, number in versions.items()))]
    for scene in acted:
        screen.say(f"stream-app: {scene.name}")
        _note(figures, "stream-app", scene, ours.judged(scene))
        kept = hand_over(folder, scene)
        for name, python in homes.items():
            screen.say(f"{name}: {scene.name}")
            (answer,) = ask(name, python, [kept])
            verdicts = {
                rule: {int(size): flags for size, flags in of_sizes.items()}
                for rule, of_sizes in answer["verdicts"].items()
            }
            _note(figures, name, scene, verdicts)
    screen.say("the same numbers")
    folders = {name: folder / name / checks.CHECKS for name in homes}
    pairs = checks.hand_over(folders[EVIDENTLY], folders[NANNYML])
    theirs = {name: ask(name, homes[name], [folders[name]])[0] for name in homes}
    found = checks.check(pairs, theirs[EVIDENTLY], theirs[NANNYML], *read_scored(data))
    made = {NUMBERS: [*checks.facts(theirs[EVIDENTLY]), "", *checks.checks_table(found), *below]}
    if acted:
        made[WINDOWS] = [*_table(acted, figures), *below]
    return made, _to_json(figures, found, versions), all(one.holds for one in found)


def _versions(homes: Mapping[str, Path]) -> dict[str, str]:
    """Of the tools, as their locks have them."""
    locks = {name: (HERE / name / "requirements.txt").read_text("utf-8") for name in homes}
    found = {
        name: re.search(rf"^{name}==(\S+)", lock, re.MULTILINE) for name, lock in locks.items()
    }
    return {name: "?" if number is None else number[1] for name, number in found.items()}


def _note(figures: Figures, contender: str, scene: Scene, verdicts: Verdicts) -> None:
    for rule, of_sizes in verdicts.items():
        row = figures.setdefault((contender, rule), {})
        for size, flags in of_sizes.items():
            row[scene.name, size] = Figure.of(flags, scene.run)


def _table(acted: Sequence[Scene], figures: Figures) -> list[str]:
    heads = [f"{contender}, {rule}" for contender, rule in figures]
    return table(
        ("windows of", "rows", "windows", *heads),
        (
            (
                scene.name,
                f"{size:,}",
                f"{count:,}",
                *(_cell(of[scene.name, size], scene) for of in figures.values()),
            )
            for scene in acted
            for size, count in scene.windows.items()
        ),
        numbers=range(1, 3 + len(heads)),
    )


def _cell(figure: Figure, scene: Scene) -> str:
    share = f"{100 * figure.share:.3g} %"
    if not scene.drifts:
        return share
    return f"{share}, never" if isinf(figure.delay) else f"{share}, after {figure.delay:g}"


def _to_json(
    figures: Figures, found: Sequence[checks.Check], versions: dict[str, str]
) -> dict[str, Any]:
    return {
        "date": today(),
        "machine": describe_machine(),
        "versions": versions,
        "figures": [
            {
                "contender": contender,
                "rule": rule,
                "windows_of": scene,
                "rows": size,
                "share": figure.share,
                "delay": None if isinf(figure.delay) else figure.delay,
            }
            for (contender, rule), row in figures.items()
            for (scene, size), figure in row.items()
        ],
        "checks": [
            {"what": one.what, "oracle": one.oracle, "furthest": one.furthest, "holds": one.holds}
            for one in found
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
