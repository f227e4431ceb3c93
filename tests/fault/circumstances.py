"""When, where and of what a report of runs under faults was made.

Decides what tells one report from another: the commit, the day, the machine, the libraries.
"""

import hashlib
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

_GIB = 1 << 30
_RESULTS = frozenset(f"tests/fault/{name}.py" for name in ("circumstances", "journal", "page"))
"""They write results down and decide none."""


def circumstances(*, at_a_time: int) -> dict[str, object]:
    """Plain values for the report.

    Args:
        at_a_time: How many tests ran side by side.
    """
    return {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": _memory_gib(),
            "machine": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "confluent_kafka": version("confluent-kafka"),
            "onnxruntime": version("onnxruntime"),
            "at_a_time": at_a_time,
        },
    }


def commit() -> str:
    """With ``-dirty`` behind it where files were changed; empty outside a repository."""
    asked = ["git", "describe", "--always", "--dirty"]
    try:
        told = subprocess.run(
            asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return told.stdout.strip()


@lru_cache(maxsize=256)
def basis(commit_name: str, test_file: str) -> str | None:
    """What a result of one test file depends on, as a digest; ``None`` where nobody can say.

    That is everything that is committed but documents, other test files, and what only keeps and
    shows results: with the same basis a test of another commit is the same test of the same code.
    """
    asked = ["git", "ls-tree", "-r", "--full-tree", commit_name]
    told = subprocess.run(
        asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    if told.returncode != 0:
        return None
    files = (line.split("\t", 1) for line in told.stdout.splitlines())
    counted = [f"{what} {path}" for what, path in files if _counts(path, test_file)]
    return hashlib.sha256("\n".join(counted).encode()).hexdigest()


def _counts(path: str, test_file: str) -> bool:
    name = path.rpartition("/")[2]
    if name.startswith("test_"):
        return path == test_file
    return not (path.endswith(".md") or path.startswith(("docs/", ".ci/")) or path in _RESULTS)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", path.read_text("utf-8")) if path.exists() else None
    return found.group(1).strip() if found else platform.processor() or "a processor"


def _memory_gib() -> int:
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB)
