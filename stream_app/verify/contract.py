"""The contract file, read once more: plain values, no checks but those that reading needs.

Decides what the verifier understands of ``contract.toml`` (``format = 1``): everything that
decides which numbers a model is given and which fields of a prediction it fills.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from stream_app.errors import ConfigError

FORMAT = 1

Path = tuple[str, ...]
"""Names of fields on the way from the event to a place in it."""


@dataclass(frozen=True, slots=True)
class Feature:
    """How one field fills elements of an input; the terms are the file's.

    Attributes:
        paths: The field, then its aliases, as names on the way from the event.
        categories: In the order of their codes, if it has categories.
        on_null: ``nan``, ``default`` or ``dead_letter``.
        default: With ``on_null = "default"``.
        on_unseen: ``code`` or ``dead_letter``.
        keeps_non_finite: Whether NaN and infinity pass.
        shape: Empty for a single value.
        is_raw: Whether bytes are the elements.
    """

    paths: tuple[Path, ...]
    categories: tuple[str, ...] | None
    on_null: str
    default: Any
    on_unseen: str
    keeps_non_finite: bool
    shape: tuple[int, ...]
    is_raw: bool

    @property
    def width(self) -> int:
        """Elements that it fills."""
        return prod(self.shape)

    @property
    def name(self) -> str:
        """For messages."""
        return ".".join(self.paths[0])


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the model: its name, dtype, the shape of a row, and what fills it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """A field of the prediction, and the output, or one column of it, that fills it."""

    field: str
    output: str
    column: int | None


@dataclass(frozen=True, slots=True)
class Contract:
    """What ``contract.toml`` says; ``time`` is ``None`` where no field is the event's time."""

    records: frozenset[str]
    id: Path
    time: Path | None
    inputs: tuple[Input, ...]
    outputs: tuple[Bound, ...]
    keeps_non_finite_outputs: bool


def read_contract(content: bytes, place: str) -> Contract:
    """The contract in the bytes of its file; ``place`` stands in messages.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        file = tomllib.loads(content.decode())
        if file["format"] != FORMAT:
            raise ConfigError(
                f"{place}: expected format = {FORMAT}, found {file['format']!r}; verify with the "
                "version of stream-app that scored"
            )
        event = file["event"]
        return Contract(
            records=frozenset(event.get("records", [])),
            id=_path(event["id"]),
            time=_path(event["time"]) if "time" in event else None,
            inputs=tuple(_input(table) for table in file["inputs"]),
            outputs=tuple(
                Bound(table["field"], table["output"], table.get("column"))
                for table in file["outputs"]
            ),
            keeps_non_finite_outputs=_keeps(file.get("policy", {}), "on_non_finite_output"),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise ConfigError(
            f"{place}: cannot be read as a contract ({type(exc).__name__}: {exc}); check it with "
            "stream-app contract check"
        ) from exc


def _input(table: Mapping[str, Any]) -> Input:
    features = tuple(_feature(given) for given in table.get("features", []))
    if "shape" in table:
        shape = tuple(table["shape"])
    elif len(features) == 1 and features[0].shape:
        shape = features[0].shape
    else:
        shape = (sum(feature.width for feature in features),)
    return Input(table["name"], table["dtype"], shape, features)


def _feature(table: Mapping[str, Any]) -> Feature:
    return Feature(
        paths=tuple(_path(field) for field in (table["field"], *table.get("aliases", []))),
        categories=tuple(table["categories"]) if "categories" in table else None,
        on_null=table.get("on_null", "dead_letter"),
        default=table.get("default"),
        on_unseen=table.get("on_unseen", "code"),
        keeps_non_finite=_keeps(table, "on_non_finite"),
        shape=tuple(table.get("shape", [])),
        is_raw=table.get("encoding", "value") == "raw",
    )


def _keeps(table: Mapping[str, Any], policy: str) -> bool:
    return bool(table.get(policy, "dead_letter") == "keep")


def _path(field: str) -> Path:
    return tuple(field.split("."))
