"""The fault codes that dead letters may name, written down once more.

Decides at which stage and at which place of the path each can be found, so that a letter whose
code belongs to another place than its record's fault is seen. A test keeps the list as long as
the product's.
"""

from enum import StrEnum


class Place(StrEnum):
    """How far an event got; each is looked at only where all before it were good."""

    NULL = "the value is there"
    SIZE = "the value is not too large"
    FRAMING = "the framing"
    SCHEMA = "the schema"
    BYTES = "the bytes"
    VALUES = "the values"
    TIME = "the time"
    MODEL = "the model"
    OUTPUT = "the outputs"
    ENCODE = "the prediction's schema"
    DELIVERY = "the prediction's size"
    CRASH = "the process"
    REFERENCE = "the reference of a drift partial, which no event has"


_FOUND_AT = {
    "decode": {
        "TOMBSTONE": {Place.NULL},
        "TOO_SHORT": {Place.FRAMING},
        "TOO_LARGE": {Place.SIZE},
        "BAD_MAGIC": {Place.FRAMING},
        "UNKNOWN_SCHEMA": {Place.SCHEMA},
        "SCHEMA_NOT_ALLOWED": {Place.SCHEMA},
        "SCHEMA_INCOMPATIBLE": {Place.SCHEMA},
        "SCHEMA_RECURSIVE": {Place.SCHEMA},
        "SCHEMA_ZERO_WIDTH_ITEMS": {Place.SCHEMA},
        "SCHEMA_LIMIT": {Place.SCHEMA},
        "DECODE_ERROR": {Place.BYTES},
        "TRAILING_BYTES": {Place.BYTES},
        "BAD_ENUM": {Place.BYTES},
        "OUT_OF_RANGE": {Place.BYTES, Place.VALUES},
        "BAD_LOGICAL_VALUE": {Place.VALUES},
    },
    "validate": {
        "MISSING_FEATURE": {Place.VALUES},
        "NON_FINITE": {Place.VALUES},
        "WRONG_TYPE": {Place.VALUES},
        "WRONG_SHAPE": {Place.VALUES},
        "UNSEEN_CATEGORY": {Place.VALUES},
        "MISSING_ID": {Place.VALUES},
        "TIME_OUT_OF_RANGE": {Place.TIME},
        "UNKNOWN_REFERENCE": {Place.REFERENCE},
    },
    "infer": {
        "MODEL_FAILED": {Place.MODEL},
        "NON_FINITE_OUTPUT": {Place.OUTPUT},
        "PROCESS_CRASHED": {Place.CRASH},
    },
    "encode": {"ENCODE_ERROR": {Place.ENCODE}},
    "deliver": {"OUTPUT_TOO_LARGE": {Place.DELIVERY}},
}

STAGES = {code: stage for stage, codes in _FOUND_AT.items() for code in codes}
"""The stage of each code."""

PLACES = {code: frozenset(places) for codes in _FOUND_AT.values() for code, places in codes.items()}
"""Where each code can be found."""

OF_ITS_TIME = frozenset({Place.SIZE, Place.SCHEMA, Place.ENCODE, Place.DELIVERY, Place.CRASH})
"""What depends on more than event, contract and model: on a limit that was set then, on what the
registry knew, on the broker's limits, on native code."""

NAMES = {
    1: "TOMBSTONE",
    2: "TOO_SHORT",
    3: "TOO_LARGE",
    4: "BAD_MAGIC",
    5: "UNKNOWN_SCHEMA",
    6: "SCHEMA_NOT_ALLOWED",
    7: "SCHEMA_INCOMPATIBLE",
    8: "SCHEMA_RECURSIVE",
    9: "SCHEMA_ZERO_WIDTH_ITEMS",
    10: "SCHEMA_LIMIT",
    11: "DECODE_ERROR",
    12: "TRAILING_BYTES",
    13: "BAD_ENUM",
    14: "OUT_OF_RANGE",
    15: "BAD_LOGICAL_VALUE",
    20: "MISSING_FEATURE",
    21: "NON_FINITE",
    22: "WRONG_TYPE",
    23: "WRONG_SHAPE",
    24: "UNSEEN_CATEGORY",
    25: "MISSING_ID",
    26: "TIME_OUT_OF_RANGE",
    27: "UNKNOWN_REFERENCE",
    40: "MODEL_FAILED",
    41: "NON_FINITE_OUTPUT",
    42: "PROCESS_CRASHED",
    60: "ENCODE_ERROR",
    80: "OUTPUT_TOO_LARGE",
}
"""By number, as partials of drift have them."""
