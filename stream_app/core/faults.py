"""The reasons for which a record becomes a dead letter: the whole list, and nothing else.

A fault is a value in a row, never an exception: it says that this record can never succeed,
however often it is tried. Troubles of the world (broker, registry, GPU) are not here; they are
exceptions (see ``errors.py``) and cost no record its outcome.

The numbers are part of the state that crosses versions (columns, partials): they are never
reused. The names are part of the public contract: they stand in the header ``err.code``.
"""

from enum import IntEnum, StrEnum


class Stage(StrEnum):
    """Where on the path a record failed; the header ``err.stage``."""

    DECODE = "decode"
    VALIDATE = "validate"
    INFER = "infer"
    ENCODE = "encode"
    DELIVER = "deliver"


class Fault(IntEnum):
    """Why a record can never succeed; ``NONE`` is a good row."""

    stage: Stage
    meaning: str

    def __new__(cls, number: int, stage: Stage, meaning: str) -> "Fault":
        """Make a member that is a number and carries its stage and its meaning."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.stage = stage
        member.meaning = meaning
        return member

    NONE = 0, Stage.DECODE, "no fault"

    TOMBSTONE = 1, Stage.DECODE, "the value is null"
    TOO_SHORT = 2, Stage.DECODE, "the value is shorter than its framing"
    TOO_LARGE = 3, Stage.DECODE, "the value is larger than the limit"
    BAD_MAGIC = 4, Stage.DECODE, "the value does not start with the framing expected"
    UNKNOWN_SCHEMA = 5, Stage.DECODE, "no schema is known under the record's schema id"
    SCHEMA_NOT_ALLOWED = 6, Stage.DECODE, "the schema belongs to another record type"
    SCHEMA_INCOMPATIBLE = 7, Stage.DECODE, "the schema cannot be read as the contract asks"
    SCHEMA_RECURSIVE = 8, Stage.DECODE, "the schema refers to itself"
    SCHEMA_ZERO_WIDTH_ITEMS = 9, Stage.DECODE, "the schema has an array of items without bytes"
    SCHEMA_LIMIT = 10, Stage.DECODE, "the schema is too large, too deep or has too many fields"
    DECODE_ERROR = 11, Stage.DECODE, "the bytes are not an event of this schema"
    TRAILING_BYTES = 12, Stage.DECODE, "bytes are left over after the event"
    BAD_ENUM = 13, Stage.DECODE, "an enum's index is outside its symbols"
    OUT_OF_RANGE = 14, Stage.DECODE, "a number is outside the range of its type"
    BAD_LOGICAL_VALUE = 15, Stage.DECODE, "a timestamp, decimal or uuid is not a possible one"

    MISSING_FEATURE = 20, Stage.VALIDATE, "a required feature is null or absent"
    NON_FINITE = 21, Stage.VALIDATE, "a feature is NaN or infinite, or too large for its type"
    WRONG_TYPE = 22, Stage.VALIDATE, "a feature has a value of another type"
    WRONG_SHAPE = 23, Stage.VALIDATE, "an array or an image has another size"
    UNSEEN_CATEGORY = 24, Stage.VALIDATE, "a category is not in the contract's list"
    MISSING_ID = 25, Stage.VALIDATE, "the event has no id"
    TIME_OUT_OF_RANGE = 26, Stage.VALIDATE, "the event's time is too far from its record's"
    UNKNOWN_REFERENCE = 27, Stage.VALIDATE, "a drift partial's reference stayed away for too long"

    MODEL_FAILED = 40, Stage.INFER, "the model fails on this row alone"
    NON_FINITE_OUTPUT = 41, Stage.INFER, "the model answered NaN or infinity"
    PROCESS_CRASHED = 42, Stage.INFER, "the process died, time and again, with this record alone"

    ENCODE_ERROR = 60, Stage.ENCODE, "the outputs do not fit the prediction schema"

    OUTPUT_TOO_LARGE = 80, Stage.DELIVER, "the prediction is larger than the topic accepts"

    @classmethod
    def of(cls, number: int) -> "Fault":
        """The fault with this number, as found in a column."""
        return _BY_NUMBER[number]


_BY_NUMBER = {fault.value: fault for fault in Fault}
