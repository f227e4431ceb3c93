"""The scorer's part of drift, put together from settings and a model's reference.

Decides whether this worker counts drift at all, and with compiled kernels or without.
"""

from typing import cast

import structlog

from stream_app.adapters.drift.partial_codec import encode_partial
from stream_app.adapters.drift.reference_file import (
    StoredReference,
    find_reference,
    require_reference,
)
from stream_app.adapters.model.repository import ModelFiles, ModelRepository
from stream_app.core.drift import plain
from stream_app.core.drift.counter import Arithmetic
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Stream
from stream_app.drift_tally import DriftTally, TallyConfig
from stream_app.ports import Clock, Telemetry
from stream_app.settings import Settings

log = structlog.get_logger(__name__)

PRIMARY = "primary"


def reference_for(settings: Settings, name: str, version: str) -> StoredReference | None:
    """The reference that drift of this model's version is counted with; ``None``: it is not.

    Raises:
        ConfigError: it cannot be used, or is asked for and not there.
    """
    if settings.drift.counting == "off":
        return None
    files = ModelRepository(settings.model.repository).open(name, version)
    return reference_of(settings, files)


def reference_of(settings: Settings, files: ModelFiles) -> StoredReference | None:
    """The same, of a version that was read already."""
    match settings.drift.counting:
        case "off":
            return None
        case "on":
            return require_reference(files)
        case _:
            return find_reference(files)


def build_tally(
    settings: Settings,
    stored: StoredReference,
    instance: str,
    clock: Clock,
    telemetry: Telemetry,
    *,
    compiled: bool,
) -> DriftTally:
    """What counts drift in a scorer; ``compiled`` when kernels are ready."""
    drift, reference = settings.drift, stored.reference
    stream = Stream(
        model_name=reference.model_name,
        model_version=reference.model_version,
        role=PRIMARY,
        reference_id=stored.id,
        window_ms=1000 * drift.window_s,
    )
    config = TallyConfig(
        stream=stream,
        topic=settings.partials_topic,
        instance=instance,
        idle_after_s=drift.idle_after_s,
        max_windows=drift.max_windows,
        max_record_bytes=settings.output.max_record_bytes,
    )
    log.info(
        "drift_counted",
        reference=stored.id,
        columns=len(reference.columns),
        window_s=drift.window_s,
        topic=config.topic,
    )
    layout = Layout(reference)
    return DriftTally(
        config, layout, arithmetic(compiled=compiled), encode_partial, clock, telemetry
    )


def arithmetic(*, compiled: bool) -> Arithmetic:
    """How rows are counted: by kernels, or without a compiler, which gives the same."""
    if not compiled:
        return cast(Arithmetic, plain)
    from stream_app.adapters.drift.compiled_counting import kernels  # noqa: PLC0415  # numba

    return cast(Arithmetic, kernels)
