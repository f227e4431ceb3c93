"""The compiled decoder: one walk over each value of a batch, told by its schema's program.

Decides each row's fault as ``wire.py`` (bytes), ``identity.py`` (id and time) and ``cells.py``
(columns) do, in their order: bytes first, then id, time, and features as the contract has them.
Refuses to make a Python object; it needs no interpreter's lock. A row never sees another's bytes.
"""

import numpy as np

from stream_app.core.avro.framing import CONFLUENT_BYTES, SINGLE_OBJECT_BYTES
from stream_app.core.avro.kernels.columns import (
    LEFT,
    code_of,
    kind_of,
    raw_bytes,
    read_decimal,
    read_double,
    read_single,
    read_text,
    sized,
    take_raw,
)
from stream_app.core.avro.kernels.varints import (
    is_utf8,
    is_uuid,
    put_decimal,
    put_uuid,
    read_int,
    read_long,
    read_span,
)
from stream_app.core.avro.memory import (
    CATEGORIES,
    CELL,
    FILL,
    FIRST,
    MASK,
    NO_PROGRAM,
    NUMBER,
    PLACE,
    PREFIXED,
    REASON,
    REFUSE_NON_FINITE,
    REFUSE_NULL,
    REFUSE_UNSEEN,
    REFUSES,
    SECTION,
    SLOTS,
    SPAN,
    STRIDE,
    UNREAD,
    Columns,
    Decoded,
    Programs,
    Values,
)
from stream_app.core.avro.opcodes import Cell, Op, Reason, Status
from stream_app.core.avro.plan import MAX_TIME_MS, MIN_TIME_MS
from stream_app.core.avro.program import MAX_LOOPS
from stream_app.core.columns import NO_TIMESTAMP, Kind
from stream_app.core.faults import Fault
from stream_app.core.jit import kernel

# Machine code holds these as constants; members of an enum it would look up.
_END, _BOOLEAN = int(Op.END), int(Op.BOOLEAN)
_INT, _LONG, _FIXED = int(Op.INT), int(Op.LONG), int(Op.FIXED)
_BYTES, _STRING, _ENUM = int(Op.BYTES), int(Op.STRING), int(Op.ENUM)
_UNION, _JUMP, _MARK, _BACK = int(Op.UNION), int(Op.JUMP), int(Op.MARK), int(Op.BACK)
_BLOCKS, _NEXT, _ARRAY, _ITEM = int(Op.BLOCKS), int(Op.NEXT), int(Op.ARRAY), int(Op.ITEM)
_TAKE_BOOLEAN, _TAKE_INT, _TAKE_LONG = int(Op.TAKE_BOOLEAN), int(Op.TAKE_INT), int(Op.TAKE_LONG)
_TAKE_FLOAT, _TAKE_DOUBLE = int(Op.TAKE_FLOAT), int(Op.TAKE_DOUBLE)
_TAKE_ENUM, _TAKE_CATEGORY = int(Op.TAKE_ENUM), int(Op.TAKE_CATEGORY)
_TAKE_DECIMAL, _TAKE_RAW = int(Op.TAKE_DECIMAL), int(Op.TAKE_RAW)
_TAKE_TEXT, _TAKE_SYMBOL = int(Op.TAKE_TEXT), int(Op.TAKE_SYMBOL)
_OP_NULL, _NULL_ROW = int(Op.NULL), int(Op.NULL_ROW)
_OP_WRONG_TYPE, _OP_WRONG_SHAPE = int(Op.WRONG_TYPE), int(Op.WRONG_SHAPE)
_ID_STRING, _ID_BYTES, _ID_INT = int(Op.ID_STRING), int(Op.ID_BYTES), int(Op.ID_INT)
_ID_LONG, _ID_UUID, _ID_NULL = int(Op.ID_LONG), int(Op.ID_UUID), int(Op.ID_NULL)
_TIME, _TIME_NULL = int(Op.TIME), int(Op.TIME_NULL)

