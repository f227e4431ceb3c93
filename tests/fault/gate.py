"""The gate of a whole run: what should have run, fired and been found, and did not.

Decides when a run that failed nowhere proves too little all the same: a test that is gone or left
out, a seed, a protocol, a fault that never fired, a control that nobody caught. What a machine
cannot do is skipped with a reason, and is listed with it instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tests.fault.catalogue import BESIDE, CATALOGUE, CONTROLS, Fault
from tests.fault.record import Asked
from tests.fault.summary import Summary

PROTOCOLS = ("classic", "consumer")
CLIENTS = ("public", "native")
WITHOUT_RUNS = ("fuzz", "leaks")
"""Tests without workers: they have no seeds, no protocol and no client."""

SEEDS = 5
"""Of the long tier."""


class Whole(StrEnum):
    """A run that must hold everything of its kind."""

    QUICK = "quick"
    """The short tier, beside all other tests: one seed."""
    FAULTS = "faults"
    """Every fault that a machine can do, with the controls and the long fuzzer."""
    RECOVERY = "recovery"
    """What measures times, and so runs alone."""


@dataclass(frozen=True, slots=True)
class _Due:
    faults: tuple[tuple[Fault, int], ...]
    seeds: int
    each_way: bool


def _due(whole: Whole) -> _Due:
    beside = {fault.name: fault for fault in BESIDE}
    match whole:
        case Whole.QUICK:
            quick = tuple((fault, fault.quick) for fault in (*CATALOGUE, *BESIDE) if fault.quick)
            return _Due(quick, 1, each_way=False)
        case Whole.FAULTS:
            others = (beside[name] for name in ("controls", *WITHOUT_RUNS))
            run = (*(f for f in CATALOGUE if f.due), *others)
            return _Due(tuple((fault, fault.tests) for fault in run), SEEDS, each_way=True)
        case Whole.RECOVERY:
            recovery = beside["recovery"]
            return _Due(((recovery, recovery.tests),), 1, each_way=True)


def missing(summary: Summary, whole: Whole) -> list[str]:
    """What keeps the run from being whole, in words; empty when nothing does."""
    due = _due(whole)
    found = []
    for fault, tests in due.faults:
        asked = [each for each in summary.asked if each.fault == fault.name]
        if asked and all(each.outcome == "skipped" for each in asked):
            continue
        found += [
            f"{fault.name} ({fault.what}): {lack}"
            for lack in (
                *_tests(asked, tests, due.seeds),
                *_ways(summary, fault, each=due.each_way),
            )
        ]
    found += [f"{each}: passed, and no fault fired" for each in _silent(summary)]
    if whole is Whole.RECOVERY:
        return found + _unmeasured(summary)
    return found + _controls(summary, due.seeds)


def _tests(asked: Iterable[Asked], tests: int, seeds: int) -> Iterable[str]:
    by_function: dict[str, list[Asked]] = {}
    for each in asked:
        by_function.setdefault(each.function, []).append(each)
    if len(by_function) < tests:
        yield f"{len(by_function)} of {tests} tests"
    for function, its in sorted(by_function.items()):
        if all(each.outcome == "skipped" for each in its):
            continue
        passed = {each.seed for each in its if each.outcome == "passed"}
        wanted = 1 if all(each.seed is None for each in its) else seeds
        if len(passed) < wanted:
            yield f"{function}: {len(passed)} of {wanted} seeds"


def _ways(summary: Summary, fault: Fault, *, each: bool) -> Iterable[str]:
    """Group protocols and clients that no run was made with."""
    if not each or fault.name in WITHOUT_RUNS:
        return
    runs = [run for run in summary.runs if run["fault"] == fault.name]
    good = [run for run in runs if run["test"] not in summary.failed]
    for protocol in PROTOCOLS:
        if protocol not in {run["protocol"] for run in good}:
            yield f"never under group protocol {protocol}"
    for client in CLIENTS:
        if client not in {run["client"] for run in good}:
            yield f"never with the {client} client"


def _silent(summary: Summary) -> list[str]:
    fired = {run["test"] for run in summary.runs if run["fired"]}
    return sorted(
        each.test
        for each in summary.asked
        if each.outcome == "passed" and each.seed is not None and each.test not in fired
    )


def _controls(summary: Summary, seeds: int) -> list[str]:
    asked = [each for each in summary.asked if each.fault == "controls" and each.seed is not None]
    if asked and all(each.outcome == "skipped" for each in asked):
        return []
    return [
        f"negative control {way}: caught with {caught} of {seeds} seeds"
        for way, caught in summary.controls().items()
        if way in CONTROLS and caught < seeds
    ]


def _unmeasured(summary: Summary) -> list[str]:
    return sorted(
        f"{run['test']}: {fired['what']}: nothing measured"
        for run in summary.runs
        for fired in run["fired"]
        if run["fault"] == "recovery" and fired["recovery_s"] is None
    )
