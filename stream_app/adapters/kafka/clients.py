"""Making the worker's two clients; the library's refusal in our words.

A worker's settings are checked before it gets here, so a refusal means that a file of certificates
is being written at this moment: try again.
"""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

from confluent_kafka import KafkaException

from stream_app.adapters.avro.warm_kernels import warm_kernels
from stream_app.adapters.kafka.errors import end_if_exhausted, explain
from stream_app.adapters.kafka.public_client import PublicConsumer as Consumer
from stream_app.adapters.kafka.public_client import PublicProducer as Producer
from stream_app.adapters.kafka.tls_probe import certificate_fault
from stream_app.errors import RetriableError
from stream_app.settings import KafkaSettings, Settings


def new_consumer(properties: Mapping[str, Any], kafka: KafkaSettings) -> Any:
    """A consumer.

    Raises:
        RetriableError: not with these properties, or not now.
        FatalError: there is no room for its threads.
    """
    return _new(_native("NativeConsumer") if _is_native(kafka) else Consumer, properties, kafka)


def new_producer(properties: Mapping[str, Any], kafka: KafkaSettings) -> Any:
    """A producer; raises as :func:`new_consumer`."""
    return _new(_native("NativeProducer") if _is_native(kafka) else Producer, properties, kafka)


def why_not_native(settings: Settings) -> str | None:
    """Why a worker with these settings could not use the native client; ``None``: it could."""
    if not settings.worker.compiled_kernels:
        return "it needs worker.compiled_kernels"
    # First, or they would be compiled within the time that the self-test has.
    if warm_kernels(native=True) is None:
        return "it needs the compiled kernels, which this machine cannot have"
    return native_fault()


def native_fault() -> str | None:
    """Why the native client cannot be used in this process; ``None``: it can."""
    try:
        # It brings numba, for which nobody should wait who uses the other client.
        gates = import_module("stream_app.adapters.kafka.native.gates")
    except Exception as exc:  # noqa: BLE001  # whatever it is, the other client works
        return f"{type(exc).__name__}: {exc}"
    fault: str | None = gates.fault()
    return fault


def _is_native(kafka: KafkaSettings) -> bool:
    return kafka.client == "native" and native_fault() is None


def _native(name: str) -> Any:
    package = "stream_app.adapters.kafka.native"
    module = import_module(f"{package}.{name.removeprefix('Native').lower()}")
    return partial(getattr(module, name), import_module(f"{package}.library").library())


def _new(make: Any, properties: Mapping[str, Any], kafka: KafkaSettings) -> Any:
    try:
        return make(dict(properties))
    except KafkaException as exc:
        end_if_exhausted(exc.args[0])
        fault = certificate_fault(kafka)
        raise RetriableError(fault or explain("making a client", exc.args[0])) from exc
