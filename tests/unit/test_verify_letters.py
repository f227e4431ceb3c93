"""The verifier's own reading of dead letters against those that the product makes.

Neither shares a line with the other: whatever the product does to a record is right, and whatever
else is done to it is found.
"""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stream_app.core.columns import Header
from stream_app.core.faults import Fault
from stream_app.verify.letters import Record, letter_difference
from tests.unit.test_dead_letters import bury

LEAST_LIMIT = 16_384
TIME_MS = 1_600_000_000_123
NAMES = st.sampled_from(["trace", "err.attempt", "err.code", "__connect.errors.topic", "b", ""])
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=9_000)), max_size=4)
BYTES = st.none() | st.binary(max_size=20) | st.integers(1, 40_000).map(lambda n: b"x" * n)
FAULTS = st.sampled_from([fault for fault in Fault if fault is not Fault.NONE])


def made(
    key: bytes | None, value: bytes | None, headers: list[Header], fault: Fault
) -> tuple[Record, Record]:
    """A record, and the letter that the product makes of it."""
    letters = bury(key, value, headers, limit=LEAST_LIMIT, fault=fault)
    told = list(letters.headers[0])
    record = Record(key, value, headers, TIME_MS)
    return record, Record(letters.keys[0], letters.values[0], told, int(letters.timestamp_ms[0]))


@given(key=BYTES, value=BYTES, headers=HEADERS, fault=FAULTS)
def test_whatever_the_product_buries_is_the_record(
    key: bytes | None, value: bytes | None, headers: list[Header], fault: Fault
) -> None:
    record, letter = made(key, value, headers, fault)
    assert letter_difference(letter, record) is None


CHANGES: list[Callable[[Record], Record]] = [
    lambda r: replace(r, value=b"?" + (r.value or b"")),
    lambda r: replace(r, key=b"?" + (r.key or b"")),
    lambda r: replace(r, headers=[("more", b"1"), *r.headers]),
    lambda r: replace(r, timestamp_ms=r.timestamp_ms + 1),
]


@given(key=BYTES, value=BYTES, headers=HEADERS, change=st.sampled_from(CHANGES))
def test_a_letter_of_another_record_is_not_this_ones(
    key: bytes | None,
    value: bytes | None,
    headers: list[Header],
    change: Callable[[Record], Record],
) -> None:
    record, letter = made(key, value, headers, Fault.DECODE_ERROR)
    assert letter_difference(letter, change(record)) is not None
    if not any(name.startswith("err.truncated") for name, _ in letter.headers):
        assert letter_difference(change(letter), record) is not None