_NONE, _CUT, _NO_BOOLEAN = int(Reason.NONE), int(Reason.CUT), int(Reason.NO_BOOLEAN)
_NO_SYMBOL, _NO_BRANCH = int(Reason.NO_SYMBOL), int(Reason.NO_BRANCH)
_NO_UTF8, _NEGATIVE_BLOCK = int(Reason.NO_UTF8), int(Reason.NEGATIVE_BLOCK)
_TRAILING, _OF_COLUMN = int(Reason.TRAILING), int(Reason.COLUMN)
_OF_ID, _OF_TIME = int(Reason.ID), int(Reason.TIME)
_TOMBSTONE, _TOO_LARGE = int(Reason.TOMBSTONE), int(Reason.TOO_LARGE)
_TOO_SHORT, _BAD_MAGIC = int(Reason.TOO_SHORT), int(Reason.BAD_MAGIC)
_UNKNOWN, _LEFT = int(Status.UNKNOWN), int(Status.LEFT)
_MISSING_ID, _BAD_LOGICAL = int(Fault.MISSING_ID), int(Fault.BAD_LOGICAL_VALUE)
_MISSING, _WRONG_TYPE = int(Fault.MISSING_FEATURE), int(Fault.WRONG_TYPE)
_WRONG_SHAPE, _NON_FINITE = int(Fault.WRONG_SHAPE), int(Fault.NON_FINITE)
_UNSEEN, _OUT_OF_RANGE = int(Fault.UNSEEN_CATEGORY), int(Fault.OUT_OF_RANGE)
_KIND_NULL, _KIND_VALUE = int(Kind.NULL), int(Kind.VALUE)
_KIND_UNSEEN = int(Kind.UNSEEN)
_FLOAT32, _FLOAT64, _INT64 = int(Cell.FLOAT32), int(Cell.FLOAT64), int(Cell.INT64)
_BOOL, _UINT8, _TEXT = int(Cell.BOOL), int(Cell.UINT8), int(Cell.TEXT)

_NOTHING, _REAL, _WHOLE, _CODE, _NULL, _TEXT_PLACE, _RAW, _SKIPPED = range(8)
"""What an instruction brought for its column."""

_NO_RANK = 1 << 30
_ID_RANK, _TIME_RANK, _FIRST_RANK = 0, 1, 2
_LARGEST = (1 << 63) - 1


def _faults_of_reasons():
    faults = np.full(max(Reason) + 1, int(Fault.DECODE_ERROR), dtype=np.uint16)
    for reason in (Reason.OVER_32_BITS, Reason.OVER_64_BITS, Reason.NO_BOOLEAN):
        faults[reason] = Fault.OUT_OF_RANGE
    for reason, fault in (
        (Reason.NONE, Fault.NONE),
        (Reason.NO_SYMBOL, Fault.BAD_ENUM),
        (Reason.TRAILING, Fault.TRAILING_BYTES),
        (Reason.TOMBSTONE, Fault.TOMBSTONE),
        (Reason.TOO_LARGE, Fault.TOO_LARGE),
        (Reason.TOO_SHORT, Fault.TOO_SHORT),
        (Reason.BAD_MAGIC, Fault.BAD_MAGIC),
    ):
        faults[reason] = fault
    return faults


FAULT_OF_REASON = _faults_of_reasons()


