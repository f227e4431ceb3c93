"""Tries what the documentation claims of drift's statistics: ``make test-drift``, some minutes.

    python -m tests.drift_claims --json build/drift.json --write

False alarms and drift that is seen, window by window; what each statistic sees; and rules over many
windows. Everything is drawn from fixed seeds. Exit status: 0, or 70 when a claim is broken. The
whole car-loan data set comes with nannyml, which is installed under build/ for it (a network is
needed the first time); ``--offline`` leaves it out.
"""

import argparse
import json
import logging
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from math import isinf
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from rich.console import Console

from stream_app import __version__
from stream_app.adapters.drift.compiled_counting import load
from stream_app.bench.machine import describe_machine, today
from stream_app.bench.screen import Screen
from stream_app.errors import ExitStatus
from tests.bench.peers.homes import MissingPeerError, python_home
from tests.drift_claims import across, false_alarms, power
from tests.drift_claims.claims import Claim, claims_table, table
from tests.drift_claims.loans import read_loans
from tests.drift_claims.page import circumstances, write
from tests.drift_claims.rows import joined

PART = "claims"
POWER_TOLERANCE = 0.05
MOST_ALERTS = {5_000: 1.0, 50_000: 0.5}
"""By rows of the reference: false alerts in a thousand windows, that are promised."""
_QUIET, _TRIALS = 50_000, 5_000
_RUN_WINDOWS = 500
"""Without drift, in each run of rules."""


def main() -> int:
    """Try all; returns the exit status."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load()
    console = Console(stderr=True)
    with Screen(console) as screen:
        try:
            claims = _windows(screen, offline=options.offline)
        except MissingPeerError as exc:
            console.print(f"{exc}; --offline does without", style="bold red", markup=False)
            return int(ExitStatus.SOFTWARE)
        seen = _power(screen)
        rules = {
            m: list(across.try_rules(m, references, runs, _RUN_WINDOWS, screen.say))
            for m, references, runs in ((50_000, 5, 150), (5_000, 10, 50))
        }
    broken = [
        *(f"{each.data}, {each.rows} rows: {each.share:.4f}" for each in claims if not each.holds),
        *power.unlike(seen, POWER_TOLERANCE),
        *(
            f"{one.rule}, {m:,} rows: {one.per_thousand:.2f} false alerts in 1,000 windows"
            for m, found in rules.items()
            for one in found
            if one.rule in across.ALERTING and one.per_thousand > MOST_ALERTS[m]
        ),
    ]
    made = "\n".join(_lines(claims, seen, rules))
    if options.json is not None:
        told = _to_json(claims, seen, rules, broken)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(f"{json.dumps(told, indent=2)}\n", encoding="utf-8")
    if options.write:
        write(PART, made)
    sys.stdout.write(f"{made}\n")
    for claim in broken:
        console.print(f"broken: {claim}", style="bold red", markup=False)
    return int(ExitStatus.SOFTWARE if broken else ExitStatus.OK)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.drift_claims", description="Tries what is claimed of drift."
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all that was measured")
    parser.add_argument(
        "--write", action="store_true", help="put the tables into docs/drift-compared.md"
    )
    parser.add_argument(
        "--offline", action="store_true", help="without the data set that nannyml brings"
    )
    return parser.parse_args()


def _windows(screen: Screen, *, offline: bool) -> list[Claim]:
    screen.say("the car-loan example, scored")
    claims = list(false_alarms.of_the_example())
    if not offline:
        history, quiet, drifted = read_loans(python_home("nannyml", screen.say).parents[1])
        claims += false_alarms.of_all_loans(joined([history, quiet]), drifted, screen.say)
    claims += false_alarms.of_mixed(5_000, 10, 300, screen.say)
    claims += false_alarms.of_mixed(50_000, 5, 600, screen.say)
    return claims


def _power(screen: Screen) -> power.Table:
    screen.begin("windows of each sort of drift", _QUIET + len(power.DRIFTS) * _TRIALS)
    found = power.power(_QUIET, _TRIALS, seed=1, show=screen.show)
    screen.end()
    return found


def _lines(
    claims: Sequence[Claim], seen: power.Table, rules: dict[int, list[across.Seen]]
) -> list[str]:
    statistics = list(next(iter(seen.values())))
    lines = [
        *claims_table(claims),
        "",
        f"Share of drifted windows of {power.ROWS:,} rows above the level that one in a thousand "
        f"without drift is above; {_TRIALS:,} windows of each drift, {_QUIET:,} without, a "
        f"reference of {power.REFERENCE_ROWS:,} rows:",
        "",
        *table(
            ("drift", *statistics),
            ([drift, *(f"{shares[s]:.2f}" for s in statistics)] for drift, shares in seen.items()),
            numbers=range(1, len(statistics) + 1),
        ),
    ]
    for rows, found in rules.items():
        lines += [
            "",
            f"Rules over windows of {across.ROWS:,} rows of one normal column, references of "
            f"{rows:,} rows; {found[0].windows:,} windows without drift, "
            f"{found[0].windows // _RUN_WINDOWS} runs with each:",
            "",
            *table(
                (
                    "rule",
                    "false alarms in 1,000 windows",
                    *(f"seen after, {s}" for s in across.SHIFTS),
                ),
                (
                    [one.rule, f"{one.per_thousand:.2f}", *map(_windows_until, one.delays.values())]
                    for one in found
                ),
                numbers=range(1, 2 + len(across.SHIFTS)),
            ),
        ]
    versions = (
        f"stream-app {__version__}, Python {platform.python_version()}, numpy {np.__version__}"
    )
    return [*lines, "", circumstances(versions)]


def _windows_until(delay: float) -> str:
    return "mostly never" if isinf(delay) else f"{delay:g}"


def _to_json(
    claims: Sequence[Claim],
    seen: power.Table,
    rules: dict[int, list[across.Seen]],
    broken: Sequence[str],
) -> dict[str, Any]:
    return {
        "date": today(),
        "machine": describe_machine(),
        "broken": list(broken),
        "claims": [claim.to_json() for claim in claims],
        "power": seen,
        "rules": {str(m): [asdict(one) for one in found] for m, found in rules.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
