"""The settings as rows of a table, read from the model in ``settings.py``.

Decides how names, types and defaults are written. Knows no format of output.
"""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from stream_app.settings import ENV_PREFIX, Settings

MASK = "********"
_SECRET_WORDS = ("password", "secret", "token", "key")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting.

    Attributes:
        section: Its table in the TOML file; empty at the top.
        name: Its dotted name, as ``--set`` wants it.
        environment: Its name as an environment variable.
        kind: What values it takes.
        default: As it would stand in TOML; empty when there is none.
        meaning: One or two sentences.
    """

    section: str
    name: str
    environment: str
    kind: str
    default: str
    meaning: str

    @property
    def key(self) -> str:
        """Its name inside its section."""
        return self.name.rpartition(".")[2]


def setting_rows() -> tuple[SettingRow, ...]:
    """All settings, in the order of the model."""
    return tuple(
        SettingRow(
            section=section,
            name=f"{section}.{name}" if section else name,
            environment=f"{ENV_PREFIX}{section}__{name}".upper()
            if section
            else f"{ENV_PREFIX}{name}".upper(),
            kind=_kind(field.annotation),
            default=toml_value(field.get_default(call_default_factory=True)),
            meaning=(field.description or "").strip(),
        )
        for section, name, field in _fields()
    )


def section_titles() -> dict[str, str]:
    """The first line of each section's docstring, by its name."""
    return {name: (kind.__doc__ or "").strip().splitlines()[0] for name, kind in _sections()}


def effective_values(settings: Settings) -> dict[str, str]:
    """The values in effect by dotted name, as in TOML, secrets masked."""
    values = {}
    for section, name, _ in _fields():
        holder = getattr(settings, section) if section else settings
        dotted = f"{section}.{name}" if section else name
        values[dotted] = toml_value(_masked(dotted, getattr(holder, name)))
    return values


def toml_value(value: object) -> str:
    """A value as TOML writes it; ``None`` is empty, because TOML has no null."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Enum():
            return toml_value(value.value)
        case SecretStr():
            return f'"{MASK}"'
        case str() | Path():
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case list():
            return "[" + ", ".join(map(toml_value, value)) + "]"
        case dict():
            pairs = (f"{toml_value(key)} = {toml_value(item)}" for key, item in value.items())
            return "{ " + ", ".join(pairs) + " }" if value else "{}"
        case _:
            return str(value)


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation


def _fields() -> Iterator[tuple[str, str, FieldInfo]]:
    sections = dict(_sections())
    for name, field in Settings.model_fields.items():
        if name not in sections:
            yield "", name, field
    for section, kind in sections.items():
        for name, field in kind.model_fields.items():
            yield section, name, field


def _masked(name: str, value: object) -> object:
    """Secrets hide in free-form properties and in addresses too."""
    if isinstance(value, dict):
        return {key: MASK if _names_secret(key) else item for key, item in value.items()}
    if isinstance(value, str) and name.endswith("url") and "@" in value:
        scheme, _, rest = value.rpartition("//")
        return f"{scheme}//{MASK}@{rest.rpartition('@')[2]}"
    return value


def _names_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET_WORDS)


_NAMES: dict[object, str] = {
    str: "text",
    SecretStr: "secret",
    Path: "path",
    int: "whole number",
    float: "number",
    bool: "`true`, `false`",
    type(None): "",
}


def _kind(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" if value else "empty" for value in arguments)
    if origin in {Union, types.UnionType}:
        return ", ".join(filter(None, map(_kind, arguments)))
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return "table"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    return _NAMES[annotation]
