"""A page whose measured parts are written by programs: what stands between two marks is replaced.

Decides what the marks look like. Everything else of a page is a person's.
"""

from pathlib import Path
from typing import Final

from stream_app.bench.machine import describe_machine, today

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "drift-compared.md"

_GIB: Final = 1024**3


class MissingMarksError(Exception):
    """The page has no place for this part."""


def insert(text: str, name: str, made: str) -> str:
    """The page with ``made`` in the part of this name, instead of what stood there.

    Raises:
        MissingMarksError: its marks are not there, once each and in order.
    """
    start, end = f"<!-- {name}: written by ", f"<!-- {name}: end -->"
    before, begin, rest = text.partition(start)
    command, close, inside = rest.partition(" -->\n")
    _, finish, after = inside.partition(end)
    if not (begin and close and finish) or start in after or end in after:
        raise MissingMarksError(f"expected {start!r} and after it {end!r}, once each")
    return f"{before}{begin}{command}{close}\n{made}\n\n{end}{after}"


def write(name: str, made: str) -> None:
    """Put ``made`` into the page."""
    PAGE.write_text(insert(PAGE.read_text(encoding="utf-8"), name, made), encoding="utf-8")


def circumstances(versions: str) -> str:
    """One line: the day, the machine, and the versions given."""
    machine = describe_machine()
    memory = machine.get("memory_bytes")
    size = f", {memory / _GIB:.0f} GiB" if isinstance(memory, int) else ""
    return (
        f"{today()[:10]}, {machine.get('processor')}, {machine.get('cores')} cores{size}, "
        f"{machine.get('system')}; {versions}."
    )
