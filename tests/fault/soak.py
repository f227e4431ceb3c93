"""The command of the soak: `python -m tests.fault.soak --hours 8`; see `soak_rounds.py`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from stream_app.adapters.local_kafka import LocalKafka
from tests.fault.soak_rounds import Plan, Soak, say
from tests.fault.soak_verdict import Status, status
from tests.kafka_fixtures import RealKafka

_TOLD = {
    Status.RIGHT: "all is well",
    Status.WRONG: "failed",
    Status.UNDECIDED: "nothing is wrong, and what grows is not known",
}


def parsed(arguments: list[str] | None) -> tuple[Plan, Path | None]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--workers", type=int, default=3, help="at least 2; one is spared")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=500.0, help="events a second")
    parser.add_argument("--round-minutes", type=float, default=5.0)
    parser.add_argument("--warm-up-minutes", type=float, default=None, help="default: a fifth")
    parser.add_argument("--protocol", choices=("classic", "consumer"), default="classic")
    parser.add_argument("--report", type=Path, default=None, metavar="FILE", help="as JSON")
    given = parser.parse_args(arguments)
    if given.workers < 2:
        parser.error("--workers must be at least 2: one is spared, and one must suffer")
    warm_up_min = given.warm_up_minutes
    return (
        Plan(
            hours=given.hours,
            workers=given.workers,
            seed=given.seed,
            rate=given.rate,
            round_s=60 * given.round_minutes,
            warm_up_s=720 * given.hours if warm_up_min is None else 60 * warm_up_min,
            protocol=given.protocol,
        ),
        given.report,
    )


def tell_slopes(slopes: dict[str, dict[str, Any]]) -> None:
    """A line a quantity."""
    for quantity, found in slopes.items():
        if "per_hour" not in found:
            say(f"{quantity:<12} {found['trend']}")
            continue
        told = "" if found["judged"] else " (too short a run to judge)"
        say(
            f"{quantity:<12} {found['per_hour']:+.2f} ± {found['plus_minus']:.2f} an hour, "
            f"limit {found['limit_per_hour']:g}: {found['trend']}{told}; "
            f"{found['first']:.1f} -> {found['last']:.1f}"
        )


def main(arguments: list[str] | None = None) -> int:
    """Run; the status is 0 when all is well, 1 when not, 3 when too little can be said."""
    plan, path = parsed(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="stream-app-soak-") as folder,
        LocalKafka(
            tests=True, extra_properties={"log.retention.check.interval.ms": "30000"}
        ) as cluster,
    ):
        kafka = RealKafka(cluster.bootstrap_servers, cluster)
        report = Soak(plan, kafka, Path(folder)).run()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
        say(f"the report: {path}")
    tell_slopes(report["slopes"])
    for fault in report["faults"]:
        say(f"FAULT: {fault}")
    for unknown in report["undecided"]:
        say(f"UNDECIDED: {unknown}; run longer")
    ended = status(report)
    say(_TOLD[ended])
    return ended


if __name__ == "__main__":
    sys.exit(main())
