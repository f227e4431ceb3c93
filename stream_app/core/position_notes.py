"""What is kept beside a committed offset: which topic it counts in, and what the processor adds.

Decides the text: a small JSON object with a format version. Reads tolerantly: a text that is not
ours, or of a later format, says nothing; offsets that tools have set carry none.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class PositionNote:
    """One partition's note.

    Attributes:
        topic_id: Of the topic in which the offset counts; empty where the cluster has no ids.
        processor: The processor's own text.
    """

    topic_id: str = ""
    processor: str = ""

    def to_text(self) -> str:
        """As it is committed; empty when there is nothing to say."""
        return _to_text(self)

    @classmethod
    def of(cls, text: str | None) -> "PositionNote":
        """What a committed text says."""
        try:
            found = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(found, dict) or found.get("v") != _FORMAT:
            return cls()
        topic_id, processor = found.get("topic", ""), found.get("processor", "")
        if not isinstance(topic_id, str) or not isinstance(processor, str):
            return cls()
        return cls(topic_id, processor)


@lru_cache(maxsize=1_024)
def _to_text(note: PositionNote) -> str:
    """Every commit asks for the same few."""
    fields: dict[str, object] = {"v": _FORMAT}
    if note.topic_id:
        fields["topic"] = note.topic_id
    if note.processor:
        fields["processor"] = note.processor
    return json.dumps(fields, separators=(",", ":")) if len(fields) > 1 else ""
