"""The instructions of the compiled decoder: what a program is made of.

Decides the vocabulary between ``program.py``, which writes programs, and ``kernels/decode.py``,
which runs them. Plain numbers, so that machine code can hold them as constants.

A program is a table of instructions, ``[op, a, b, column, place]`` each. It walks once over a value
and checks all of it, wanted or not, as strictly as ``wire.py``. ``place`` says for messages where
in the event it is.
"""

from enum import IntEnum
from typing import Final

WIDTH: Final = 5
"""Numbers in an instruction."""
DIGITS_BASE: Final = 256
"""A decimal's precision times this, and its scale, in one number."""


class Op(IntEnum):
    """What to do; ``at`` is where in the value the walk has come to."""

    END = 0
    """The value must end here."""

    # -- values that nobody asked for, checked and passed over ---------------------------------
    BOOLEAN = 1
    INT = 2
    LONG = 3
    FIXED = 4
    """``a`` bytes; a float and a double too."""
    BYTES = 5
    STRING = 6
    ENUM = 7
    """Of ``a`` symbols."""

    # -- where to go on ------------------------------------------------------------------------
    UNION = 10
    """Of ``a`` branches; the places to go on at begin at ``b`` in the table of jumps."""
    JUMP = 11
    """To ``a``."""
    MARK = 12
    """Remember ``at``: more than one column reads what is here."""
    BACK = 13
    """Return to the last mark, and forget it."""

    # -- elements of a column ------------------------------------------------------------------
    TAKE_BOOLEAN = 20
    TAKE_INT = 21
    """From ``a`` to ``b``; the others likewise, or none of it."""
    TAKE_LONG = 22
    TAKE_FLOAT = 23
    TAKE_DOUBLE = 24
    TAKE_ENUM = 25
    """Of ``a`` symbols, whose codes begin at ``b`` in the table of codes."""
    TAKE_CATEGORY = 26
    """A string among the column's categories."""
    TAKE_DECIMAL = 27
    """``a`` bytes, or as many as are written if ``a`` is negative; ``b`` digits."""
    TAKE_RAW = 28
    """All elements at once; ``a`` as for decimals."""
    TAKE_TEXT = 29
    """A string; if ``a`` is 1, bytes that must be one; a uuid if ``b`` is 1."""
    TAKE_SYMBOL = 30
    """The text of an enum's symbol, of ``a``; their texts begin at ``b``."""
    NULL = 31
    """One element is null."""
    NULL_ROW = 32
    """All elements are."""
    WRONG_TYPE = 33
    """Something lies here that cannot fill the column."""
    WRONG_SHAPE = 34
    """An array of an array is something else."""

    # -- arrays and maps -----------------------------------------------------------------------
    BLOCKS = 40
    """One begins; ``a`` is behind its end."""
    NEXT = 41
    """An item ends; the next one begins at ``a``."""
    ARRAY = 42
    """One of a column begins, to have ``b`` items; ``a`` is behind its end."""
    ITEM = 43
    """One of its items ends; the next one begins at ``a``."""

    # -- id and time ---------------------------------------------------------------------------
    ID_STRING = 50
    """A uuid if ``a`` is 1."""
    ID_BYTES = 51
    ID_INT = 52
    ID_LONG = 53
    ID_UUID = 54
    """The 16 bytes of one."""
    ID_NULL = 55
    TIME = 56
    """A long, ``a`` of which are a millisecond."""
    TIME_NULL = 57


class Cell(IntEnum):
    """What an element of a tensor is, in memory."""

    FLOAT32 = 0
    FLOAT64 = 1
    INT64 = 2
    BOOL = 3
    UINT8 = 4
    TEXT = 5


class Reason(IntEnum):
    """Why a row has a fault, for its message."""

    NONE = 0
    CUT = 1
    OVER_32_BITS = 2
    OVER_64_BITS = 3
    NO_BOOLEAN = 4
    NEGATIVE_LENGTH = 5
    LENGTH_BEYOND = 6
    NO_UTF8 = 7
    NO_SYMBOL = 8
    NO_BRANCH = 9
    NEGATIVE_BLOCK = 10
    TRAILING = 11
    COLUMN = 12
    """Of the contract; the fault says which."""
    ID = 13
    TIME = 14
    TOMBSTONE = 20
    TOO_LARGE = 21
    TOO_SHORT = 22
    BAD_MAGIC = 23


class Status(IntEnum):
    """What became of a row."""

    DECODED = 0
    """Or it has a fault."""
    UNKNOWN = 1
    """No program is known for its schema."""
    LEFT = 2
    """To the reference decoder, which can do more."""