@kernel
def decode_rows(
    values: Values, programs: Programs, columns: Columns, out: Decoded
) -> tuple[int, int]:
    """Decode every row of a batch.

    One function, since a call that is given arrays costs as much as several instructions; and no
    group's array is looked up within the loop, since that counts its users.

    Args:
        values: ``memory.Values``.
        programs: ``memory.Programs``.
        columns: ``memory.Columns``.
        out: ``memory.Decoded``; filled.

    Returns:
        Rows with a fault, and rows with a status other than ``DECODED``.
    """
    data, offsets, nulls, given, framing, max_bytes = values
    keys, entries, ops, jumps, codes = programs
    of_columns, fills, slots, names, names_ends = columns
    float32, float64, int64, uint8, text_ends, kinds, times = out[:7]
    ids, id_ends, id_nulls, program, faults, status, about = out[7:]
    rows = len(offsets) - 1
    bases = _bases(of_columns, rows)
    bits = np.zeros(1, dtype=np.uint64)
    single, double = bits.view(np.float32), bits.view(np.float64)
    # Of each array or map that is open: items left in the block, items seen; and the marks.
    remaining = np.zeros(MAX_LOOPS + 1, dtype=np.int64)
    seen = np.zeros(MAX_LOOPS + 1, dtype=np.int64)
    marks = np.zeros(MAX_LOOPS + 1, dtype=np.int64)
    faulty, left, recent = 0, 0, 0
    for row in range(rows):
        end = offsets[row + 1]
        at, found, reason, first, second = _framing(
            data,
            offsets[row],
            end,
            len(nulls) > 0 and nulls[row],
            np.int64(given[row]) if len(given) > 0 else PREFIXED,
            framing,
            max_bytes,
            keys,
            recent,
        )
        program[row] = found
        id_end = id_ends[row]
        has_id = False
        time_ms = np.int64(NO_TIMESTAMP)
        place, rank, row_fault, row_reason, row_status = 0, _NO_RANK, 0, _NONE, 0
        pc = np.int64(-1)
        if reason == _NONE and found >= 0:
            recent = found
            pc = entries[found]
        if reason == _NONE and pc < 0:
            row_status = _UNKNOWN if found == NO_PROGRAM else _LEFT
        begin = at
        depth, arrays, marked, cursor = 0, 0, 0, 0
        while pc >= 0:
            op, a, b, column = ops[pc, 0], ops[pc, 1], ops[pc, 2], ops[pc, 3]
            here, pc = pc, pc + 1
            put, fault, own = _NOTHING, 0, _FIRST_RANK + column
            whole, number = np.int64(0), 0.0

            # -- what lies here --------------------------------------------------------------
            if op == _TAKE_DOUBLE:
                if at + 8 > end:
                    reason = _CUT
                else:
                    number = read_double(data, at, bits, double)
                    at += 8
                    put = _REAL
            elif op == _TAKE_FLOAT:
                if at + 4 > end:
                    reason = _CUT
                else:
                    number = read_single(data, at, bits, single)
                    at += 4
                    put = _REAL
            elif op == _UNION:
                whole, at, reason = read_long(data, at, end)
                if reason == _NONE:
                    if 0 <= whole < a:
                        pc = jumps[b + whole]
                    else:
                        reason = _NO_BRANCH
            elif op == _JUMP:
                pc = a
            elif op == _TAKE_LONG or op == _TAKE_INT:
                if op == _TAKE_LONG:
                    whole, at, reason = read_long(data, at, end)
                else:
                    whole, at, reason = read_int(data, at, end)
                put = _WHOLE
                if whole < a or whole > b:
                    put, fault = _SKIPPED, _BAD_LOGICAL
                elif of_columns[column, CELL] == _UINT8 and not 0 <= whole <= 255:
                    put, fault = _SKIPPED, _OUT_OF_RANGE
            elif op == _TAKE_ENUM:
                whole, at, reason = read_long(data, at, end)
                if reason == _NONE:
                    if 0 <= whole < a:
                        whole = codes[b + whole]
                        put = _CODE
                    else:
                        reason = _NO_SYMBOL
            elif op == _TAKE_CATEGORY:
                start, size, reason = read_span(data, at, end)
                if reason == _NONE:
                    at = start + size
                    whole = code_of(
                        data,
                        start,
                        at,
                        slots,
                        of_columns[column, SLOTS],
                        of_columns[column, MASK],
                        names,
                        names_ends,
                    )
                    put = _CODE
                    # Every category is UTF-8 by itself.
                    if whole < 0 and not is_utf8(data, start, at):
                        reason = _NO_UTF8
            elif op == _TAKE_BOOLEAN:
                if at >= end:
                    reason = _CUT
                elif data[at] > 1:
                    reason = _NO_BOOLEAN
                else:
                    whole = np.int64(data[at])
                    at += 1
                    put = _WHOLE
            elif op == _OP_NULL or op == _NULL_ROW:
                put = _NULL
            elif _ID_STRING <= op <= _ID_NULL:
                at, reason, fault, id_end = _take_id(op, a, data, at, end, ids, id_ends[row])
                has_id, own = True, _ID_RANK
            elif op == _TIME or op == _TIME_NULL:
                at, reason, fault, time_ms = _take_time(op, a, data, at, end)
                own = _TIME_RANK
            elif op == _END:
                pc = np.int64(-1)
                if at != end:
                    first, second = end - at, at - begin
                    reason = _TRAILING
            elif op == _TAKE_TEXT:
                whole, at, reason, fault = read_text(a, b, data, at, end)
                put, number = _TEXT_PLACE, 0.0
            elif op == _TAKE_SYMBOL:
                whole, at, reason = read_long(data, at, end)
                if reason == _NONE:
                    if 0 <= whole < a:
                        whole = -2 - (b + whole)
                        put = _TEXT_PLACE
                    else:
                        reason = _NO_SYMBOL
            elif op == _TAKE_DECIMAL:
                number, at, reason, fault = read_decimal(a, b, data, at, end)
                put = _REAL if fault == 0 else _SKIPPED
            elif op == _TAKE_RAW:
                whole, size, reason = sized(a, data, at, end)
                if reason == _NONE:
                    at = whole + size
                    span, cell = of_columns[column, SPAN], of_columns[column, CELL]
                    put = _RAW
                    if size != span * raw_bytes(cell):
                        put, fault = _SKIPPED, _WRONG_SHAPE
            elif op == _OP_WRONG_TYPE:
                put, fault = _SKIPPED, _WRONG_TYPE
            elif op == _OP_WRONG_SHAPE:
                put, fault = _SKIPPED, _WRONG_SHAPE
            elif op == _MARK:
                marks[marked] = at
                marked += 1
            elif op == _BACK:
                marked -= 1
                at = marks[marked]
            elif _BLOCKS <= op <= _ITEM:
                begins = op == _BLOCKS or op == _ARRAY
                body, after = (pc, a) if begins else (a, pc)
                if begins:
                    seen[depth] = 0
                    depth += 1
                    arrays += op == _ARRAY
                else:
                    remaining[depth - 1] -= 1
                    seen[depth - 1] += 1
                pc = body
                if begins or remaining[depth - 1] == 0:
                    whole, at, reason = _block(data, at, end)
                    remaining[depth - 1] = whole
                    if reason == _NONE and whole == 0:
                        depth -= 1
                        pc = after
                        if op >= _ARRAY:
                            arrays -= 1
                            cursor = cursor if arrays > 0 else 0
                            fault = 0 if seen[depth] == b else _WRONG_SHAPE
            else:
                at, reason = _pass_over(op, a, data, at, end)

            # -- into its column -------------------------------------------------------------
            if reason != _NONE:
                place = int(here)
                break
            if put != _NOTHING:
                # An element beyond the shape makes its row faulty: anything may lie there.
                span = of_columns[column, SPAN]
                where = bases[column] + row * of_columns[column, STRIDE] + min(cursor, span - 1)
                cursor = cursor + 1 if arrays > 0 else 0
                cell = of_columns[column, CELL]
                kind = _KIND_VALUE
                if put == _CODE:
                    put = _WHOLE
                    if not 0 <= whole < of_columns[column, CATEGORIES]:
                        whole, kind = of_columns[column, CATEGORIES], _KIND_UNSEEN
                        if of_columns[column, REFUSES] & REFUSE_UNSEEN:
                            fault = _UNSEEN
                if put == _REAL:
                    if cell == _FLOAT32:
                        narrow = np.float32(number)
                        float32[where] = narrow
                        number = np.float64(narrow)
                    else:
                        float64[where] = number
                    if not np.isfinite(number):
                        kind = kind_of(number)
                        if of_columns[column, REFUSES] & REFUSE_NON_FINITE:
                            fault = _NON_FINITE
                elif put == _WHOLE:
                    if cell == _FLOAT32:
                        float32[where] = np.float32(np.float64(whole))
                    elif cell == _FLOAT64:
                        float64[where] = np.float64(whole)
                    elif cell == _INT64:
                        int64[where] = whole
                    else:
                        uint8[where] = np.uint8(whole & 0xFF)
                elif put == _NULL:
                    kind = _KIND_NULL
                    if of_columns[column, REFUSES] & REFUSE_NULL:
                        fault = _MISSING
                    for index in range(where, where + (span if op == _NULL_ROW else 1)):
                        if cell == _FLOAT32:
                            float32[index] = np.float32(fills[column])
                        elif cell == _FLOAT64:
                            float64[index] = fills[column]
                        elif cell == _INT64:
                            int64[index] = of_columns[column, FILL]
                        elif cell == _TEXT:
                            int64[index] = -1
                        else:
                            uint8[index] = np.uint8(of_columns[column, FILL])
                elif put == _TEXT_PLACE:
                    int64[where] = whole
                    text_ends[where] = at
                elif put == _RAW:
                    fault, kind = take_raw(
                        data,
                        whole,
                        of_columns[column],
                        of_columns[column, REFUSES] & REFUSE_NON_FINITE,
                        where,
                        float32,
                        float64,
                        int64,
                        uint8,
                        bits,
                        (single, double),
                    )
                if kind > kinds[row, column]:
                    kinds[row, column] = kind

            # -- what is wrong with it -------------------------------------------------------
            if fault == LEFT:
                row_status = _LEFT
            elif fault != 0 and (own < rank or (own == rank and fault == _WRONG_SHAPE)):
                # An earlier field's fault stays; an array's shape comes before its elements.
                rank, row_fault = own, fault

        if reason != _NONE:
            row_fault, row_reason, row_status = FAULT_OF_REASON[reason], reason, 0
        elif row_status != 0:
            row_fault = 0
        elif row_fault != 0:
            row_reason = (
                _OF_ID if rank == _ID_RANK else _OF_TIME if rank == _TIME_RANK else _OF_COLUMN
            )
            place = rank - _FIRST_RANK
        if reason != _NONE or row_status != 0:
            # Such a row has no id, no time and no kinds.
            id_end, has_id, time_ms = id_ends[row], False, np.int64(NO_TIMESTAMP)
            for index in range(kinds.shape[1]):
                kinds[row, index] = _KIND_VALUE
        if row_fault != 0:
            about[row, REASON] = row_reason
            about[row, PLACE] = place
            about[row, NUMBER] = first
            about[row, NUMBER + 1] = second
            faulty += 1
        left += row_status != 0
        faults[row] = row_fault
        status[row] = row_status
        times[row] = time_ms
        id_ends[row + 1] = id_end
        id_nulls[row] = not has_id
    return faulty, left


