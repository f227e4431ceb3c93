"""Laws of the model repository: what is handed on is, to the bit, what was packed."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.model.golden_file import Golden, difference, dump_golden, parse_golden
from stream_app.adapters.model.manifest_file import PACKED_FILES, parse_manifest
from stream_app.adapters.model.pack import pack_model
from stream_app.adapters.model.repository import ModelRepository, resolve_version
from stream_app.errors import ConfigError, ExitStatus
from tests import onnx_models
from tests.onnx_models import CONTRACT, linear, pack


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    pack(tmp_path, linear())
    return tmp_path


def refused(repository: Path, version: str = "1", name: str = "model") -> str:
    with pytest.raises(ConfigError) as caught:
        ModelRepository(repository).open(name, version)
    assert caught.value.exit_status is ExitStatus.CONFIG
    return str(caught.value)


def versions(repository: Path, *names: str) -> ModelRepository:
    for name in names:
        (repository / "model" / name).mkdir(parents=True)
    return ModelRepository(repository)


def test_what_is_packed_is_what_is_opened(packed: Path) -> None:
    files = ModelRepository(packed).open("model")
    assert files.model == linear()
    assert files.version == "1"
    assert files.content_hash == files.manifest.files["model.onnx"].sha256[:12]
    scores = 1 / (
        1 + np.exp(-(files.golden.inputs["x"].astype(np.float64) @ np.array([[2.0], [3.0]])))
    )
    np.testing.assert_allclose(files.golden.outputs["y"].astype(np.float64), scores, atol=1e-6)


def test_packing_the_same_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (pack(tmp_path, linear(), version) for version in ("1", "2"))
    for file in (*PACKED_FILES, "manifest.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes()


def test_latest_is_the_greatest_number_and_never_another_name(tmp_path: Path) -> None:
    repository = versions(tmp_path, "2", "10", "9", "v11", "011", "canary", ".packing-99")
    assert repository.versions("model") == ["2", "9", "10", "011", "canary", "v11"]
    assert repository.resolve("model", "latest") == "10"
    assert repository.resolve("model", "canary") == "canary"
    assert resolve_version(tmp_path, "model") == "10"
    assert repository.models() == ["model"]


def test_a_version_or_model_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    versions(tmp_path, "blue")
    assert "no version '3', it has: blue" in refused(tmp_path, "3")
    assert "it has none (blue); name a version, or pack one" in refused(tmp_path, "latest")
    assert "no model 'other', it has: model" in refused(tmp_path, name="other")
    assert "cannot be listed" in refused(tmp_path / "absent")


@pytest.mark.parametrize("name", ["", ".", "..", "../model", "a/b", "/etc", "a\0b", "-x"])
def test_names_that_are_paths_are_refused(packed: Path, name: str) -> None:
    assert "is not a plain folder name" in refused(packed, version=name)
    assert "is not a plain folder name" in refused(packed, name=name)
    with pytest.raises(ConfigError, match="is not a plain folder name"):
        pack(packed, linear(), version=name)


@pytest.mark.parametrize("file", PACKED_FILES)
def test_one_flipped_bit_is_found_in_every_file(packed: Path, file: str) -> None:
    path = packed / "model" / "1" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    text = refused(packed)
    assert text.startswith(f"{path}: SHA-256 check failed")
    promised = json.loads((path.parent / "manifest.json").read_bytes())["files"][file]["sha256"]
    assert f"promises {promised}" in text


@pytest.mark.parametrize("file", [*PACKED_FILES, "manifest.json"])
def test_a_file_that_is_missing_cut_or_grown_is_refused(packed: Path, file: str) -> None:
    path = packed / "model" / "1" / file
    content = path.read_bytes()
    for changed in (content[:-2], content + b"x", b""):
        path.write_bytes(changed)
        assert refused(packed).startswith(str(path))
    path.unlink()
    assert "No such file" in refused(packed)


def test_a_link_is_followed_inside_its_version_only(packed: Path) -> None:
    folder = packed / "model" / "1"
    (folder / "..data").mkdir()
    (folder / "model.onnx").rename(folder / "..data" / "model.onnx")
    (folder / "model.onnx").symlink_to("..data/model.onnx")
    assert ModelRepository(packed).open("model").model == linear()

    (folder / "..data" / "model.onnx").rename(packed / "elsewhere.onnx")
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("../../elsewhere.onnx")
    assert f"links to {packed / 'elsewhere.onnx'}, outside of" in refused(packed)


def test_a_version_outside_the_repository_is_refused(
    packed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (packed / "model" / "1").rename(outside / "1")
    (packed / "model" / "1").symlink_to(outside / "1")
    assert "outside of" in refused(packed)


def test_a_hard_link_is_what_its_bytes_are(packed: Path) -> None:
    path = packed / "model" / "1" / "model.onnx"
    os.link(path, packed / "twin")
    assert ModelRepository(packed).open("model").model == linear()
    (packed / "twin").write_bytes(b"x" * len(linear()))
    assert "SHA-256 check failed" in refused(packed)


def test_a_pipe_is_refused_and_does_not_block(packed: Path) -> None:
    path = packed / "model" / "1" / "model.onnx"
    path.unlink()
    os.mkfifo(path)
    assert f"{path}: is no regular file" in refused(packed)


def test_a_version_is_never_written_twice(packed: Path) -> None:
    before = {path: path.read_bytes() for path in (packed / "model" / "1").iterdir()}
    with pytest.raises(ConfigError, match="exists, and versions never change"):
        pack(packed, onnx_models.lookup())
    with pytest.raises(ConfigError, match="is reserved"):
        pack(packed, linear(), version="latest")
    assert {path: path.read_bytes() for path in (packed / "model" / "1").iterdir()} == before


def test_packing_what_does_not_fit_leaves_nothing_behind(packed: Path) -> None:
    wrong = CONTRACT.replace(b'name = "x"', b'name = "features"')
    with pytest.raises(ConfigError, match='the model has no input "features"'):
        pack(packed, linear(), "2", wrong)
    with pytest.raises(ConfigError, match="give samples that fit the contract"):
        pack_model(
            model=linear(),
            contract=CONTRACT,
            repository=packed,
            name="model",
            version="2",
            samples={"x": np.zeros((4, 3), dtype=np.float32)},
        )
    assert sorted(path.name for path in packed.rglob("*") if path.is_dir()) == ["1", "model"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": 2}, "format: Input should be 1"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"files": {}}, "missing: model.onnx, contract.toml, golden.npz"),
        ({"tolerance": {"absolute": -1.0}}, "tolerance.absolute"),
    ],
)
def test_a_manifest_half_understood_is_refused(
    packed: Path, change: dict[str, object], expected: str
) -> None:
    path = packed / "model" / "1" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    text = refused(packed)
    assert expected in text
    assert "pack the version again" in text


def test_a_manifest_cannot_name_other_files(packed: Path) -> None:
    content = (packed / "model" / "1" / "manifest.json").read_bytes()
    renamed = content.replace(b'"model.onnx"', b'"../../../etc/passwd"')
    with pytest.raises(ConfigError, match=r"unknown: '\.\./"):
        parse_manifest(renamed, "manifest.json")


ARRAYS = st.sampled_from(
    [
        np.array([[1.5, np.nan], [np.inf, -0.0]], dtype=np.float32),
        np.array([1, -(2**60)], dtype=np.int64),
        np.array([True, False]),
        np.array(["", "größer"], dtype=object),
        np.zeros((2, 0, 3), dtype=np.float64),
    ]
)
TABLES = st.dictionaries(
    st.text(st.characters(codec="ascii", min_codepoint=33)), ARRAYS, min_size=1
)


@given(TABLES, TABLES)
def test_golden_vectors_come_back_as_they_were(
    inputs: dict[str, np.ndarray], outputs: dict[str, np.ndarray]
) -> None:
    read = parse_golden(dump_golden(Golden(inputs, outputs)), "golden.npz")
    for before, after in ((inputs, read.inputs), (outputs, read.outputs)):
        assert before.keys() == after.keys()
        for name, array in before.items():
            assert after[name].dtype == array.dtype
            np.testing.assert_array_equal(after[name], array)


def test_golden_vectors_that_are_none_are_refused() -> None:
    good = Golden({"x": np.zeros(2)}, {"y": np.zeros(2)})
    for content in (
        b"",
        b"no zip",
        dump_golden(good)[:-30],
        dump_golden(Golden({"x": np.zeros(2)}, {})),
        dump_golden(Golden({"x": np.zeros(2)}, {"y": np.zeros(3)})),
        dump_golden(Golden({"x": np.zeros(0)}, {"y": np.zeros(0)})),
        dump_golden(Golden({"x": np.zeros(())}, {"y": np.zeros(())})),
    ):
        with pytest.raises(ConfigError, match=r"^golden\.npz: .*pack the version again"):
            parse_golden(content, "golden.npz")


def test_golden_vectors_that_unpack_to_gigabytes_are_refused_unread() -> None:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        packed.open("input:x.npy", "w") as file,
    ):
        for _ in range(1025):
            file.write(bytes(1 << 20))
    assert len(content.getvalue()) < 8 << 20
    with pytest.raises(ConfigError, match=r"^golden\.npz: .* bytes unpacked, at most"):
        parse_golden(content.getvalue(), "golden.npz")


def test_difference_knows_what_is_not_finite() -> None:
    golden = np.array([1.0, np.nan, np.inf, -np.inf], dtype=np.float32)
    assert difference(golden + np.float32(1e-6), golden, 1e-5, 0) == ""
    for row, wrong in enumerate((1.1, 0.0, -np.inf, 1e38)):
        found = golden.copy()
        found[row] = wrong
        assert f"1 of 4 values differ, the first at [{row}]" in difference(found, golden, 1e-5, 0)
    assert "expected float32[4], found float64[4]" in difference(
        golden.astype(np.float64), golden, 1, 1
    )
    words = np.array(["a", "b"], dtype=object)
    assert difference(words, words, 0, 0) == ""
    assert "1 of 2" in difference(np.array(["a", "c"], dtype=object), words, 9, 9)
