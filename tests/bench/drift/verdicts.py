"""What a contender says of windows, and what is made of it.

Decides how shares and delays are counted, the same for everybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

Verdicts = Mapping[str, Mapping[int, Sequence[bool]]]
"""By rule, by size of windows: of each, whether it was said to have drift."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One rule on the windows of one size.

    Attributes:
        share: Of windows, that were said to have drift.
        delay: The median number of windows from the beginning of a run to the first of them,
            which counts; infinite: mostly none.
    """

    share: float
    delay: float

    @classmethod
    def of(cls, verdicts: Sequence[bool], run: int) -> "Figure":
        """From windows in order.

        Args:
            verdicts: Of each window.
            run: Windows that belong together; 0: all.
        """
        length = run or len(verdicts)
        runs = [verdicts[at : at + length] for at in range(0, len(verdicts), length)]
        delays = [next((at + 1.0 for at, loud in enumerate(one) if loud), inf) for one in runs]
        return cls(sum(verdicts) / len(verdicts), median(delays))
