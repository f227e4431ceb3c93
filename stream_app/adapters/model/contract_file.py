"""``contract.toml``: how a contract is written down beside its model.

Decides the file's format (``format = 1``) and its defaults. Refuses to judge what only a model
or a schema can tell. All faults of a file are reported at once, each with its place.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from stream_app.adapters.model.contract_text import dump_contract
from stream_app.core.contract import (
    Contract,
    DType,
    Encoding,
    Feature,
    InputTensor,
    OnNonFinite,
    OnNull,
    OnUnseen,
    OutputBinding,
)
from stream_app.core.contract_rules import check_contract
from stream_app.errors import ConfigError

__all__ = ["dump_contract", "load_contract", "parse_contract"]


def load_contract(path: Path) -> Contract:
    """Read a contract file.

    Raises:
        ConfigError: the file cannot be read, or is no sound contract; names every fault.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"{path}: the contract cannot be read ({exc.strerror}); draft one with "
            "`stream-app contract init`"
        ) from exc
    return parse_contract(content, str(path))


def parse_contract(content: bytes, name: str) -> Contract:
    """Read a contract from the bytes of its file; ``name`` stands in messages.

    Raises:
        ConfigError: as in :func:`load_contract`.
    """
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as exc:  # also of numbers, and of tables, without end
        raise ConfigError(f"{name}: not valid TOML: {exc}") from exc
    try:
        contract = _File.model_validate(table).to_contract()
    except ValidationError as exc:
        raise ConfigError("\n".join(f"{name}: {line}" for line in _explain(exc))) from exc
    faults = check_contract(contract)
    if faults:
        raise ConfigError("\n".join(f"{name}: {fault}" for fault in faults))
    return contract


def _explain(error: ValidationError) -> Iterator[str]:
    told: set[str] = set()
    for fault in error.errors(include_url=False, include_input=False):
        place, message = _place(fault["loc"]), fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "unknown; correct its name or remove it"
        elif fault["type"] == "missing":
            message = "is missing; add it"
        elif place.endswith(".default"):
            message = "must be a boolean, a number or a string"
        line = f"{place}: {message}"
        if line not in told:
            told.add(line)
            yield line


def _place(location: tuple[int | str, ...]) -> str:
    """The place as the file has it; pydantic adds the type tried after ``default``."""
    if "default" in location:
        location = location[: location.index("default") + 1]
    return ".".join(str(part) for part in location)


Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""As TOML has it; Python reads any size, and then cannot show it."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# strict = true also refuses a string for an enum; those fields are therefore lax, one by one.
class _Feature(_Table):
    field: str
    aliases: list[str] = []
    categories: list[str] | None = None
    on_null: OnNull = Field(OnNull.DEAD_LETTER, strict=False)
    default: bool | Int64 | float | str | None = None
    on_unseen: OnUnseen | None = Field(None, strict=False)
    on_non_finite: OnNonFinite = Field(OnNonFinite.DEAD_LETTER, strict=False)
    shape: list[Int64] = []
    encoding: Encoding = Field(Encoding.VALUE, strict=False)

    @field_validator("on_unseen")
    @classmethod
    def _only_with_categories(cls, value: OnUnseen | None, info: ValidationInfo) -> OnUnseen | None:
        if value is not None and info.data.get("categories") is None:
            raise ValueError("is only used with categories; add them or remove this")
        return value

    def to_feature(self) -> Feature:
        return Feature(
            field=self.field,
            aliases=tuple(self.aliases),
            categories=None if self.categories is None else tuple(self.categories),
            on_null=self.on_null,
            default=self.default,
            on_unseen=self.on_unseen or OnUnseen.CODE,
            on_non_finite=self.on_non_finite,
            shape=tuple(self.shape),
            encoding=self.encoding,
        )


class _Input(_Table):
    name: str
    dtype: DType = Field(strict=False)
    shape: list[Int64] | None = None
    features: list[_Feature]

    def to_tensor(self) -> InputTensor:
        features = tuple(feature.to_feature() for feature in self.features)
        return InputTensor(self.name, self.dtype, features, self._row_shape(features))

    def _row_shape(self, features: tuple[Feature, ...]) -> tuple[int, ...]:
        if self.shape is not None:
            return tuple(self.shape)
        if len(features) == 1 and features[0].shape:
            return features[0].shape
        return (sum(feature.width for feature in features),)


class _Output(_Table):
    field: str
    output: str
    column: Int64 | None = None


class _Event(_Table):
    records: list[str] = []
    id: str
    time: str | None = None


class _Policy(_Table):
    on_non_finite_output: OnNonFinite = Field(OnNonFinite.DEAD_LETTER, strict=False)


class _File(_Table):
    format: Literal[1]
    event: _Event
    inputs: list[_Input]
    outputs: list[_Output]
    policy: _Policy = _Policy()

    def to_contract(self) -> Contract:
        return Contract(
            record_names=tuple(self.event.records),
            id_field=self.event.id,
            time_field=self.event.time,
            inputs=tuple(tensor.to_tensor() for tensor in self.inputs),
            outputs=tuple(OutputBinding(o.field, o.output, o.column) for o in self.outputs),
            on_non_finite_output=self.policy.on_non_finite_output,
        )
