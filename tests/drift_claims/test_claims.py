"""Laws of false alarms, the short tier: windows of the example; and how claims are told."""

from functools import cache

import pytest

from tests.drift_claims.across import ALERTING, RULES, try_rules
from tests.drift_claims.claims import Claim, claims_table
from tests.drift_claims.false_alarms import LEAST, MOST, of_mixed, of_the_example
from tests.drift_claims.page import PAGE, MissingMarksError, insert


@cache
def example() -> tuple[Claim, ...]:
    return tuple(of_the_example())


def test_of_the_example_s_quiet_half_about_one_window_in_a_hundred_is_loud() -> None:
    quiet = [claim for claim in example() if claim.most < 1]
    windows = sum(claim.windows for claim in quiet)
    assert windows == 500 + 150
    assert LEAST <= sum(claim.found for claim in quiet) / windows <= MOST


def test_of_its_drifted_half_every_window_of_a_thousand_rows_is() -> None:
    (drifted,) = (claim for claim in example() if claim.most == 1)
    assert drifted.found == drifted.windows == 15


def test_of_mixed_columns_few_windows_are_loud_whatever_their_size() -> None:
    claims = list(of_mixed(5_000, references=4, windows=40, say=lambda text: None, repeats=1_000))
    assert [(claim.rows, claim.windows) for claim in claims] == [
        (300, 160), (1_000, 160), (5_000, 160),
    ]  # fmt: skip
    assert all(claim.share <= 0.05 for claim in claims), claims
    assert LEAST <= sum(claim.found for claim in claims) / 480 <= MOST


def test_rules_over_windows_are_rarely_wrong_and_soon_right() -> None:
    seen = {one.rule: one for one in try_rules(20_000, 1, 4, 100, lambda text: None)}
    assert set(seen) == set(RULES)
    assert seen["both (`alert`)"].alarms <= 1
    for rule in ALERTING:
        delays = seen[rule].delays
        assert delays["step .3 sd"] <= 3, rule
        assert delays["step .1 sd"] <= 9, rule
        assert 1 < delays["ramp to .3 sd"] <= 50, rule


@pytest.mark.parametrize(
    ("found", "holds"), [(0, False), (4, False), (5, True), (25, True), (26, False)]
)
def test_a_claim_holds_within_its_bounds(found: int, holds: bool) -> None:
    claim = Claim("x", 30, 100, 1_000, found, 0.005, 0.025)
    assert claim.holds == holds
    assert ("**broken**" in claims_table([claim])[-1]) != holds


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = "a\n<!-- x: written by `make x` -->\n\nold\n\n<!-- x: end -->\nb\n"
    made = insert(text, "x", "new")
    assert made == text.replace("old", "new")
    assert insert(made, "x", "new") == made


@pytest.mark.parametrize("text", ["", "<!-- x: written by -->\n", "<!-- x: end -->\n"])
def test_a_page_without_the_marks_is_not_touched(text: str) -> None:
    with pytest.raises(MissingMarksError):
        insert(text, "x", "new")


def test_the_page_has_its_places() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len({insert(text, part, "new") for part in ("claims", "compared", "numbers")}) == 3
