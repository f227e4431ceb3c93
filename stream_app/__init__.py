"""A streaming inference consumer: Kafka events in, ONNX predictions out, exactly once."""

from importlib.metadata import version

__version__ = version("stream-app")
