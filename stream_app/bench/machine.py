"""What the figures were measured on: the machine and the versions of what took part.

Decides what a reader needs to judge somebody else's figures. Names no host and no user.
"""

import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from stream_app.adapters.kafka.config import require_librdkafka

_PACKAGES: Final = ("stream-app", "confluent-kafka", "onnxruntime", "fastavro", "numpy", "numba")
_CPU_INFO: Final = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, object]:
    """Plain values."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def versions(kafka: str) -> dict[str, str]:
    """Of all that took part."""
    return {
        "python": platform.python_version(),
        "kafka": kafka,
        "librdkafka": require_librdkafka(),
        **{name: metadata.version(name) for name in _PACKAGES},
    }


def today() -> str:
    """Date and time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _processor() -> str:
    try:
        text = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.processor()
