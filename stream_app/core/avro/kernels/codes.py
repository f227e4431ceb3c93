"""The numbers of enums as plain constants.

Machine code holds these; members of an enum it would have to look up.
"""

from stream_app.core.avro.opcodes import Cell, Op, Reason, Status
from stream_app.core.columns import Kind
from stream_app.core.faults import Fault

END, BOOLEAN = int(Op.END), int(Op.BOOLEAN)
INT, LONG, FIXED = int(Op.INT), int(Op.LONG), int(Op.FIXED)
BYTES, STRING, ENUM = int(Op.BYTES), int(Op.STRING), int(Op.ENUM)
UNION, JUMP, MARK, BACK = int(Op.UNION), int(Op.JUMP), int(Op.MARK), int(Op.BACK)
BLOCKS, NEXT, ARRAY, ITEM = int(Op.BLOCKS), int(Op.NEXT), int(Op.ARRAY), int(Op.ITEM)
TAKE_BOOLEAN, TAKE_INT, TAKE_LONG = int(Op.TAKE_BOOLEAN), int(Op.TAKE_INT), int(Op.TAKE_LONG)
TAKE_FLOAT, TAKE_DOUBLE = int(Op.TAKE_FLOAT), int(Op.TAKE_DOUBLE)
TAKE_ENUM, TAKE_CATEGORY = int(Op.TAKE_ENUM), int(Op.TAKE_CATEGORY)
TAKE_DECIMAL, TAKE_RAW = int(Op.TAKE_DECIMAL), int(Op.TAKE_RAW)
TAKE_TEXT, TAKE_SYMBOL = int(Op.TAKE_TEXT), int(Op.TAKE_SYMBOL)
OP_NULL, NULL_ROW = int(Op.NULL), int(Op.NULL_ROW)
OP_WRONG_TYPE, OP_WRONG_SHAPE = int(Op.WRONG_TYPE), int(Op.WRONG_SHAPE)
ID_STRING, ID_BYTES, ID_INT = int(Op.ID_STRING), int(Op.ID_BYTES), int(Op.ID_INT)
ID_LONG, ID_UUID, ID_NULL = int(Op.ID_LONG), int(Op.ID_UUID), int(Op.ID_NULL)
TIME, TIME_NULL = int(Op.TIME), int(Op.TIME_NULL)

NONE, CUT, NO_BOOLEAN = int(Reason.NONE), int(Reason.CUT), int(Reason.NO_BOOLEAN)
NO_SYMBOL, NO_BRANCH = int(Reason.NO_SYMBOL), int(Reason.NO_BRANCH)
NO_UTF8, NEGATIVE_BLOCK = int(Reason.NO_UTF8), int(Reason.NEGATIVE_BLOCK)
TRAILING, OF_COLUMN = int(Reason.TRAILING), int(Reason.COLUMN)
OF_ID, OF_TIME = int(Reason.ID), int(Reason.TIME)
TOMBSTONE, TOO_LARGE = int(Reason.TOMBSTONE), int(Reason.TOO_LARGE)
TOO_SHORT, BAD_MAGIC = int(Reason.TOO_SHORT), int(Reason.BAD_MAGIC)
UNKNOWN, LEFT = int(Status.UNKNOWN), int(Status.LEFT)
MISSING_ID, BAD_LOGICAL = int(Fault.MISSING_ID), int(Fault.BAD_LOGICAL_VALUE)
MISSING, WRONG_TYPE = int(Fault.MISSING_FEATURE), int(Fault.WRONG_TYPE)
WRONG_SHAPE, NON_FINITE = int(Fault.WRONG_SHAPE), int(Fault.NON_FINITE)
UNSEEN, OUT_OF_RANGE = int(Fault.UNSEEN_CATEGORY), int(Fault.OUT_OF_RANGE)
KIND_NULL, KIND_VALUE = int(Kind.NULL), int(Kind.VALUE)
KIND_UNSEEN = int(Kind.UNSEEN)
FLOAT32, FLOAT64, INT64 = int(Cell.FLOAT32), int(Cell.FLOAT64), int(Cell.INT64)
BOOL, UINT8, TEXT = int(Cell.BOOL), int(Cell.UINT8), int(Cell.TEXT)

NOTHING, REAL, WHOLE, CODE, NULL, TEXT_PLACE, RAW, SKIPPED = range(8)
"""What an instruction brought for its column."""
