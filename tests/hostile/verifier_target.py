"""What the fuzzer does to the verifier's own readers: the schemas and the values of the others.

Decides the laws: a schema, or an event, is read or refused in the verifier's own words; and where
it and the scorer both are certain, they agree which events can be scored. They share no code, so
that a mistake of one is seen by the other.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from stream_app.core.avro.store import WriterSchema
from stream_app.core.contract import Contract, Encoding, Feature, InputTensor, OnNonFinite, OnNull
from stream_app.verify import contract as understood
from stream_app.verify.event import Event, EventPlan, tensors
from stream_app.verify.refused import RefusedError
from stream_app.verify.schema import parse
from tests.avro_kit import MemoryStore, batch, confluent, contract_of
from tests.decoders import DECODERS
from tests.hostile.record_targets import SchemaTarget, ValueTarget
from tests.hostile.the_path import PREDICTION, BrokenLawError, ThePath

REFUSED = "refused"
_PAYLOADS = (b"\x02a", bytes(30), b"\x02a\x00" + b"\xff" * 9)


@dataclass(frozen=True)
class Case:
    """An event: its writer's schema, and the contract that it is read for."""

    text: str
    contract: Contract
    value: bytes


class VerifierTarget:
    """Of one kind a batch: damaged values of one schema, or damaged schemas."""

    name = "verifier"
    batch = 300

    def __init__(self) -> None:
        self._schemas, self._values = SchemaTarget(), ValueTarget()
        absent = Feature("absent", on_null=OnNull.NAN)
        self._any = contract_of(absent, record_names=())

    def cases(self, chance: Random) -> Sequence[Case]:
        """Those of the other two targets."""
        if chance.random() < 0.3:
            texts = self._schemas.cases(chance)
            return [Case(text, self._any, data) for text in texts for data in _PAYLOADS]
        pairs = self._values.cases(chance)[: self.batch]
        return [Case(json.dumps(w.document), w.contract, data) for w, data in pairs]

    def run(self, cases: Sequence[Case]) -> Counter[str]:
        """How many were read; values are held against the scorer too."""
        found: Counter[str] = Counter()
        for case in cases:
            answer = read(case)
            found[REFUSED if isinstance(answer, RefusedError) else "read"] += 1
        one = cases[0]
        if all(case.text == one.text and case.contract == one.contract for case in cases):
            _compare(cases)
        return found


def read(case: Case) -> Event | RefusedError:
    """The event, with the model's input made of it too."""
    contract = _understood(case.contract)
    try:
        document = json.loads(case.text)
    except (ValueError, RecursionError):
        return RefusedError("no JSON: the registry's client refuses it before", certain=False)
    try:
        event = EventPlan(contract, parse([document])).read(case.value, 0)
    except RefusedError as refused:
        return refused
    tensors(contract, [event])
    return event


def _compare(cases: Sequence[Case]) -> None:
    one = cases[0]
    store = MemoryStore({1: WriterSchema(one.text)})
    path = ThePath(DECODERS["fastavro"], one.contract, store)
    codes = path.outcomes(batch([confluent(1, case.value) for case in cases])).codes
    for case, code in zip(cases, codes, strict=True):
        answer = read(case)
        if isinstance(answer, RefusedError):
            if answer.certain and code == PREDICTION:
                raise BrokenLawError(f"the verifier refuses what was scored: {answer}")
        elif code not in {PREDICTION, "NON_FINITE_OUTPUT"}:
            raise BrokenLawError(f"the verifier reads what became {code}")


def _understood(contract: Contract) -> understood.Contract:
    """The contract in the verifier's words, as it reads it from the file."""
    return understood.Contract(
        records=frozenset(contract.record_names),
        id=tuple(contract.id_field.split(".")),
        time=tuple(contract.time_field.split(".")) if contract.time_field else None,
        inputs=tuple(map(_input, contract.inputs)),
        outputs=(understood.Bound("scores", "y", None),),
        keeps_non_finite_outputs=contract.on_non_finite_output is OnNonFinite.KEEP,
    )


def _input(tensor: InputTensor) -> understood.Input:
    features = tuple(map(_feature, tensor.features))
    return understood.Input(tensor.name, tensor.dtype.value, tensor.shape, features)


def _feature(feature: Feature) -> understood.Feature:
    return understood.Feature(
        paths=tuple(tuple(name.split(".")) for name in (feature.field, *feature.aliases)),
        categories=feature.categories,
        on_null=feature.on_null.value,
        default=feature.default,
        on_unseen=feature.on_unseen.value,
        keeps_non_finite=feature.on_non_finite is OnNonFinite.KEEP,
        shape=feature.shape,
        is_raw=feature.encoding is Encoding.RAW,
    )
