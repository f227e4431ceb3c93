"""Which record is to blame when the process keeps dying in native code, and what to do about it.

Decides from positions alone: those that were being processed at each death, and those that were
processed and survived. A death proves little: an operator's SIGKILL and the system's lack of
memory look the same. So every record that was being processed is suspect; one that survives is
acquitted at once; one that was there at two deaths is processed alone from then on; and one that
was alone at several more in a row is condemned, that is, dead-lettered without being processed.
Knows nothing of files, signals and what is in a record.

Each death brings the one who caused it a step further, whatever else dies in between: so any
number of such records needs at most ``DEATHS_TOGETHER + limit`` deaths each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

Row = tuple[int, int]
"""Partition and offset."""

Rows = frozenset[Row]

NOBODY: Final[Rows] = frozenset()

DEATHS_TOGETHER: Final = 2
"""After so many a record is processed alone."""

MOST_IN_A_ROW: Final = 3
"""Records condemned with none surviving in between: past it, it is hardly the records' doing."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is thought of the records ahead.

    Attributes:
        deaths: Of the process, by record that was being processed and has not survived since.
        condemned: Not to be processed; kept until their dead letters are committed.
        in_a_row: How many were condemned since a record last survived.
    """

    deaths: Mapping[Row, int] = field(default_factory=dict)
    condemned: Rows = NOBODY
    in_a_row: int = 0

    @property
    def is_none(self) -> bool:
        """Whether there is nothing to think of."""
        return not self.deaths and not self.condemned and not self.in_a_row

    @property
    def alone(self) -> Rows:
        """Records that must not share a batch with another."""
        often = {row for row, deaths in self.deaths.items() if deaths >= DEATHS_TOGETHER}
        return self.condemned | often

    @property
    def is_too_much(self) -> bool:
        """Whether so many were condemned in a row that it can hardly be the records."""
        return self.in_a_row > MOST_IN_A_ROW

    def after_death(self, inside: Rows, limit: int) -> "Suspicion":
        """The process died while it processed ``inside``.

        Args:
            inside: Empty when it was doing something else: that says nothing.
            limit: Deaths of a record alone, in a row, that condemn it.
        """
        deaths = {**self.deaths, **{row: self.deaths.get(row, 0) + 1 for row in inside}}
        if len(inside) == 1:
            (row,) = inside
            if deaths[row] >= DEATHS_TOGETHER + limit:
                del deaths[row]
                return Suspicion(deaths, self.condemned | inside, self.in_a_row + 1)
        return replace(self, deaths=deaths)

    def after_survival(self, rows: Rows) -> "Suspicion":
        """These were processed, and the process lives."""
        return Suspicion(_without(self.deaths, rows), self.condemned, in_a_row=0)

    def after_burial(self, rows: Rows) -> "Suspicion":
        """The dead letters of these are committed."""
        return replace(self, condemned=self.condemned - rows)

    def acquitted(self) -> "Suspicion":
        """All of them; but one more in a row is too much again."""
        return Suspicion(in_a_row=MOST_IN_A_ROW)

    def without_passed(self, first: Mapping[int, int]) -> "Suspicion":
        """Leave out what lies before these offsets, by partition: somebody else has done it."""

        def passed(rows: Mapping[Row, int] | Rows) -> Rows:
            return frozenset(row for row in rows if row[1] < first.get(row[0], 0))

        return replace(
            self,
            deaths=_without(self.deaths, passed(self.deaths)),
            condemned=self.condemned - passed(self.condemned),
        )


def _without(deaths: Mapping[Row, int], rows: Rows) -> dict[Row, int]:
    return {row: count for row, count in deaths.items() if row not in rows}
