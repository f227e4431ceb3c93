"""The gate of a whole run, seen to close: each way in which a run can prove too little."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.fault.catalogue import BESIDE, BY_NAME
from tests.fault.gate import Whole, missing
from tests.fault.record import Asked
from tests.fault.summary import Summary
from tests.fault_kit import everything, record

CONTROLS = next(fault for fault in BESIDE if fault.name == "controls")

Change = Callable[[Summary], Summary]


def without(keep: Callable[[Asked], bool]) -> Change:
    """As if these tests did not exist."""

    def change(whole: Summary) -> Summary:
        asked = tuple(each for each in whole.asked if keep(each))
        names = {each.test for each in asked}
        return replace(whole, asked=asked, runs=tuple(r for r in whole.runs if r["test"] in names))

    return change


def skipped(match: Callable[[Asked], bool]) -> Change:
    """As if these tests had been skipped."""

    def change(whole: Summary) -> Summary:
        kept = without(lambda each: not match(each))(whole)
        gone = [
            replace(each, outcome="skipped", reason="no root")
            for each in whole.asked
            if match(each)
        ]
        return replace(kept, asked=(*kept.asked, *gone))

    return change


def with_runs(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    return lambda whole: replace(whole, runs=tuple(change(dict(run)) for run in whole.runs))


def failed(test: str) -> Change:
    """As if this test had failed."""

    def change(whole: Summary) -> Summary:
        asked = tuple(
            replace(each, outcome="failed") if each.test == test else each for each in whole.asked
        )
        return replace(whole, asked=asked, failed=frozenset({test}))

    return change


def without_shots(fault: str, seed: int) -> Change:
    def silence(run: dict[str, Any]) -> dict[str, Any]:
        return run | {"fired": []} if (run["fault"], run["seed"]) == (fault, seed) else run

    return with_runs(silence)


def test_nothing_is_missing_when_everything_ran() -> None:
    assert missing(everything(), Whole.FAULTS) == []


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        pytest.param(
            without(lambda each: each.fault != "F29"),
            "F29 (the answer to it is dropped, then a kill or a rebalance): 0 of 2 tests",
            id="no test of a fault",
        ),
        pytest.param(
            without(lambda each: each.function != "F1.py::test_1"),
            f"F1 ({BY_NAME['F1'].what}): 1 of 2 tests",
            id="one of its two tests",
        ),
        pytest.param(
            without(lambda each: (each.fault, each.seed) != ("F3", 4)),
            "F3 (SIGTERM in the middle of a batch): F3.py::test_0: 4 of 5 seeds",
            id="a seed",
        ),
        pytest.param(
            skipped(lambda each: each.test == "F1.py::test_1[3]"),
            f"F1 ({BY_NAME['F1'].what}): F1.py::test_1: 4 of 5 seeds",
            id="a seed that was skipped",
        ),
        pytest.param(
            failed("F3.py::test_0[2]"),
            "F3 (SIGTERM in the middle of a batch): F3.py::test_0: 4 of 5 seeds",
            id="a seed that failed",
        ),
        pytest.param(
            without_shots("F3", 2),
            "F3.py::test_0[2]: passed, and no fault fired",
            id="a fault that did not fire",
        ),
        pytest.param(
            with_runs(lambda run: run | {"protocol": "classic"} if run["fault"] == "F3" else run),
            "F3 (SIGTERM in the middle of a batch): never under group protocol consumer",
            id="a group protocol",
        ),
        pytest.param(
            with_runs(lambda run: run | {"client": "public"} if run["fault"] == "F3" else run),
            "F3 (SIGTERM in the middle of a batch): never with the native client",
            id="a client",
        ),
        pytest.param(
            failed("controls.py::test_5[2]"),
            "negative control auto_commit: caught with 4 of 5 seeds",
            id="a control that nobody caught",
        ),
        pytest.param(
            without(lambda each: each.function != "controls.py::test_14"),
            f"controls ({CONTROLS.what}): {CONTROLS.tests - 1} of {CONTROLS.tests} tests",
            id="a control of the verifier",
        ),
        pytest.param(
            without(lambda each: each.fault != "fuzz"),
            "fuzz (a million hostile cases): 0 of 1 tests",
            id="the fuzzer",
        ),
    ],
)
def test_what_is_missing_is_named(change: Change, lack: str) -> None:
    assert lack in missing(change(everything()), Whole.FAULTS)


@pytest.mark.parametrize("gone", ["F26.py::test_0", "F12.py::test_2"])
def test_what_a_machine_cannot_do_is_listed_with_the_reason_and_not_missing(gone: str) -> None:
    summary = skipped(lambda each: each.function == gone)(everything())
    assert missing(summary, Whole.FAULTS) == []
    (told,) = summary.skipped()
    assert (told.function, told.reason) == (gone, "no root")


def test_the_short_tier_must_catch_every_control_once() -> None:
    once = everything(1)
    assert missing(once, Whole.QUICK) == []
    seeds = failed("controls.py::test_1[1]")(once)
    assert "negative control no_rewind: caught with 0 of 1 seeds" in missing(seeds, Whole.QUICK)
    assert missing(without(lambda each: each.fault != "F8")(once), Whole.QUICK) == [
        "F8 (a twin with the same transactional id): 0 of 1 tests"
    ]


def recoveries() -> Summary:
    asked = [
        Asked("recovery", f"recovery.py::test_{n}[{p}]", 1)
        for n, p in ((0, "classic"), (0, "consumer"), (1, "classic"))
    ]
    runs = [
        record("recovery", 1, each.test, "consumer", "native")
        if "consumer" in each.test
        else record("recovery", 1, each.test)
        for each in asked
    ]
    return Summary(tuple(runs), frozenset(), tuple(asked))


def test_recovery_must_be_measured_under_both_protocols_and_with_both_clients() -> None:
    assert missing(recoveries(), Whole.RECOVERY) == []
    one = without(lambda each: "consumer" not in each.test)(recoveries())
    protocol, client = missing(one, Whole.RECOVERY)
    assert protocol.endswith("never under group protocol consumer")
    assert client.endswith("never with the native client")


def test_a_kill_whose_recovery_nobody_measured_is_named() -> None:
    silent = [{"what": "killed", "lag": 7, "recovery_s": None}]
    unmeasured = with_runs(lambda run: run | {"fired": silent})(recoveries())
    assert "recovery.py::test_1[classic]: killed: nothing measured" in missing(
        unmeasured, Whole.RECOVERY
    )
