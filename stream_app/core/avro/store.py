"""Where writer schemas come from: the port, and what it hands over.

Decides the duties between a decoder and a store. Refuses to know registries and folders
(``adapters/avro/schema_stores.py``).
"""

from dataclasses import dataclass
from typing import Protocol

from stream_app.core.avro.framing import SchemaKey
from stream_app.core.avro.gates import Rejection
from stream_app.errors import RetriableError


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema as its writer published it; not looked at yet, so maybe hostile.

    Attributes:
        text: The schema's JSON.
        references: Schemas whose names ``text`` uses, each after those that it uses itself.
    """

    text: str
    references: tuple[str, ...] = ()


class NotYetKnownError(RetriableError):
    """No schema is known under this key, but it may be published any moment: ask again soon."""


class SchemaStore(Protocol):
    """Writer schemas by key. What a key stands for never changes."""

    def get(self, key: SchemaKey) -> WriterSchema | Rejection:
        """The schema behind ``key``, or why its rows can never be read.

        Answers from memory what was answered before; blocks for at most the store's time-out.

        Raises:
            NotYetKnownError: unknown until now; after the store's patience it is a rejection.
            RetriableError: the store itself cannot be asked now.
        """
