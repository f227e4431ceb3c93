"""What is watched of events and answers: from tensors to one matrix of numbers a batch.

Decides which columns a contract and a model's outputs give, and what each row's value is. Refuses
to know bins. An array of up to 16 numbers is watched element by element; of a longer one the mean.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_app.core.columns import EventBatch, Kind, Tensor, UInt8Array
from stream_app.core.contract import Contract
from stream_app.core.drift.reference import (
    ALL_ELEMENTS,
    Derived,
    Float64Array,
    Origin,
    Role,
)

MOST_ELEMENTS = 16
"""Of an array, that are watched one by one."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A column before it has bins.

    Attributes:
        name: See :class:`~stream_app.core.drift.reference.Column`.
        origin: Where its values are found.
        categories: The contract's, whose codes the tensor holds; ``None``: it holds numbers, or
            strings.
    """

    name: str
    origin: Origin
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """What was found, of the rows asked for.

    Attributes:
        numbers: float64, shape ``(k, d)``; anything where ``kinds`` is not ``VALUE``, and in the
            columns of ``texts``.
        kinds: uint8, shape ``(k, d)``, of :class:`~stream_app.core.columns.Kind`.
        texts: By column, of those whose tensor holds strings, shape ``(k,)``.
    """

    numbers: Float64Array
    kinds: UInt8Array
    texts: Mapping[int, Sequence[str]]

    def __len__(self) -> int:
        return len(self.numbers)


def watched_inputs(contract: Contract) -> Iterator[Watched]:
    """The columns of a contract's features, in its order."""
    place = 0
    for tensor in contract.inputs:
        first = 0
        for feature in tensor.features:
            field, width = feature.field, feature.width
            if width == 1:
                origin = Origin(Role.INPUT, tensor.name, first, feature=place)
                yield Watched(field, origin, feature.categories)
            elif width <= MOST_ELEMENTS:
                for element in range(width):
                    origin = Origin(Role.INPUT, tensor.name, first + element, feature=place)
                    yield Watched(f"{field}[{element}]", origin, feature.categories)
            else:
                origin = Origin(
                    Role.INPUT, tensor.name, ALL_ELEMENTS, first=first, span=width, feature=place
                )
                yield Watched(f"mean({field})", origin)
            first += width
            place += 1


def watched_outputs(contract: Contract, outputs: Mapping[str, Tensor]) -> Iterator[Watched]:
    """The columns of the outputs that predictions use.

    Args:
        contract: Names them.
        outputs: Of typical rows, which say how wide each is and whether its rows are
            probabilities.
    """
    for binding in contract.outputs:
        rows = outputs[binding.output].reshape(len(outputs[binding.output]), -1)
        field, width = binding.field, rows.shape[1]
        if binding.column is not None:
            yield Watched(field, Origin(Role.OUTPUT, binding.output, binding.column))
            continue
        is_distribution = width > 1 and are_probabilities(rows)
        if width == 1:
            yield Watched(field, Origin(Role.OUTPUT, binding.output, 0))
        elif width <= MOST_ELEMENTS:
            # Of two probabilities one is the other's rest.
            for element in range(1 if is_distribution and width == 2 else 0, width):
                origin = Origin(Role.OUTPUT, binding.output, element)
                yield Watched(f"{field}[{element}]", origin)
        elif not is_distribution:
            origin = Origin(Role.OUTPUT, binding.output, ALL_ELEMENTS, span=width)
            yield Watched(f"mean({field})", origin)
        if is_distribution:
            for derived in (Derived.ENTROPY, Derived.GREATEST)[: 1 if width == 2 else 2]:
                origin = Origin(Role.OUTPUT, binding.output, 0, span=width, derived=derived)
                yield Watched(f"{derived}({field})", origin)


def are_probabilities(rows: Tensor) -> bool:
    """Whether every row is a distribution: no negative number, and a sum of one."""
    if not np.issubdtype(rows.dtype, np.floating) or not len(rows):
        return False
    numbers = rows.astype(np.float64)
    return bool((numbers >= 0).all() and np.allclose(numbers.sum(axis=1), 1.0, atol=1e-3))


def read_values(
    origins: Sequence[Origin],
    events: EventBatch,
    rows: npt.NDArray[np.intp],
    outputs: Mapping[str, Tensor],
) -> Values:
    """The columns of the given rows.

    Args:
        origins: Of the columns, in order.
        events: Hold the inputs.
        rows: Of the events; those that were scored.
        outputs: Of these rows, in their order.
    """
    count = len(rows)
    # Column by column in memory, as they are read.
    numbers = np.zeros((count, len(origins)), dtype=np.float64, order="F")
    kinds = np.zeros((count, len(origins)), dtype=np.uint8, order="F")
    texts: dict[int, Sequence[str]] = {}
    every = count == len(events)
    given = events.kinds if every else events.kinds[rows]
    flat: dict[tuple[Role, str], Tensor] = {}
    for column, origin in enumerate(origins):
        key = (origin.role, origin.tensor)
        if key not in flat:
            if origin.role is Role.OUTPUT:
                tensor = outputs[origin.tensor]
            else:
                tensor = events.tensors[origin.tensor]
                tensor = tensor if every else tensor[rows]
            flat[key] = tensor.reshape(count, -1)
        found = of_row(flat[key], origin)
        if origin.role is Role.INPUT:
            kinds[:, column] = given[:, origin.feature]
        if found.dtype.kind in "OUST":
            texts[column] = found.tolist()
        else:
            numbers[:, column] = found
    if not np.isfinite(numbers).all():
        _mark_non_finite(numbers, kinds)
    return Values(numbers, kinds, texts)


def of_row(tensor: Tensor, origin: Origin) -> Tensor:
    """One number, or text, a row of a flattened tensor; shape ``(k,)``."""
    if origin.derived is Derived.GREATEST:
        greatest: Tensor = tensor.max(axis=1)
        return greatest
    if origin.derived is Derived.ENTROPY:
        return entropy_of(tensor)
    if origin.element == ALL_ELEMENTS:
        part = tensor[:, origin.first : origin.first + origin.span].astype(np.float64)
        # Summed column by column: the order, and so the last bits, are the same for any batch.
        total = np.zeros(len(part))
        for element in range(origin.span):
            total += part[:, element]
        return total / origin.span
    return tensor[:, origin.element]


def entropy_of(tensor: Tensor) -> Float64Array:
    """Shannon's entropy of each row, in bits; NaN where a row is no distribution.

    Args:
        tensor: Not negative, shape ``(k, classes)``; rows need not sum to one.
    """
    weights = tensor.astype(np.float64)
    total = np.zeros(len(weights))
    terms = np.zeros(len(weights))
    with np.errstate(divide="ignore", invalid="ignore"):
        for element in range(weights.shape[1]):
            total += weights[:, element]
        for element in range(weights.shape[1]):
            share = weights[:, element] / total
            terms -= np.where(share > 0, share * np.log2(share), np.where(share == 0, 0.0, np.nan))
    return np.maximum(terms, 0.0)


def _mark_non_finite(numbers: Float64Array, kinds: UInt8Array) -> None:
    """Outputs have no kinds of their own, and a mean may overflow."""
    plain = kinds == Kind.VALUE
    kinds[plain & np.isnan(numbers)] = Kind.NAN
    kinds[plain & (numbers == np.inf)] = Kind.POSITIVE_INFINITY
    kinds[plain & (numbers == -np.inf)] = Kind.NEGATIVE_INFINITY
