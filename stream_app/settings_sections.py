"""The sections of the settings but ``kafka``: each setting's name, type, default and meaning.

Decides what there is to set, and what a single value may be. Knows neither where values come
from (``settings.py``) nor which of them go together (``settings_rules.py``).
"""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from stream_app.settings_values import Port, Positive, PositiveInt, Section

MAX_TIME_DIFFERENCE_S = 1e10
"""Some 300 years; a number that cannot overflow."""


class Delivery(StrEnum):
    """What happens to outcomes when a worker dies."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"


class Framing(StrEnum):
    """How a record says which schema wrote it."""

    CONFLUENT = "confluent"
    SINGLE_OBJECT = "single-object"


class StartAt(StrEnum):
    """Where to begin when the group has no valid offset."""

    FAIL = "fail"
    EARLIEST = "earliest"
    LATEST = "latest"


class InputSettings(Section):
    """Where events come from."""

    topic: str = Field("", description="Input topic.")
    framing: Framing = Field(
        Framing.CONFLUENT,
        description="`confluent` (schema registry) or `single-object` (Avro, `schema_dir`).",
    )
    schema_dir: Path | None = Field(
        None, description="Folder of writer schemas (`*.avsc`) for `single-object`."
    )
    max_value_bytes: PositiveInt = Field(
        1_048_576, description="Larger values become dead letters (TOO_LARGE)."
    )
    stalled_after_s: Positive = Field(
        60.0,
        description="Records hidden behind a producer's open transaction for this long are told "
        "of in the log.",
    )
    max_time_difference_s: float = Field(
        0.0,
        ge=0,
        le=MAX_TIME_DIFFERENCE_S,
        description="An event whose time is further than this from its record's timestamp becomes "
        "a dead letter (TIME_OUT_OF_RANGE); 0: not checked.",
    )


class OutputSettings(Section):
    """Where outcomes go."""

    predictions_topic: str = Field("", description="Default: `<input>.predictions`.")
    dlq_topic: str = Field("", description="Dead letters. Default: `<input>.dlq`.")
    framing: Framing | None = Field(None, description="Default: as the input's.")
    prediction_schema: Path | None = Field(
        None, description="A prediction schema of your own; default: `schemas/prediction.avsc`."
    )
    timestamp: Literal["input", "now"] = Field(
        "input", description="Timestamp of predictions: the input record's, or the time of sending."
    )
    compression: Literal["none", "lz4", "zstd", "snappy", "gzip"] = Field(
        "lz4", description="Compression of all outputs."
    )
    linger_ms: float = Field(
        5.0, ge=0, le=900_000, description="How long to gather records for a batch."
    )
    max_record_bytes: int = Field(
        1_000_000,
        ge=16_384,
        description="Greatest record sent (`message.max.bytes`); larger dead letters are cut.",
    )


class RegistrySettings(Section):
    """The schema registry (Confluent-compatible)."""

    url: str = Field("", description="For framing `confluent`.")
    username: str = Field("", description="Basic authentication.")
    password: SecretStr | None = Field(None, description="Basic authentication.")
    password_file: Path | None = Field(None, description="File that holds the password.")
    ssl_ca_file: Path | None = Field(None, description="PEM file of the authority to trust.")
    timeout_s: Positive = Field(5.0, description="Longest wait for an answer.")
    subjects: list[str] = Field(
        default_factory=list,
        description="Subjects whose schemas are accepted; empty: those whose record the contract "
        "names.",
    )
    unknown_retry_s: float = Field(
        5.0,
        ge=0,
        description="A schema id, or fingerprint, stays unknown this long before its records die.",
    )


class ModelSettings(Section):
    """Which model scores, and on what."""

    repository: Path = Field(Path("models"), description="Folder of `<name>/<version>/`.")
    name: str = Field("", description="Model name.")
    version: str = Field("latest", description="A version, or `latest`: the greatest number.")
    execution_provider: str = Field(
        "CPUExecutionProvider", description="ONNX Runtime execution provider."
    )
    allow_cpu_fallback: bool = Field(
        False, description="Score on the CPU when the execution provider is not there."
    )
    intra_op_threads: PositiveInt = Field(1, le=1_024, description="ONNX Runtime threads a worker.")
    gpu_memory_limit_bytes: int = Field(
        0, ge=0, description="ONNX Runtime's arena on a GPU; 0: no limit."
    )


class BatchSettings(Section):
    """How records are grouped."""

    max_records: PositiveInt = Field(
        4_096,
        le=1_000_000,
        description="Greatest micro-batch; the warm-up chooses a smaller one where the model is no "
        "slower with it.",
    )
    buckets: list[PositiveInt] = Field(
        default_factory=list,
        description="Sizes to which batches are padded, for models whose cost depends on the shape "
        "(GPU); empty: none. No micro-batch is larger than the greatest.",
    )
    transaction_time_s: Positive = Field(
        0.25,
        description="A transaction is open at most so long. It ends sooner when everything that "
        "was there is processed. Without transactions: how often offsets are committed.",
    )
    latency_target_s: float = Field(
        0.0,
        ge=0,
        le=3_600,
        description="Commit in time for 99 of 100 records to be answered this soon after their "
        "timestamp, as far as the backlog allows; 0: no target.",
    )
    transaction_records: PositiveInt = Field(100_000, description="Records in a transaction.")


class StartSettings(Section):
    """Where to begin when there is no valid offset; each case apart, never a silent jump."""

    new_group: StartAt = Field(StartAt.FAIL, description="The group has no offsets at all.")
    new_partition: StartAt = Field(
        StartAt.EARLIEST, description="A partition was added to the topic."
    )
    wait_s: float = Field(
        300.0,
        ge=0,
        description="How long to wait at start for brokers and registry that do not answer.",
    )
    expired: StartAt = Field(
        StartAt.FAIL, description="The committed offset's records were deleted unread."
    )


class DeadLetterSettings(Section):
    """What to do with records that can never succeed."""

    on_bad_record: Literal["dead_letter", "stop"] = Field(
        "dead_letter", description="`stop` ends the worker at the first one."
    )
    breaker_share: float = Field(
        0.5, gt=0, le=1, description="Stop when this share of the last records were bad."
    )
    breaker_records: PositiveInt = Field(
        5_000, description="How many records the share is taken over."
    )
    breaker_run: PositiveInt = Field(
        2_000, description="Stop after this many bad records one after another."
    )
    bisect_limit: PositiveInt = Field(
        200, description="Failing model runs spent on finding the guilty rows of a batch."
    )
    crash_limit: int = Field(
        3, ge=0, description="Deaths of the process with a record alone that bury it; 0: never."
    )


class HttpSettings(Section):
    """The operations port: /metrics, /livez, /readyz."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: Port = Field(8000, description="Port; 0 takes a free one.")
    enabled: bool = Field(True, description="Whether to listen at all.")


class WorkerSettings(Section):
    """The processes."""

    instance: str = Field("", description="Name of this host in transactional ids; default: it.")
    state_dir: Path | None = Field(
        None, description="Folder for slot locks; default: a folder of the user's for temporaries."
    )
    grace_period_s: Positive = Field(
        25.0, description="From SIGTERM to the end, at most; below the orchestrator's."
    )
    call_limit_s: Positive = Field(
        60.0, description="A call that ignores its time-out for this long ends the process (75)."
    )
    compiled_kernels: bool = Field(
        True,
        description="Decode and encode by compiled kernels; without, about fifty times slower, in "
        "65 MB less.",
    )
    denied_patience_s: Positive = Field(
        60.0,
        description="A right that was taken away may come back for this long before the process "
        "ends.",
    )


class LogSettings(Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level.")
    format: Literal["auto", "console", "json"] = Field(
        "auto", description="`auto`: console on a terminal, else JSON lines."
    )
