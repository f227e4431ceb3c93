"""What the fuzzer does to settings: a file, the environment and ``--set``, all at once.

Decides the cases; the law is that of files: accepted, or refused with a ``ConfigError``. What is
accepted is turned into the Kafka client's properties too.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from stream_app.adapters.kafka.config import consumer_properties, producer_properties
from stream_app.settings import ENV_PREFIX, Settings, load_settings
from stream_app.settings_rules import missing_for_scoring
from tests.hostile.file_targets import TOKENS, edited, refusal

Given = tuple[bytes, dict[str, str], dict[str, str]]
"""A file, an environment, and what ``--set`` says."""


class SettingsTarget:
    """Settings from all three sources at once."""

    name = "settings"
    batch = 50

    def __init__(self) -> None:
        self._names = [
            f"{section}.{name}"
            for section, declared in Settings.model_fields.items()
            for name in getattr(type(declared.default), "model_fields", ())
        ]
        dump = json.loads(Settings().model_dump_json(exclude_none=True))
        self._file = _toml(dump).encode()

    def cases(self, chance: Random) -> Sequence[Given]:
        """Triples."""
        return [
            (
                edited(chance, self._file) if chance.random() < 0.7 else b"",
                {self._variable(chance): _word(chance) for _ in range(chance.randrange(3))},
                {self._dotted(chance): _word(chance) for _ in range(chance.randrange(4))},
            )
            for _ in range(self.batch)
        ]

    def _dotted(self, chance: Random) -> str:
        name = chance.choice(self._names)
        odd = (
            name,
            name.split(".")[0],
            f"{name}.x",
            f"{name}x",
            "x.y",
            ".",
            "",
            "kafka.properties.a",
        )
        return name if chance.random() < 0.6 else chance.choice(odd)

    def _variable(self, chance: Random) -> str:
        return ENV_PREFIX + self._dotted(chance).replace(".", "__").upper()

    def run(self, cases: Sequence[Given]) -> Counter[str]:
        """Accepted and refused."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "settings.toml"
            return Counter(refusal(partial(_load, case, path)) for case in cases)


def _load(case: Given, path: Path) -> None:
    content, environment, given = case
    overrides = {"kafka.bootstrap_servers": "host:1", **given}
    path.write_bytes(content)
    with _environment(environment):
        settings = load_settings(path, overrides)
    missing_for_scoring(settings)
    consumer_properties(settings)
    producer_properties(settings, "id")


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    kept = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _word(chance: Random) -> str:
    token = chance.choice((*TOKENS, b"1", b"0.5", b"x", b"host:1", b'["a"]', b'{"a": "b"}', b"lz4"))
    return token.replace(b"\x00", b"").decode(errors="replace")


def _toml(dump: dict[str, Any]) -> str:
    lines: list[str] = []
    for name, value in dump.items():
        if not isinstance(value, dict):
            lines.insert(0, f"{name} = {json.dumps(value)}")
            continue
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(own)}" for key, own in value.items() if own != {}]
    return "\n".join(lines) + "\n"
