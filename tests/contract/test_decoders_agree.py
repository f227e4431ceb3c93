"""The compiled decoder says what the reference decoder says, of whatever bytes and schemas."""

import json
from random import Random

import pytest

from stream_app.core.avro.gates import Rejection, admit
from stream_app.core.avro.program import compile_program
from stream_app.core.avro.program_writer import CannotCompileError
from stream_app.core.avro.resolve import resolve
from stream_app.core.avro.store import WriterSchema
from stream_app.core.columns import EventBatch
from stream_app.settings import Framing
from tests.avro_kit import MemoryStore, batch, confluent
from tests.decoders import DECODERS, assert_agree
from tests.hostile.mutate import damaged
from tests.hostile.record_targets import Writer

SCHEMAS = 2_000
"""Random ones, with values of each: two thirds of them damaged."""

ROWS = 24


def records_of(chance: Random, writer: Writer) -> list[bytes]:
    return [
        damaged(chance, chance.choice(writer.values), writer.values)
        if chance.random() < 0.66
        else bytes(chance.choice(writer.values).data)
        for _ in range(ROWS)
    ]


def decoded(name: str, writer: Writer, payloads: list[bytes]) -> EventBatch:
    store = MemoryStore({1: WriterSchema(json.dumps(writer.document))})
    decoder = DECODERS[name](writer.contract, store, Framing.CONFLUENT)
    return decoder.decode(batch([confluent(1, payload) for payload in payloads]))


@pytest.mark.parametrize("part", range(8))
def test_random_schemas_values_and_damage_are_read_alike(part: int) -> None:
    outcomes = {True: 0, False: 0}
    for seed in range(part, SCHEMAS, 8):
        chance = Random(seed)
        writer = Writer.at_random(chance)
        payloads = records_of(chance, writer)
        expected = decoded("fastavro", writer, payloads)
        try:
            assert_agree(decoded("compiled", writer, payloads), expected)
        except Exception as exc:
            raise AssertionError(f"seed {seed}: {json.dumps(writer.document)}") from exc
        for fault in expected.fault.tolist():
            outcomes[fault == 0] += 1
    assert min(outcomes.values()) > SCHEMAS * ROWS / 8 / 10, outcomes


def test_few_of_all_schemas_fall_back() -> None:
    reasons = []
    for seed in range(SCHEMAS):
        writer = Writer.at_random(Random(seed))
        tree = admit(json.dumps(writer.document))
        assert not isinstance(tree, Rejection)
        plan = resolve(writer.contract, tree)
        if isinstance(plan, Rejection):
            continue
        try:
            compile_program(plan)
        except CannotCompileError as exc:
            reasons.append(str(exc))
    assert set(reasons) <= {"a decimal of more than 18 digits"}
    assert len(reasons) < SCHEMAS / 20, len(reasons)
