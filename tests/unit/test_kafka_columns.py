"""Laws of the columns made from a client's messages: nothing a producer wrote stops the worker."""

from collections.abc import Sequence

from stream_app.adapters.kafka.columns import UNREADABLE_HEADERS, to_columns
from stream_app.core.columns import Header

POISON: list[Header] = []


class Message:
    """Stands for the library's, of one record with these headers, or an error instead."""

    def __init__(self, headers: Sequence[Header] | Exception | None) -> None:
        self._headers = headers

    def headers(self) -> Sequence[Header] | None:
        if isinstance(self._headers, Exception):
            # As the library does: it raises once, and has kept what must not be touched.
            raised, self._headers = self._headers, POISON
            raise raised
        assert self._headers is not POISON, "asked twice"
        return self._headers

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return b"value"

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return 1, 5


def test_only_rows_with_headers_have_some() -> None:
    batch = to_columns("in", [Message(None), Message([("a", b"1"), ("a", None)]), Message([])])
    assert batch.headers == {1: (("a", b"1"), ("a", None))}


def test_headers_that_the_client_cannot_read_cost_the_headers_and_not_the_worker() -> None:
    batch = to_columns("in", [Message(SystemError("result with an exception set"))])
    assert batch.values[0] == b"value"
    assert batch.headers == {0: (UNREADABLE_HEADERS,)}


def test_rows_beside_one_that_cannot_be_read_keep_their_headers() -> None:
    bad = SystemError("result with an exception set")
    some = [("a", b"1")]
    batch = to_columns("in", [Message(some), Message(bad), Message(None), Message(some)])
    assert batch.headers == {0: (("a", b"1"),), 1: (UNREADABLE_HEADERS,), 3: (("a", b"1"),)}
