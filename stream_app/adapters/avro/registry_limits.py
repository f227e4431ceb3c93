"""Bounds on what a schema registry may answer: size, time, no packing, no redirects.

Decides how much of an answer is read. The registry's client offers no setting for this, but the
HTTP session inside it has hooks; tests hold this against a server that sends too much, so that a
change of the client is seen.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

from confluent_kafka.schema_registry.common._httpx_compat import httpx

from stream_app.core.avro.gates import MAX_TEXT_BYTES

MAX_ANSWER_BYTES: Final = 4 * MAX_TEXT_BYTES
"""A schema within its gate, escaped as JSON, and what registries put beside it."""


class AnswerRefusedError(Exception):
    """An answer is larger, or takes longer, than that of any schema would."""


class _BoundedStream(httpx.SyncByteStream):  # type: ignore[misc]  # the client has no types
    """An answer's body that ends in an error beyond a size or a time."""

    def __init__(self, body: Any, limit_s: float) -> None:
        self._body = body
        self._limit_s = limit_s

    def __iter__(self) -> Iterator[bytes]:
        # A clock of its own: a body that drips outlasts the time-out of any single read.
        ends_s = time.monotonic() + self._limit_s
        size_bytes = 0
        for chunk in self._body:
            size_bytes += len(chunk)
            if size_bytes > MAX_ANSWER_BYTES or time.monotonic() > ends_s:
                raise AnswerRefusedError(
                    f"more than {MAX_ANSWER_BYTES} bytes, or longer than {self._limit_s:g} s"
                )
            yield chunk

    def close(self) -> None:
        self._body.close()


def bound_answers(client: Any, limit_s: float) -> None:
    """Bound every answer before ``client`` reads it into memory."""
    session = client._rest_client.session

    def bound(response: Any) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise AnswerRefusedError("packed, though that was not asked for")
        response.stream = _BoundedStream(response.stream, limit_s)

    session.headers["accept-encoding"] = "identity"
    # Schemas are asked for rarely: a kept connection would only be one to find stale, or to leak.
    session.headers["connection"] = "close"
    session.follow_redirects = False
    session.event_hooks = {"response": [bound]}
