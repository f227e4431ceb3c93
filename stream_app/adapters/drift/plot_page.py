"""A page of plots that is one file and needs no network: its frame, its look, and Plotly in it.

Decides that nothing on a page is loaded from anywhere, by what is in it and by a policy that
browsers enforce. Plotly is an extra and large: it is imported when a page is wanted, not before.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from stream_app.errors import ConfigError

BLUE, ORANGE, GREY = "#3b6ea5", "#d9822b", "#9aa4ad"
LINES = (BLUE, ORANGE, "#4f9d69", "#a0519a", "#7a6a4f")

_HERE = Path(__file__).parent


def plotly_source() -> str:
    """Plotly, as it goes into a page.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs  # noqa: PLC0415  # an extra, and slow to import
    except ImportError as exc:
        raise ConfigError(
            "--html needs plotly; pip install 'stream-app[reports]', or leave --html out"
        ) from exc
    source: str = get_plotlyjs()
    return source


def own_file(name: str) -> str:
    """A style or script that lies beside this file."""
    return (_HERE / name).read_text(encoding="utf-8")


def page(title: str, body: Iterable[str], scripts: Sequence[str], *, more_scripts: bool) -> str:
    """A whole page.

    Args:
        title: As text.
        body: As HTML; whatever comes from data is escaped already.
        scripts: Run in this order; the first before the body is read, the others after it.
        more_scripts: Whether the body has scripts of its own. If not, the browser is told to run
            no others than these.
    """
    first, *others = scripts
    allowed = "'unsafe-inline'" if more_scripts else " ".join(map(_hash, scripts))
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{own_file('page.css')}</style>",
            f"<script>{first}</script></head><body>",
            *body,
            *(f"<script>{script}</script>" for script in others),
            "</body></html>\n",
        )
    )


def write(path: Path, text: str) -> None:
    """Write a page.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"--html {path}: cannot be written ({exc.strerror})") from exc


def embedded(name: str, value: object) -> str:
    """Data for scripts; nothing in it can end the element that holds it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    inert = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{inert}</script>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> str:
    """A table that scrolls by itself where it is too wide; ``right`` names columns of numbers."""
    kinds = [' class="number"' if name in right else "" for name in head]
    top = "".join(f'<th scope="col"{k}>{escape(n)}</th>' for k, n in zip(kinds, head, strict=True))
    lines = [
        "<tr>"
        + "".join(f"<td{k}>{_cell(cell)}</td>" for k, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    ]
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>'
        f"{''.join(lines)}</tbody></table></div>"
    )


class Html(str):
    """Text that is HTML already, and escaped where it came from data."""

    __slots__ = ()


def _cell(value: object) -> str:
    if isinstance(value, Html):
        return value
    return "-" if value is None else escape(str(value))


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
