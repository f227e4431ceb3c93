"""The table for people: Markdown, and its place in docs/performance.md.

Decides what is shown of a figure, and that who failed or was not there has a row that says so.
"""

from typing import Final

from stream_app.bench.figures import Spread
from tests.bench.peers.catalogue import NATIVE, PUBLIC
from tests.bench.peers.standings import Report, Standing

BEGIN: Final = "<!-- peers: written by `make peers PEERS_ARGS=--write` -->"
END: Final = "<!-- peers: end -->"

_COLUMNS: Final = (
    "contender",
    "what it is",
    "when killed",
    "records/s, median (range)",
    "after a third of the run",
    "of public",
    "of native",
    "CPU us a record",
)
_GIB: Final = 1024**3


class MissingMarksError(Exception):
    """The text has no place for the table."""


def table(report: Report) -> str:
    """All rows, and below them what they were measured on."""
    lines = [_line(_COLUMNS), _line(["---"] * 3 + ["---:"] * 5)]
    lines += [_line(_row(report, each)) for each in report.standings]
    return "\n".join([*lines, "", *_below(report)])


def insert(text: str, made: str) -> str:
    """A document with ``made`` between its marks, instead of what stood there.

    Raises:
        MissingMarksError: they are not there, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise MissingMarksError(f"expected {BEGIN!r} and after it {END!r}, once each")
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def _row(report: Report, standing: Standing) -> list[str]:
    peer = standing.peer
    first = [f"`{peer.name}`", peer.meaning, peer.claim.value]
    if not standing.measured:
        return [*first, f"{standing.state}: {standing.reason}", *["-"] * 4]
    warm = standing.warm_per_second
    return [
        *first,
        _spread(standing.per_second),
        f"{warm.median:,.0f}" if warm else "-",
        _times(report.ratio(standing, PUBLIC)),
        _times(report.ratio(standing, NATIVE)),
        f"{standing.cpu_us.median:.2f}",
    ]


def _below(report: Report) -> list[str]:
    machine = report.machine
    memory = machine.get("memory_bytes")
    size = f", {memory / _GIB:.0f} GiB" if isinstance(memory, int) else ""
    apart = (
        "each contender alone on one core, the broker on the others"
        if report.pinned
        else "nobody had a core alone: differences of a few per cent mean nothing"
    )
    settings = "; ".join(f"`{name}` {value}" for name, value in report.settings.items())
    lines = [
        f"{report.date[:10]}, {machine.get('processor')}, {machine.get('cores')} cores{size}, "
        f"{machine.get('system')}; {report.kafka}; {apart}. Rounds: {report.rounds}. "
        f"Records of the whole input: {report.records:,}{_parts(report)}. {settings}.",
        "",
        f"- stream-app, plain-loop and the broker: {_versions(dict(report.versions))}",
    ]
    told: dict[str, list[str]] = {}
    for each in report.standings:
        if each.measured and each.versions:
            told.setdefault(_versions(each.versions), []).append(each.peer.name)
    lines += [f"- {', '.join(names)}: {versions}" for versions, names in told.items()]
    return lines


def _parts(report: Report) -> str:
    parts: dict[int, list[str]] = {}
    for each in report.standings:
        if each.measured and each.peer.share > 1:
            parts.setdefault(each.runs[0].records, []).append(each.peer.name)
    return "".join(f"; {', '.join(names)}: {count:,}" for count, names in parts.items())


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _spread(found: Spread) -> str:
    if found.least == found.greatest:
        return f"{found.median:,.0f}"
    return f"{found.median:,.0f} ({found.least:,.0f} to {found.greatest:,.0f})"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f} x" if ratio >= 0.1 else f"{ratio:.2g} x"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    """Nothing in a cell may end it."""
    kept = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(kept)} |"
