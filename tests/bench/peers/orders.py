"""What a peer of another make is told, as JSON on its standard input.

Decides the words, which ``byhand.py`` and ``Order.java`` read, and that everybody gets the same
ones: the worker's own batch, transaction time, linger and compression.
"""

from dataclasses import dataclass

from stream_app.adapters.avro.parts import prediction_prefix, prediction_schema
from stream_app.adapters.model.manifest_file import MODEL_FILE
from stream_app.adapters.model.repository import ModelRepository
from stream_app.bench import events
from stream_app.core.avro.canonical import canonical_form
from stream_app.core.avro.gates import Rejection, admit
from stream_app.errors import ConfigError
from stream_app.settings import Settings


@dataclass(frozen=True, slots=True)
class PeerOrder:
    """For one run of one peer.

    Attributes:
        servers: Where the cluster is.
        input: Topic to score from its beginning.
        output: Topic for predictions.
        group: Consumer group, and whatever else needs a name that nobody has.
        records: In the input; end when all of them are committed.
        model: The ONNX file.
        event_schema: Of the input, in canonical form: without logical types.
        prediction_schema: Of the output, likewise.
        event_prefix: In hexadecimal, what stands before each event.
        prediction_prefix: In hexadecimal, what stands before each prediction.
        lineage: The prediction's fields that are the same in all of them.
        batch: Rows for one model run.
        transaction_s: A transaction, or what stands for it, is open so long.
        linger_ms: How long producers gather.
        compression: Of the output.
        folder: For state; goes in the end.
    """

    servers: str
    input: str
    output: str
    group: str
    records: int
    model: str
    event_schema: str
    prediction_schema: str
    event_prefix: str
    prediction_prefix: str
    lineage: dict[str, str]
    batch: int
    transaction_s: float
    linger_ms: float
    compression: str
    folder: str


def order_of(settings: Settings, records: int, folder: str) -> PeerOrder:
    """The order that the settings of a run amount to."""
    files = ModelRepository(settings.model.repository).open(
        settings.model.name, settings.model.version
    )
    text = prediction_schema(settings)
    return PeerOrder(
        servers=settings.kafka.bootstrap_servers,
        input=settings.input.topic,
        output=settings.predictions_topic,
        group=settings.kafka.group,
        records=records,
        model=str((files.folder / MODEL_FILE).absolute()),
        event_schema=plain_schema(events.schema_text()),
        prediction_schema=plain_schema(text),
        event_prefix=events.prefix().hex(),
        prediction_prefix=prediction_prefix(settings, text).hex(),
        lineage={
            "model_name": files.name,
            "model_version": files.version,
            "model_hash": files.content_hash,
        },
        batch=settings.batch.max_records,
        transaction_s=settings.batch.transaction_time_s,
        linger_ms=settings.output.linger_ms,
        compression=settings.output.compression,
        folder=folder,
    )


def plain_schema(text: str) -> str:
    """The canonical form of a schema."""
    schema = admit(text)
    if isinstance(schema, Rejection):
        raise ConfigError(f"a schema of the bench: {schema.detail}")
    return canonical_form(schema)
