"""The group metadata of the client, read: generation and member id decide whether we are fenced."""

import struct

from stream_app.core.positions import GroupMembership

_MAGIC = b"CGMDv2:"
_GENERATION = struct.Struct("<i")


def membership_of(token: bytes) -> GroupMembership:
    """Parse librdkafka's serialised group metadata.

    Its form is the magic, a 32-bit generation, then group id and member id, each ended by a zero
    byte. Anything else counts as no membership: a commit with it would not be fenced.
    """
    start = len(_MAGIC) + _GENERATION.size
    if not token.startswith(_MAGIC) or len(token) < start:
        return GroupMembership(-1, "", token)
    (generation,) = _GENERATION.unpack_from(token, len(_MAGIC))
    parts = token[start:].split(b"\0")
    member_id = parts[1].decode(errors="replace") if len(parts) > 1 else ""
    return GroupMembership(generation, member_id, token)
