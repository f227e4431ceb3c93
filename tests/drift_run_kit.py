"""What tests of windows from files share: files of car-loan events, and runs over them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stream_app.adapters.drift.reference_file import require_reference
from stream_app.core.drift.window_report import WindowReport
from stream_app.drift_run import DriftRun, RunOptions
from stream_app.ports import Model
from stream_app.settings import load_settings
from tests.car_loan import Event, event
from tests.reference_kit import Loans, open_loans, write_avro

WINDOW_S = 21_600
"""A quarter of a day: of the example's events some forty."""

Place = tuple[int, int]
"""Length and start of a window."""


def events(count: int) -> list[Event]:
    """The example's, in the order of time."""
    return [event(number) for number in range(count)]


def avro_file(folder: Path, rows: Iterable[Event]) -> Path:
    """A container of them."""
    return write_avro(folder / "events.avro", rows)


def drift_run(
    path: Path,
    *,
    model: Model | None = None,
    loans: Loans | None = None,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> DriftRun:
    """A run over a file, not begun."""
    loans = loans or open_loans(0)
    return DriftRun(
        load_settings(overrides={"drift.window_s": str(WINDOW_S), **(settings or {})}),
        loans.files.contract,
        model or loans.model,
        require_reference(loans.files),
        RunOptions(path, **options),
    )


def windows(path: Path, **options: Any) -> dict[Place, WindowReport]:
    """All windows of a file; each is told of once."""
    found: dict[Place, WindowReport] = {}
    for report in drift_run(path, **options):
        place = report.head.length_ms, report.head.start_ms
        assert place not in found, f"told twice: {place}"
        found[place] = report
    return found


def hashes(found: Mapping[Place, WindowReport]) -> dict[Place, tuple[str, str]]:
    """What equal counts have the same of."""
    return {place: (r.hashes.inputs, r.hashes.outputs) for place, r in found.items()}


def without_time(loans: Loans) -> Loans:
    """A model whose contract names no time."""
    contract = replace(loans.files.contract, time_field=None)
    return replace(loans, files=replace(loans.files, contract=contract))
