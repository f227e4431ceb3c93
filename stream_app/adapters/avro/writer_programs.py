"""Writer schemas, looked up, judged and made ready to read by: what all decoders share.

Decides how long a batch waits for schemas that nobody has seen yet, how many are kept, and what is
logged of each. Refuses to read a value.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import fastavro
import structlog

from stream_app.core.avro.canonical import canonical_form
from stream_app.core.avro.framing import SchemaKey, key_name
from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.plan import Plan
from stream_app.core.avro.resolve import resolve
from stream_app.core.avro.store import NotYetKnownError, SchemaStore, WriterSchema
from stream_app.core.avro.wire import Walk
from stream_app.core.contract import Contract
from stream_app.core.faults import Fault
from stream_app.core.metrics import WRITER_SCHEMAS
from stream_app.errors import RetriableError
from stream_app.ports import Clock, Telemetry

log = structlog.get_logger()

MAX_PROGRAMS: Final = 1_000
MAX_LOADING_S: Final = 5.0
"""One call asks the store for new schemas no longer than this: the loop must turn."""


@dataclass(frozen=True, slots=True)
class WriterProgram:
    """All that is needed to read the rows of one writer schema.

    Attributes:
        plan: For any decoder.
        walk: The strict walk over a value.
        parsed: fastavro's form of the schema, logical types left out.
    """

    plan: Plan
    walk: Walk
    parsed: Any


class WriterPrograms:
    """By schema key, those used last."""

    def __init__(
        self, contract: Contract, store: SchemaStore, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._contract = contract
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._programs: OrderedDict[SchemaKey, WriterProgram | Rejection] = OrderedDict()

    def load(self, keys: Iterable[SchemaKey]) -> dict[SchemaKey, WriterProgram | Rejection]:
        """The programs of all ``keys``.

        Every key is asked for before an unknown one is reported, so that their patience runs at
        the same time.

        Raises:
            RetriableError: the store cannot be asked now, or has many still to fetch.
            NotYetKnownError: a schema may be published any moment.
        """
        deadline_s = self._clock.now_s() + MAX_LOADING_S
        programs: dict[SchemaKey, WriterProgram | Rejection] = {}
        not_yet: NotYetKnownError | None = None
        for key in keys:
            cached = self._programs.get(key)
            if cached is not None:
                self._programs.move_to_end(key)
                programs[key] = cached
            elif self._clock.now_s() > deadline_s:
                raise RetriableError(
                    f"new writer schemas are still being fetched after {MAX_LOADING_S:g} s; those "
                    "that came are kept, the batch is tried again"
                )
            else:
                try:
                    programs[key] = self._ask(key)
                except NotYetKnownError as exc:
                    not_yet = exc
        if not_yet is not None:
            raise not_yet
        return programs

    def _ask(self, key: SchemaKey) -> WriterProgram | Rejection:
        answer = self._store.get(key)
        if isinstance(answer, Rejection):
            return answer  # the store remembers it for as long as it is true
        program = self._compile(answer)
        if isinstance(program, Rejection):
            log.error(
                "writer_schema_rejected",
                schema=key_name(key),
                fault=program.fault.name,
                detail=program.detail,
            )
        else:
            log.info("writer_schema_read", schema=key_name(key), record=program.plan.schema.name)
        self._programs[key] = program
        if len(self._programs) > MAX_PROGRAMS:
            self._programs.popitem(last=False)
        self._telemetry.gauge(WRITER_SCHEMAS, len(self._programs))
        return program

    def _compile(self, writer: WriterSchema) -> WriterProgram | Rejection:
        schema = admit(writer.text, writer.references)
        if isinstance(schema, Rejection):
            return schema
        plan = resolve(self._contract, schema)
        if isinstance(plan, Rejection):
            return plan
        try:
            parsed = fastavro.parse_schema(json.loads(canonical_form(schema)))
        except Exception as exc:  # noqa: BLE001  # fastavro does not list what it raises
            return Rejection(
                Fault.SCHEMA_INCOMPATIBLE, f"the Avro library refuses it: {type(exc).__name__}"
            )
        return WriterProgram(plan, Walk(schema), parsed)
