"""A table of peers: stream-app beside other ways to do the same job, on this machine.

    python -m tests.bench.peers --rounds 3 --records 1000000 --json build/peers.json --write

Starts a real Apache Kafka, writes the bench's input once, and has every contender score it with
the same model, pinned to a core with the broker on the other, in turns. What each leaves is read
again: whoever loses, repeats or changes a prediction has failed and has no figure. `--write` puts
the table into docs/performance.md. Exit status: 0, or 70 when somebody failed.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from stream_app.adapters.process.logs import configure_logging
from stream_app.errors import ExitStatus, StreamAppError
from stream_app.terminal.interrupts import EndedBySignalError
from tests.bench.peers.catalogue import LEAST_RECORDS, PEERS, choose
from tests.bench.peers.homes import ROOT
from tests.bench.peers.run import compare
from tests.bench.peers.table import insert, table

DOCUMENT: Final = ROOT / "docs" / "performance.md"


def main() -> int:
    """Compare; returns the exit status."""
    options = _options()
    configure_logging("error", "auto")
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    screen = Console(stderr=True)
    try:
        report = compare(choose(options.only), options.records, options.rounds, screen)
    except EndedBySignalError as exc:
        screen.print(f"{exc}; nothing is left behind", style="yellow")
        return 128 + exc.number
    except StreamAppError as exc:
        screen.print(str(exc), style="bold red", markup=False)
        return int(exc.exit_status)
    made = table(report)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(f"{json.dumps(report.to_json(), indent=2)}\n", encoding="utf-8")
    if options.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(insert(text, made), encoding="utf-8")
    sys.stdout.write(f"{made}\n")
    return int(ExitStatus.OK if report.ok else ExitStatus.SOFTWARE)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.peers", description="stream-app beside its peers."
    )
    parser.add_argument("--rounds", type=_AtLeast(1), default=3, help="runs of each (3)")
    parser.add_argument(
        "--records",
        type=_AtLeast(LEAST_RECORDS),
        default=1_000_000,
        help="in the input (1,000,000); slow peers get a part of it",
    )
    names = ", ".join(peer.name for peer in PEERS)
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help=f"one of {names}; repeatable"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures of all runs")
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/performance.md"
    )
    return parser.parse_args()


class _AtLeast:
    """A whole number with a lower bound."""

    def __init__(self, least: int) -> None:
        self._least = least

    def __call__(self, text: str) -> int:
        number = int(text.replace("_", "").replace(",", ""))
        if number < self._least:
            raise argparse.ArgumentTypeError(f"expected {self._least:,} or more, not {text}")
        return number


if __name__ == "__main__":
    sys.exit(main())
