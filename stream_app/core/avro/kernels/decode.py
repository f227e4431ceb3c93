"""The compiled decoder: one walk over each value of a batch, told by its schema's program.

Decides each row's fault as ``wire.py`` (bytes), ``identity.py`` (id and time) and ``cells.py``
(columns) do, in their order: bytes first, then id, time, and features as the contract has them.
Refuses to make a Python object; it needs no interpreter's lock. A row never sees another's bytes.
"""

import numpy as np

from stream_app.core.avro.kernels import codes
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
from stream_app.core.avro.kernels.fields import (
    block,
    pass_over,
    read_framing,
    take_id,
    take_time,
)
from stream_app.core.avro.kernels.varints import (
    is_utf8,
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
    Columns,
    Decoded,
    Programs,
    Values,
)
from stream_app.core.avro.opcodes import Reason
from stream_app.core.avro.program_writer import MAX_LOOPS
from stream_app.core.columns import NO_TIMESTAMP
from stream_app.core.faults import Fault
from stream_app.core.jit import kernel

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
    keys, entries, ops, jumps, enum_codes = programs
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
        at, found, reason, first, second = read_framing(
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
        place, rank, row_fault, row_reason, row_status = 0, _NO_RANK, 0, codes.NONE, 0
        pc = np.int64(-1)
        if reason == codes.NONE and found >= 0:
            recent = found
            pc = entries[found]
        if reason == codes.NONE and pc < 0:
            row_status = codes.UNKNOWN if found == NO_PROGRAM else codes.LEFT
        begin = at
        depth, arrays, marked, cursor = 0, 0, 0, 0
        while pc >= 0:
            here, pc = np.uintp(pc), pc + 1
            op, a, b, column = ops[here, 0], ops[here, 1], ops[here, 2], ops[here, 3]
            put, fault, own = codes.NOTHING, 0, _FIRST_RANK + column
            whole, number = np.int64(0), 0.0

            # -- what lies here --------------------------------------------------------------
            if op == codes.TAKE_DOUBLE:
                if at + 8 > end:
                    reason = codes.CUT
                else:
                    number = read_double(data, at, bits, double)
                    at += 8
                    put = codes.REAL
            elif op == codes.TAKE_FLOAT:
                if at + 4 > end:
                    reason = codes.CUT
                else:
                    number = read_single(data, at, bits, single)
                    at += 4
                    put = codes.REAL
            elif op == codes.UNION:
                whole, at, reason = read_long(data, at, end)
                if reason == codes.NONE:
                    if 0 <= whole < a:
                        pc = jumps[b + whole]
                    else:
                        reason = codes.NO_BRANCH
            elif op == codes.JUMP:
                pc = a
            elif op == codes.TAKE_LONG or op == codes.TAKE_INT:
                if op == codes.TAKE_LONG:
                    whole, at, reason = read_long(data, at, end)
                else:
                    whole, at, reason = read_int(data, at, end)
                put = codes.WHOLE
                if whole < a or whole > b:
                    put, fault = codes.SKIPPED, codes.BAD_LOGICAL
                elif of_columns[column, CELL] == codes.UINT8 and not 0 <= whole <= 255:
                    put, fault = codes.SKIPPED, codes.OUT_OF_RANGE
            elif op == codes.TAKE_ENUM:
                whole, at, reason = read_long(data, at, end)
                if reason == codes.NONE:
                    if 0 <= whole < a:
                        whole = enum_codes[b + whole]
                        put = codes.CODE
                    else:
                        reason = codes.NO_SYMBOL
            elif op == codes.TAKE_CATEGORY:
                start, size, reason = read_span(data, at, end)
                if reason == codes.NONE:
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
                    put = codes.CODE
                    # Every category is UTF-8 by itself.
                    if whole < 0 and not is_utf8(data, start, at):
                        reason = codes.NO_UTF8
            elif op == codes.TAKE_BOOLEAN:
                if at >= end:
                    reason = codes.CUT
                elif data[at] > 1:
                    reason = codes.NO_BOOLEAN
                else:
                    whole = np.int64(data[at])
                    at += 1
                    put = codes.WHOLE
            elif op == codes.OP_NULL or op == codes.NULL_ROW:
                put = codes.NULL
            elif codes.ID_STRING <= op <= codes.ID_NULL:
                at, reason, fault, id_end = take_id(op, a, data, at, end, ids, id_ends[row])
                has_id, own = True, _ID_RANK
            elif op == codes.TIME or op == codes.TIME_NULL:
                at, reason, fault, time_ms = take_time(op, a, data, at, end)
                own = _TIME_RANK
            elif op == codes.END:
                pc = np.int64(-1)
                if at != end:
                    first, second = end - at, at - begin
                    reason = codes.TRAILING
            elif op == codes.TAKE_TEXT:
                whole, at, reason, fault = read_text(a, b, data, at, end)
                put, number = codes.TEXT_PLACE, 0.0
            elif op == codes.TAKE_SYMBOL:
                whole, at, reason = read_long(data, at, end)
                if reason == codes.NONE:
                    if 0 <= whole < a:
                        whole = -2 - (b + whole)
                        put = codes.TEXT_PLACE
                    else:
                        reason = codes.NO_SYMBOL
            elif op == codes.TAKE_DECIMAL:
                number, at, reason, fault = read_decimal(a, b, data, at, end)
                put = codes.REAL if fault == 0 else codes.SKIPPED
            elif op == codes.TAKE_RAW:
                whole, size, reason = sized(a, data, at, end)
                if reason == codes.NONE:
                    at = whole + size
                    span, cell = of_columns[column, SPAN], of_columns[column, CELL]
                    put = codes.RAW
                    if size != span * raw_bytes(cell):
                        put, fault = codes.SKIPPED, codes.WRONG_SHAPE
            elif op == codes.OP_WRONG_TYPE:
                put, fault = codes.SKIPPED, codes.WRONG_TYPE
            elif op == codes.OP_WRONG_SHAPE:
                put, fault = codes.SKIPPED, codes.WRONG_SHAPE
            elif op == codes.MARK:
                marks[marked] = at
                marked += 1
            elif op == codes.BACK:
                marked -= 1
                at = marks[marked]
            elif codes.BLOCKS <= op <= codes.ITEM:
                begins = op == codes.BLOCKS or op == codes.ARRAY
                body, after = (pc, a) if begins else (a, pc)
                if begins:
                    seen[depth] = 0
                    depth += 1
                    arrays += op == codes.ARRAY
                else:
                    remaining[depth - 1] -= 1
                    seen[depth - 1] += 1
                pc = body
                if begins or remaining[depth - 1] == 0:
                    whole, at, reason = block(data, at, end)
                    remaining[depth - 1] = whole
                    if reason == codes.NONE and whole == 0:
                        depth -= 1
                        pc = after
                        if op >= codes.ARRAY:
                            arrays -= 1
                            cursor = cursor if arrays > 0 else 0
                            fault = 0 if seen[depth] == b else codes.WRONG_SHAPE
            else:
                at, reason = pass_over(op, a, data, at, end)

            # -- into its column -------------------------------------------------------------
            if reason != codes.NONE:
                place = int(here)
                break
            if put != codes.NOTHING:
                # An element beyond the shape makes its row faulty: anything may lie there.
                of = np.uintp(column)
                span = of_columns[of, SPAN]
                first_cell = bases[of] + row * of_columns[of, STRIDE] + min(cursor, span - 1)
                where = np.uintp(first_cell)
                cursor = cursor + 1 if arrays > 0 else 0
                cell = of_columns[of, CELL]
                kind = codes.KIND_VALUE
                if put == codes.CODE:
                    put = codes.WHOLE
                    if not 0 <= whole < of_columns[of, CATEGORIES]:
                        whole, kind = of_columns[of, CATEGORIES], codes.KIND_UNSEEN
                        if of_columns[of, REFUSES] & REFUSE_UNSEEN:
                            fault = codes.UNSEEN
                if put == codes.REAL:
                    if cell == codes.FLOAT32:
                        narrow = np.float32(number)
                        float32[where] = narrow
                        number = np.float64(narrow)
                    else:
                        float64[where] = number
                    if not np.isfinite(number):
                        kind = kind_of(number)
                        if of_columns[of, REFUSES] & REFUSE_NON_FINITE:
                            fault = codes.NON_FINITE
                elif put == codes.WHOLE:
                    if cell == codes.FLOAT32:
                        float32[where] = np.float32(np.float64(whole))
                    elif cell == codes.FLOAT64:
                        float64[where] = np.float64(whole)
                    elif cell == codes.INT64:
                        int64[where] = whole
                    else:
                        uint8[where] = np.uint8(whole & 0xFF)
                elif put == codes.NULL:
                    kind = codes.KIND_NULL
                    if of_columns[of, REFUSES] & REFUSE_NULL:
                        fault = codes.MISSING
                    for index in range(span if op == codes.NULL_ROW else 1):
                        where = np.uintp(first_cell + index)
                        if cell == codes.FLOAT32:
                            float32[where] = np.float32(fills[of])
                        elif cell == codes.FLOAT64:
                            float64[where] = fills[of]
                        elif cell == codes.INT64:
                            int64[where] = of_columns[of, FILL]
                        elif cell == codes.TEXT:
                            int64[where] = -1
                        else:
                            uint8[where] = np.uint8(of_columns[of, FILL])
                elif put == codes.TEXT_PLACE:
                    int64[where] = whole
                    text_ends[where] = at
                elif put == codes.RAW:
                    fault, kind = take_raw(
                        data,
                        whole,
                        of_columns[of],
                        of_columns[of, REFUSES] & REFUSE_NON_FINITE,
                        first_cell,
                        float32,
                        float64,
                        int64,
                        uint8,
                        bits,
                        (single, double),
                    )
                if kind > kinds[np.uintp(row), of]:
                    kinds[np.uintp(row), of] = kind

            # -- what is wrong with it -------------------------------------------------------
            if fault == LEFT:
                row_status = codes.LEFT
            elif fault != 0 and (own < rank or (own == rank and fault == codes.WRONG_SHAPE)):
                # An earlier field's fault stays; an array's shape comes before its elements.
                rank, row_fault = own, fault

        if reason != codes.NONE:
            row_fault, row_reason, row_status = FAULT_OF_REASON[reason], reason, 0
        elif row_status != 0:
            row_fault = 0
        elif row_fault != 0:
            row_reason = codes.OF_COLUMN
            if rank < _FIRST_RANK:
                row_reason = codes.OF_ID if rank == _ID_RANK else codes.OF_TIME
            place = rank - _FIRST_RANK
        if reason != codes.NONE or row_status != 0:
            # Such a row has no id, no time and no kinds.
            id_end, has_id, time_ms = id_ends[row], False, np.int64(NO_TIMESTAMP)
            for index in range(kinds.shape[1]):
                kinds[row, index] = codes.KIND_VALUE
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
        size = 4 if cell == codes.FLOAT32 else 1 if cell in (codes.BOOL, codes.UINT8) else 8
        bases[column] = padded * columns[column, SECTION] // size + columns[column, FIRST]
    return bases
