"""Records of runs under faults, made by hand, for tests of the report and of its gate."""

import json
from typing import Any

from tests.fault.catalogue import BESIDE, CATALOGUE, CONTROLS, Fault
from tests.fault.gate import CLIENTS, PROTOCOLS, WITHOUT_RUNS
from tests.fault.record import Asked, Fired, RunRecord
from tests.fault.summary import Summary


def record(
    fault: str,
    seed: int,
    test: str = "",
    protocol: str = "classic",
    client: str = "public",
    **report: int,
) -> dict[str, Any]:
    """A run in which a fault fired, as JSON has it."""
    made = RunRecord(fault, test or f"{fault}-{seed}", seed, protocol, client)
    made.fired.append(Fired("killed", lag=7, recovery_s=float(seed)))
    made.report = dict(report)
    made.committed, made.aborted = 10, 1
    plain: dict[str, Any] = json.loads(json.dumps(made.to_json()))
    return plain


def control(way: str, seed: int, test: str = "") -> dict[str, Any]:
    """A run of a worker that loses, as it was broken to; without a way, of its unbroken twin."""
    name = test or f"{way or 'unbroken'}-{seed}"
    return record("controls", seed, name, lost=5 if way else 0) | {"control": way}


def way_of(seed: int) -> tuple[str, str]:
    """Group protocol and client, as the long tier has them."""
    return PROTOCOLS[(seed - 1) % 2], CLIENTS[(seed - 1) // 2 % 2]


def everything(seeds: int = 5) -> Summary:
    """A whole run of the long tier: each test of each fault, and each control."""
    runs, asked = [], []
    for fault in (*CATALOGUE, *BESIDE):
        if fault.due and fault.name not in {"controls", *WITHOUT_RUNS, "recovery"}:
            for each in _asked(fault, fault.tests, seeds):
                asked.append(each)
                runs.append(record(fault.name, each.seed or 0, each.test, *way_of(each.seed or 0)))
    controls = next(fault for fault in BESIDE if fault.name == "controls")
    for number in range(controls.tests):
        for seed in range(1, seeds + 1):
            each = Asked("controls", f"controls.py::test_{number}[{seed}]", seed)
            asked.append(each)
            way = CONTROLS[number] if number < len(CONTROLS) else ""
            made = control(way, seed, each.test)
            protocol, client = way_of(seed)
            runs.append(made | {"protocol": protocol, "client": client})
    asked += [Asked(name, f"{name}.py::test_0", None) for name in WITHOUT_RUNS]
    return Summary(tuple(runs), frozenset(), tuple(asked))


def _asked(fault: Fault, tests: int, seeds: int) -> list[Asked]:
    return [
        Asked(fault.name, f"{fault.name}.py::test_{number}[{seed}]", seed)
        for number in range(tests)
        for seed in range(1, seeds + 1)
    ]
