"""Rows of the specification that are tested elsewhere: the tests that are named there exist."""

import re
from pathlib import Path

import pytest

from tests.hostile import test_records, test_settings

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"[\w/]*test_\w+\.py")
PLACES = {
    **{row.what: row.elsewhere for row in test_records.TABLE if row.elsewhere},
    **test_settings.ELSEWHERE,
}


def absent(text: str) -> list[str]:
    """Test files that a text names and that are not there; a bare name may be in any folder."""
    return [
        name
        for name in NAMED.findall(text)
        if not (ROOT / name).is_file() and not ("/" not in name and [*ROOT.glob(f"tests/*/{name}")])
    ]


@pytest.mark.parametrize("what", PLACES)
def test_what_is_tested_elsewhere_is_tested_there(what: str) -> None:
    assert absent(PLACES[what]) == []


def test_a_row_of_records_without_records_names_its_test() -> None:
    for row in test_records.TABLE:
        assert row.codes or NAMED.search(row.elsewhere), row.what


def test_a_test_that_is_not_there_is_seen() -> None:
    text = "tests/hostile/test_records.py, test_fuzz.py; tests/unit/test_gone.py, test_nowhere.py"
    assert absent(text) == ["tests/unit/test_gone.py", "test_nowhere.py"]