@kernel
def _bases(columns, rows):
    """Where each column's first row begins, in elements of its type.

    Tensors lie one behind the other, each with rows in eights, so that all are aligned.
    """
    padded = (rows + 7) // 8 * 8
    bases = np.empty(len(columns), dtype=np.int64)
    for column in range(len(bases)):
        cell = columns[column, CELL]
        size = 4 if cell == _FLOAT32 else 1 if cell in (_BOOL, _UINT8) else 8
        bases[column] = padded * columns[column, SECTION] // size + columns[column, FIRST]
    return bases


@kernel
def _framing(data, begin, end, is_null, given, framing, max_bytes, keys, recent):
    """Where the value begins, which program it is for, what is wrong, and two numbers to say so."""
    size = end - begin
    if given == UNREAD:
        return begin, UNREAD, _NONE, size, 0
    if is_null:
        return begin, NO_PROGRAM, _TOMBSTONE, size, 0
    if size > max_bytes:
        return begin, NO_PROGRAM, _TOO_LARGE, size, 0
    if given >= 0:
        return begin, given, _NONE, size, 0
    if size <= framing:
        return begin, NO_PROGRAM, _TOO_SHORT, size, 0
    key = np.int64(0)
    if framing == CONFLUENT_BYTES:
        wrong = data[begin] != 0
        for index in range(1, CONFLUENT_BYTES):
            key = (key << 8) | np.int64(data[begin + index])
    else:
        wrong = data[begin] != 0xC3 or data[begin + 1] != 0x01
        for index in range(2, SINGLE_OBJECT_BYTES):
            key = (key << 8) | np.int64(data[begin + index])
    if wrong:
        return begin, NO_PROGRAM, _BAD_MAGIC, np.int64(data[begin]), np.int64(data[begin + 1])
    if recent < len(keys) and keys[recent] == key:
        return begin + framing, recent, _NONE, size, 0
    for index in range(len(keys)):
        if keys[index] == key:
            return begin + framing, index, _NONE, size, 0
    return begin, NO_PROGRAM, _NONE, size, 0


