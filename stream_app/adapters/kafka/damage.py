"""Records that lie damaged in a broker's log, or were damaged on the way: an end with a reason.

Decides which of the client's errors mean it. The client would go on behind such a batch, and its
records would be lost without a word: whatever is committed next lies behind them. Refuses to
guess whether a restart helps: it does when another copy leads, or when it was the network.
"""

from confluent_kafka import KafkaError

from stream_app.adapters.kafka.errors import explain
from stream_app.adapters.kafka.public_client import NoRecord
from stream_app.errors import FatalError

DAMAGED = {
    KafkaError._BAD_MSG,
    KafkaError._BAD_COMPRESSION,
    KafkaError.INVALID_MSG,
    KafkaError._NOT_IMPLEMENTED,
}
"""A checksum that does not fit, or a batch that cannot be taken apart, or of a format unknown."""


def damaged(at: NoRecord) -> FatalError:
    """What ends the process: no record behind the damage may count before it is mended."""
    place = f"{at.topic}[{at.partition}] offset {at.offset}"
    return FatalError(
        f"the records at {place} are damaged: {explain('consume', at.error)}; nothing behind them "
        "is scored. A restart tries again: let another copy lead the partition (stop that broker), "
        "or mend its log; to give the records up, move the group behind them with `stream-app "
        f"offsets reset --partition {at.partition} --to ...`"
    )
