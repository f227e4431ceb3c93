"""Positions as they are committed, and the standing with which they may be.

Decides what a commit carries. Refuses to know who commits.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextOffset:
    """What is committed for a partition: the offset of the first record not yet done.

    ``metadata`` (at most about 4 kB) is kept by the broker beside the offset and read by the
    partition's next owner; it is lost with the transaction when that aborts.
    """

    offset: int
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class GroupMembership:
    """The consumer's standing in its group, as it was right after a fetch.

    A broker does not fence a transaction that carries generation -1 and an empty member id, so
    such a membership must never reach a commit: ``is_member`` is checked before.
    """

    generation: int
    member_id: str
    token: object
    """What the client library wants back, unchanged."""

    @property
    def is_member(self) -> bool:
        """Whether the broker would check, and so fence, a commit made with this."""
        return self.generation >= 0 and self.member_id != ""