@kernel
def _take_id(op, is_uuid_text, data, at, end, ids, into):
    """The event's id as text; answers where it ends, a reason, a fault and where its text ends."""
    if op in (_ID_INT, _ID_LONG):
        number, after, reason = (
            read_int(data, at, end) if op == _ID_INT else read_long(data, at, end)
        )
        if reason != _NONE:
            return at, reason, 0, into
        return after, _NONE, 0, put_decimal(number, ids, into)
    if op == _ID_NULL:
        return at, _NONE, _MISSING_ID, into
    if op == _ID_UUID:
        if at + 16 > end:
            return at, _CUT, 0, into
        return at + 16, _NONE, 0, put_uuid(data, at, ids, into)
    begin, size, reason = read_span(data, at, end)
    if reason != _NONE:
        return at, reason, 0, into
    after = begin + size
    if not is_utf8(data, begin, after):
        if op == _ID_STRING:
            return at, _NO_UTF8, 0, into
        return after, _NONE, _WRONG_TYPE, into
    if size == 0:
        return after, _NONE, _MISSING_ID, into
    if is_uuid_text and not is_uuid(data, begin, after):
        return after, _NONE, _BAD_LOGICAL, into
    for index in range(size):
        ids[into + index] = data[begin + index]
    return after, _NONE, 0, into + size


