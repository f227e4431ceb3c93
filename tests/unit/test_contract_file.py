"""Laws of contract.toml: what is written is what is read, and all faults are told at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.model.contract_file import dump_contract, load_contract, parse_contract
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

MATRIX = b"""
format = 1
[event]
records = ["io.streamapp.examples.CarLoanApplication"]
id = "application_id"
time = "timestamp"
[[inputs]]
name = "features"
dtype = "float32"
  [[inputs.features]]
  field = "car_value"
  on_null = "nan"
  [[inputs.features]]
  field = "salary_range"
  categories = ["low", "high"]
  on_unseen = "dead_letter"
[[outputs]]
field = "scores"
output = "probabilities"
[[outputs]]
field = "label"
output = "label"
column = 0
[policy]
on_non_finite_output = "keep"
"""


def faults(content: bytes | str) -> list[str]:
    text = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(ConfigError) as caught:
        parse_contract(text, "c.toml")
    lines = str(caught.value).split("\n")
    assert all(line.startswith("c.toml: ") for line in lines)
    return [line.removeprefix("c.toml: ") for line in lines]


def test_a_file_becomes_the_contract_it_describes() -> None:
    assert parse_contract(MATRIX, "c.toml") == Contract(
        record_names=("io.streamapp.examples.CarLoanApplication",),
        id_field="application_id",
        time_field="timestamp",
        inputs=(
            InputTensor(
                "features",
                DType.FLOAT32,
                (
                    Feature("car_value", on_null=OnNull.NAN),
                    Feature(
                        "salary_range",
                        categories=("low", "high"),
                        on_unseen=OnUnseen.DEAD_LETTER,
                    ),
                ),
                (2,),
            ),
        ),
        outputs=(OutputBinding("scores", "probabilities"), OutputBinding("label", "label", 0)),
        on_non_finite_output=OnNonFinite.KEEP,
    )


@pytest.mark.parametrize(
    ("feature", "shape", "expected"),
    [
        ('field = "a"', "", (1,)),
        ('field = "a"', "shape = []", ()),
        ('field = "a"\nshape = [2, 3]', "", (2, 3)),
        ('field = "a"\nshape = [6]', "shape = [3, 2]", (3, 2)),
    ],
)
def test_a_shape_left_out_is_the_plainest_one(
    feature: str, shape: str, expected: tuple[int, ...]
) -> None:
    text = f"""
    format = 1
    event = {{ id = "id" }}
    [[inputs]]
    name = "x"
    dtype = "float32"
    {shape}
    [[inputs.features]]
    {feature}
    [[outputs]]
    field = "scores"
    output = "y"
    """
    assert parse_contract(text.encode(), "c.toml").inputs[0].shape == expected


def test_all_faults_of_the_format_are_told_at_once_with_their_places() -> None:
    text = """
    format = 2
    colour = "red"
    [event]
    time = 3
    [[inputs]]
    name = "x"
    dtype = "float33"
    [[inputs.features]]
    field = "a"
    default = [1]
    on_unseen = "code"
    [[outputs]]
    field = "scores"
    output = "y"
    column = "first"
    """
    told = faults(text)
    assert [line.split(": ")[0] for line in told] == [
        "format",
        "event.id",
        "event.time",
        "inputs.0.dtype",
        "inputs.0.features.0.default",
        "inputs.0.features.0.on_unseen",
        "outputs.0.column",
        "colour",
    ]
    assert "float32" in told[3]


def test_all_faults_of_sense_are_told_at_once_with_their_remedies() -> None:
    text = """
    format = 1
    event = { id = "an id" }
    [[inputs]]
    name = "x"
    dtype = "int64"
    shape = [3]
      [[inputs.features]]
      field = "a"
      on_null = "nan"
      [[inputs.features]]
      field = "b"
      categories = ["one", "two"]
      on_null = "default"
      default = "three"
    [[outputs]]
    field = "scores"
    output = "y"
    """
    told = faults(text)
    assert len(told) == 4
    assert told[0].startswith("event.id: 'an id'")
    assert told[1] == (
        "inputs.0.shape: [3] holds 3 values a row, the features fill 2; make them equal, or leave "
        "shape out"
    )
    assert 'inputs.0.features.0 ("a").on_null: "nan" needs a float input' in told[2]
    assert "'three' is not in categories" in told[3]


def test_a_file_that_is_no_toml_is_told_so(tmp_path: Path) -> None:
    assert "not valid TOML" in faults(b"format = ")[0]
    assert "not valid TOML" in faults(b"\xff")[0]
    with pytest.raises(ConfigError, match="cannot be read"):
        load_contract(tmp_path / "contract.toml")


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)


@st.composite
def features(draw: st.DrawFn, dtype: DType) -> Feature:
    field, aliases = draw(PATHS), tuple(draw(st.lists(PATHS, max_size=2)))
    policy = draw(st.sampled_from(OnNonFinite))
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=2)))
    default: float | str | bool
    if dtype is DType.STRING:
        default = draw(TEXTS)
    elif dtype is DType.BOOL:
        default = draw(st.booleans())
    elif dtype in {DType.INT64, DType.UINT8}:
        default = draw(st.integers(0, 255))
    else:
        default = draw(st.floats(allow_nan=False, allow_infinity=False, width=32))
    if draw(st.booleans()):
        return Feature(field, aliases, None, OnNull.DEFAULT, default, OnUnseen.CODE, policy, shape)
    if dtype in {DType.STRING, DType.BOOL} or draw(st.booleans()):
        encoding = Encoding.RAW if shape and dtype is not DType.STRING else Encoding.VALUE
        return Feature(field, aliases, shape=shape, encoding=encoding)
    categories = tuple(draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True)))
    unseen = draw(st.sampled_from(OnUnseen))
    return Feature(field, aliases, categories, on_unseen=unseen, on_non_finite=policy)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    inputs = []
    for name in draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True)):
        dtype = draw(st.sampled_from(DType))
        columns = tuple(draw(st.lists(features(dtype), min_size=1, max_size=3)))
        inputs.append(InputTensor(name, dtype, columns, (sum(f.width for f in columns),)))
    outputs = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    return Contract(
        record_names=tuple(draw(st.lists(PATHS, max_size=2))),
        id_field=draw(PATHS),
        time_field=draw(st.none() | PATHS),
        inputs=tuple(inputs),
        outputs=tuple(
            OutputBinding(field, draw(TEXTS), draw(st.none() | st.integers(0, 9)))
            for field in outputs
        ),
        on_non_finite_output=draw(st.sampled_from(OnNonFinite)),
    )


@given(contracts().filter(lambda contract: not check_contract(contract)), st.lists(st.text()))
def test_what_is_dumped_is_what_is_loaded(contract: Contract, notes: list[str]) -> None:
    assert parse_contract(dump_contract(contract, notes).encode(), "c.toml") == contract
