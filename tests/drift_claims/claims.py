"""What a claim is: a share that was measured, and the bounds that it was promised to be in.

Decides how claims are told, as plain values and as a table. Refuses to know what is measured.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Claim:
    """A share of windows.

    Attributes:
        data: Whose windows.
        rows: In each.
        reference_rows: In each of their references.
        windows: How many were tried.
        found: How many of them had drift.
        least: Of the share, that was promised.
        most: Likewise.
    """

    data: str
    rows: int
    reference_rows: int
    windows: int
    found: int
    least: float
    most: float

    @property
    def share(self) -> float:
        """Of windows with drift."""
        return self.found / self.windows

    @property
    def holds(self) -> bool:
        """Whether it is within its bounds."""
        return self.least <= self.share <= self.most

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "share": self.share, "holds": self.holds}


Say = Callable[[str], None]
"""Is told what is being tried."""


def claims_table(claims: Iterable[Claim]) -> list[str]:
    """As lines of Markdown."""
    head = ("windows of", "rows", "reference", "windows", "with drift", "promised", "")
    return table(
        head,
        (
            (
                claim.data,
                f"{claim.rows:,}",
                f"{claim.reference_rows:,}",
                f"{claim.windows:,}",
                f"{100 * claim.share:.2f} %",
                _promise(claim),
                "" if claim.holds else "**broken**",
            )
            for claim in claims
        ),
        numbers=range(1, 6),
    )


def _promise(claim: Claim) -> str:
    if claim.most == 1.0:
        return f"{100 * claim.least:g} % or more"
    return f"{100 * claim.least:g} to {100 * claim.most:g} %"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int]) -> list[str]:
    """Any table as lines of Markdown; columns of ``numbers`` are set to the right."""
    right = set(numbers)
    rule = ["---:" if at in right else "---" for at in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