@kernel
def _take_time(op, units_per_ms, data, at, end):
    """The event's time in milliseconds, behind where it ends, a reason and a fault."""
    if op == _TIME_NULL:
        return at, _NONE, _MISSING, np.int64(0)
    number, after, reason = read_long(data, at, end)
    if reason != _NONE:
        return at, reason, 0, np.int64(0)
    time_ms = number // units_per_ms
    if time_ms < MIN_TIME_MS or time_ms > MAX_TIME_MS:
        return after, _NONE, _BAD_LOGICAL, np.int64(0)
    return after, _NONE, 0, time_ms


@kernel
def _block(data, at, end):
    """The items in the block of an array or a map that begins here."""
    count, at, reason = read_long(data, at, end)
    if reason != _NONE or count >= 0:
        return count, at, reason
    # However many are claimed: each takes a byte, so the end of the value ends this.
    count = _LARGEST if count == -_LARGEST - 1 else -count
    size, at, reason = read_long(data, at, end)
    if reason == _NONE and size < 0:
        reason = _NEGATIVE_BLOCK
    return count, at, reason


@kernel
def _pass_over(op, size, data, at, end):
    """A value that nobody asked for; answers where it ends, and what is wrong with it."""
    if op == _FIXED:
        return (at, _CUT) if at + size > end else (at + size, _NONE)
    if op == _LONG:
        _, after, reason = read_long(data, at, end)
        return after, reason
    if op == _INT:
        _, after, reason = read_int(data, at, end)
        return after, reason
    if op in (_STRING, _BYTES):
        begin, length, reason = read_span(data, at, end)
        if reason == _NONE and op == _STRING and not is_utf8(data, begin, begin + length):
            reason = _NO_UTF8
        return begin + length, reason
    if op == _ENUM:
        index, after, reason = read_long(data, at, end)
        if reason == _NONE and not 0 <= index < size:
            reason = _NO_SYMBOL
        return after, reason
    if at >= end:
        return at, _CUT
    return at + 1, (_NO_BOOLEAN if data[at] > 1 else _NONE)
