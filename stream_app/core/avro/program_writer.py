"""How a program is written down: instructions one after another, places that are filled in later.

Decides the limits of a program. Refuses to know what an event is (``program.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from stream_app.core.avro.opcodes import Op
from stream_app.core.avro.schema import Schema

MAX_LOOPS: Final = 32
"""Arrays and maps inside one another, and values read more than once likewise."""
MAX_INSTRUCTIONS: Final = 1 << 16
"""A record used in many places is written out in each."""


class CannotCompileError(Exception):
    """The program would be too large, or needs what the kernel does not do; says what."""


@dataclass(slots=True)
class Program:
    """Instructions for one writer schema, with tables beside them; places count from 0.

    Attributes:
        ops: As ``opcodes.WIDTH`` says.
        jumps: Where the branches of unions begin.
        codes: Of enums' symbols.
        texts: That columns of strings may hold without reading them.
        places: Paths of fields, for messages.
    """

    ops: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    jumps: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=lambda: [""])


class ProgramWriter:
    """Writes one program."""

    def __init__(self) -> None:
        self._out = Program()
        self._loops = 0
        self._marks = 0
        self._place = 0

    def _union(self, branches: Sequence[Schema], each: Callable[[Schema], None]) -> None:
        table = len(self._out.jumps)
        self._out.jumps += [0] * len(branches)
        self._emit(Op.UNION, len(branches), table)
        ends = []
        for number, branch in enumerate(branches):
            self._out.jumps[table + number] = len(self._out.ops)
            each(branch)
            if number < len(branches) - 1:
                ends.append(len(self._out.ops))
                self._emit(Op.JUMP)
        for end in ends:
            self._patch(end, len(self._out.ops))

    def _loop(
        self, begin: Op, item: Op, body: Callable[[], None], size: int = 0, column: int = 0
    ) -> None:
        self._loops += 1
        self._limit(self._loops)
        start = len(self._out.ops)
        self._emit(begin, 0, size, column)
        body()
        self._emit(item, start + 1, size, column)
        self._patch(start, len(self._out.ops))
        self._loops -= 1

    def _emit(self, op: Op, a: int = 0, b: int = 0, column: int = 0) -> None:
        if len(self._out.ops) >= MAX_INSTRUCTIONS:
            raise CannotCompileError(f"more than {MAX_INSTRUCTIONS} instructions")
        self._out.ops.append((int(op), a, b, column, self._place))

    def _patch(self, where: int, a: int) -> None:
        op, _, b, column, place = self._out.ops[where]
        self._out.ops[where] = (op, a, b, column, place)

    def _limit(self, depth: int) -> None:
        if depth > MAX_LOOPS:
            raise CannotCompileError(f"more than {MAX_LOOPS} arrays inside one another")
