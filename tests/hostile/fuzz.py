"""The long fuzzer: ``python -m tests.hostile.fuzz --cases 1000000 --seed 1``.

Decides how many cases each target gets, what a case may cost, and what a finding is: an exception
that is not an outcome, a broken law, more time or memory than the bounds, or a dead process. The
cases run in a process of their own with a limit on its memory and a watchdog; what it was at is
written down before each batch, so that even a crash leaves a reproducer: ``--replay FILE``.
"""

import argparse
import faulthandler
import json
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import structlog

from tests.hostile.targets import ALL, SHARES, TARGETS, Target

MAX_CASE_S: Final = 2.0
"""Of processor time, for one case of a few kilobytes; the slowest honest one takes about 0.2 s."""
HANG_S: Final = 120.0
"""For a batch, by the wall: far more than a busy machine needs."""
MORE_MEMORY_BYTES: Final = 2 << 30
"""Address space beyond what the process has when the first case begins."""
_TOLD_EVERY_S = 10.0
_FOUND, _FINE = 1, 0


@dataclass(frozen=True, slots=True)
class Place:
    """A batch: all of its cases follow from this."""

    target: str
    seed: int
    batch: int

    def chance(self) -> Random:
        """What the cases are drawn from."""
        return Random(f"{self.target}:{self.seed}:{self.batch}")


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that must not be.

    Attributes:
        place: The batch.
        case: Its index there; -1: the process died, or no single case does it.
        what: In a few words.
        detail: The exception, with its traceback.
        shown: The case itself, cut.
    """

    place: Place
    case: int
    what: str
    detail: str
    shown: str = ""


@dataclass(slots=True)
class Tally:
    """What became of a target's cases."""

    cases: int = 0
    seconds: float = 0.0
    slowest_batch_s: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "cases": self.cases,
            "seconds": round(self.seconds, 3),
            "slowest_batch_s": round(self.slowest_batch_s, 3),
            "outcomes": dict(self.outcomes.most_common()),
        }


def fuzz(
    target: Target, place: Place, *, only: int | None = None
) -> tuple[Counter[str], int, Finding | None]:
    """Run a batch, or one case of it: outcomes, how many cases, and a finding if there is one."""
    cases = target.cases(place.chance())
    if only is not None:
        cases = cases[only : only + 1]
    began_s = time.thread_time()
    try:
        outcomes = target.run(cases)
    except Exception:  # noqa: BLE001  # whatever it is, it is a finding
        return Counter(), len(cases), _blame(target, place, cases, traceback.format_exc())
    if outcomes.total() != len(cases):
        detail = f"{len(cases)} cases, {outcomes.total()} outcomes"
        return outcomes, len(cases), Finding(place, -1, "cases without an outcome", detail)
    if time.thread_time() - began_s > MAX_CASE_S:
        return outcomes, len(cases), _slowest(target, place, cases)
    return outcomes, len(cases), None


def _blame(target: Target, place: Place, cases: Sequence[Any], detail: str) -> Finding:
    for index in range(len(cases)):
        try:
            target.run(cases[index : index + 1])
        except Exception:  # noqa: BLE001  # the same one, alone
            shown = repr(cases[index])[:4_000]
            return Finding(place, index, "an exception", traceback.format_exc(), shown)
    return Finding(place, -1, "an exception", detail)


def _slowest(target: Target, place: Place, cases: Sequence[Any]) -> Finding | None:
    """Many quick cases may take long together; one may not."""
    for index in range(len(cases)):
        began_s = time.thread_time()
        target.run(cases[index : index + 1])
        taken_s = time.thread_time() - began_s
        if taken_s > MAX_CASE_S:
            return Finding(place, index, f"{taken_s:.1f} s", "too slow", repr(cases[index])[:4_000])
    return None


def run_targets(
    names: Iterable[str], cases: int, seed: int, at: Callable[[Place], None]
) -> Iterator[tuple[str, Tally, Finding | None]]:
    """Run all targets one after another; yields after every batch.

    Args:
        names: Of the targets.
        cases: In all, shared out among them.
        seed: Of everything.
        at: Is told of every batch before it runs.
    """
    shares = {name: SHARES.get(name, 1.0) for name in names}
    for name, share in shares.items():
        target, tally, number = ALL[name](), Tally(), 0
        wanted = cases * share / sum(shares.values())
        while tally.cases < wanted:
            place = Place(name, seed, number)
            at(place)
            began_s = time.perf_counter()
            outcomes, count, finding = fuzz(target, place)
            taken_s = time.perf_counter() - began_s
            tally.cases += count
            tally.outcomes += outcomes
            tally.seconds += taken_s
            tally.slowest_batch_s = max(tally.slowest_batch_s, taken_s)
            number += 1
            yield name, tally, finding


