"""The contract: how Avro fields become model inputs, and model outputs become Avro fields.

Decides the vocabulary and what a valid contract is. Refuses to know files (``contract.toml`` is
read in ``adapters/model/contract_file.py``), ONNX sessions and Avro bytes.

Terms: a *field* is a place in the event, dotted for nested records (``customer.age``); a
*feature* is a field on its way into the model, with what to do when it is null, unseen or not
finite; an *input* is a tensor of the model, filled by one feature or by several stacked ones.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np


class DType(StrEnum):
    """Element types of model inputs that a contract can fill."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT64 = "int64"
    BOOL = "bool"
    UINT8 = "uint8"
    STRING = "string"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy type of a tensor of this type; strings are Python objects."""
        return np.dtype(object if self is DType.STRING else self.value)


class OnNull(StrEnum):
    """What a null, or absent, field becomes."""

    NAN = "nan"
    DEFAULT = "default"
    DEAD_LETTER = "dead_letter"


class OnUnseen(StrEnum):
    """What a category outside the contract's list becomes."""

    CODE = "code"
    """The reserved code ``len(categories)``."""
    DEAD_LETTER = "dead_letter"


class OnNonFinite(StrEnum):
    """What NaN and infinity become, in a feature or in an output."""

    KEEP = "keep"
    DEAD_LETTER = "dead_letter"


class Encoding(StrEnum):
    """How a field's bytes become numbers."""

    VALUE = "value"
    """Avro values: numbers, booleans, strings, enums, arrays of them."""
    RAW = "raw"
    """A ``bytes`` or ``fixed`` field that *is* the tensor, in little-endian C order."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A field on its way into the model.

    Attributes:
        field: Dotted path in the event.
        aliases: Paths to try, in order, where a writer schema has no ``field``.
        categories: For strings and enums: the value's index here is its code. The code belongs to
            the *name*, whatever index a writer's enum gives it.
        on_null: For null, and for a writer schema without the field.
        default: The value for ``OnNull.DEFAULT``; for categories, one of them.
        on_unseen: Only with ``categories``.
        on_non_finite: For values that are NaN or infinite, also after narrowing to the dtype.
        shape: ``()`` for a scalar, else the fixed shape of an array or a raw tensor.
        encoding: How the field is read.
    """

    field: str
    aliases: tuple[str, ...] = ()
    categories: tuple[str, ...] | None = None
    on_null: OnNull = OnNull.DEAD_LETTER
    default: float | str | bool | None = None
    on_unseen: OnUnseen = OnUnseen.CODE
    on_non_finite: OnNonFinite = OnNonFinite.DEAD_LETTER
    shape: tuple[int, ...] = ()
    encoding: Encoding = Encoding.VALUE

    @property
    def width(self) -> int:
        """How many elements of a row it fills."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input of the model.

    Attributes:
        name: As in the ONNX graph.
        dtype: Of the tensor.
        features: In the order of their columns.
        shape: Of one row, without the batch dimension; ``()`` for a tensor of rank 1. Its product
            is the sum of the features' widths.
    """

    name: str
    dtype: DType
    features: tuple[Feature, ...]
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """Elements in a row."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class OutputBinding:
    """A field of the prediction and the model output that fills it.

    Attributes:
        field: Name in the prediction schema.
        output: Name of the ONNX output.
        column: Index into a row of the output (flattened); ``None`` takes the whole row: an
            array field, or a scalar when the row has one element.
    """

    field: str
    output: str
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """How this model meets its topics.

    Attributes:
        record_names: Full names of the Avro records that may come; empty allows every name.
        id_field: Field that names the event; string, bytes as UTF-8, uuid, int or long.
        time_field: Field with the event's time, a timestamp; ``None``: the record's timestamp.
        inputs: The model's inputs, in the graph's order.
        outputs: Fields of the prediction filled from the model.
        on_non_finite_output: For predictions.
    """

    record_names: tuple[str, ...]
    id_field: str
    time_field: str | None
    inputs: tuple[InputTensor, ...]
    outputs: tuple[OutputBinding, ...]
    on_non_finite_output: OnNonFinite = OnNonFinite.DEAD_LETTER

    @property
    def features(self) -> tuple[Feature, ...]:
        """All features, input by input: the columns of ``EventBatch.kinds``."""
        return tuple(feature for tensor in self.inputs for feature in tensor.features)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The fields of ``features``."""
        return tuple(feature.field for feature in self.features)
