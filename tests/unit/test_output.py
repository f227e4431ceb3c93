"""How tables are shown, whatever the width of the terminal."""

import pytest
from rich.console import Console

from stream_app.cli import output

COLUMNS = ("partition", "timestamp", "code", "message")
ROWS = [
    (3, "2026-01-02T03:04:05.678Z", "BAD_MAGIC", "expected the first bytes c3 01"),
    (4, None, "", ""),
]


@pytest.mark.parametrize(("width", "is_table"), [(200, True), (80, True), (60, False), (20, False)])
def test_no_word_of_a_row_is_cut_where_a_table_would_not_fit(
    width: int,
    is_table: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(output, "console", lambda: Console(highlight=False, width=width))
    output.print_table(COLUMNS, ROWS, title="letters", right=("partition",))
    shown = capsys.readouterr().out
    assert shown.startswith("letters\n")
    assert ("───" in shown) == is_table
    for word in (*COLUMNS, "2026-01-02T03:04:05.678Z", "BAD_MAGIC", "expected"):
        assert word in shown