def work(arguments: argparse.Namespace) -> int:
    """In the process of its own: run, report, and stop at the first finding."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    _limit_memory()
    report: dict[str, Any] = {"seed": arguments.seed, "targets": {}, "finding": None}
    told_s = time.monotonic()
    for name, tally, finding in run_targets(
        arguments.target, arguments.cases, arguments.seed, partial(_note, arguments)
    ):
        report["targets"][name] = tally.to_json()
        if finding is not None:
            report["finding"] = asdict(finding)
            break
        if time.monotonic() - told_s > _TOLD_EVERY_S:
            told_s = time.monotonic()
            _say(line(name, tally.to_json()))
    faulthandler.cancel_dump_traceback_later()
    report["peak_memory_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    arguments.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return _FINE if report["finding"] is None else _FOUND


def _note(arguments: argparse.Namespace, place: Place) -> None:
    """Before a batch: what it is, and the watchdog that ends the process if it hangs."""
    arguments.state.write_text(json.dumps(asdict(place)), "utf-8")
    faulthandler.dump_traceback_later(arguments.hang_s, exit=True)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[0])
    limit = pages * resource.getpagesize() + MORE_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def line(name: str, tally: dict[str, Any]) -> str:
    """A target so far, for people."""
    per_second = tally["cases"] / max(tally["seconds"], 1e-9)
    codes = ", ".join(f"{code} {n}" for code, n in tally["outcomes"].items())
    return f"{name:>10} {tally['cases']:>9,} cases {per_second:>7,.0f}/s  {codes}"


def main(given: Sequence[str] | None = None) -> int:
    """The command; 1 when there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=ALL)
    parser.add_argument("--hang-s", type=float, default=HANG_S, help="longest batch, by the wall")
    parser.add_argument("--report", type=Path, default=Path("build/fuzz.json"))
    parser.add_argument("--replay", type=Path, help="run the batch of a reproducer again")
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    arguments.target = arguments.target or list(TARGETS)
    if arguments.replay is not None:
        return replay(arguments.replay)
    if arguments.state is not None:
        return work(arguments)
    return watch(arguments)


def watch(arguments: argparse.Namespace) -> int:
    """Start the process that works, and say what came of it."""
    report: Path = arguments.report
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    state = report.with_suffix(".at.json")
    command = [sys.executable, "-m", "tests.hostile.fuzz", "--state", str(state)]
    command += ["--cases", str(arguments.cases), "--seed", str(arguments.seed)]
    command += ["--report", str(report), "--hang-s", str(arguments.hang_s)]
    command += [part for name in arguments.target for part in ("--target", name)]
    status = subprocess.run(command, check=False).returncode
    if report.exists():
        found = json.loads(report.read_text("utf-8"))
        for name, tally in found["targets"].items():
            _say(line(name, tally))
        finding = found["finding"]
    else:
        place = json.loads(state.read_text("utf-8")) if state.exists() else None
        finding = {"place": place, "case": -1, "what": f"the process died ({status})"}
        report.write_text(json.dumps({"targets": {}, "finding": finding}), "utf-8")
    state.unlink(missing_ok=True)
    if finding is None:
        return _FINE
    reproducer = report.with_name(f"{report.stem}-finding.json")
    reproducer.write_text(json.dumps(finding, indent=1) + "\n", "utf-8")
    _say(f"FINDING: {json.dumps(finding, indent=1)}")
    _say(f"again: python -m tests.hostile.fuzz --replay {reproducer}")
    return _FOUND


def replay(reproducer: Path) -> int:
    """Run a finding's batch, or its one case, in this process."""
    finding = json.loads(reproducer.read_text("utf-8"))
    place = Place(**finding["place"])
    only = finding["case"] if finding["case"] >= 0 else None
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    outcomes, _, again = fuzz(ALL[place.target](), place, only=only)
    faulthandler.cancel_dump_traceback_later()
    _say(json.dumps(asdict(again), indent=1) if again else f"no finding any more: {outcomes}")
    return _FOUND if again else _FINE


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
