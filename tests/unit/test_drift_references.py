"""References in the repository: found by their id, waited for while they are not there."""

import shutil
from pathlib import Path

import pytest

from stream_app.adapters.drift.reference_file import read_reference
from stream_app.adapters.drift.references import RepositoryReferences
from stream_app.core.drift.partial import Stream
from stream_app.errors import RetriableError

FILE = Path(__file__).parents[2] / "examples/car_loan/models/car_loan/1/reference.avro"


def stream(reference_id: str, model: str = "car_loan", version: str = "1") -> Stream:
    return Stream(model, version, "primary", reference_id, 1_000)


def put(repository: Path) -> str:
    folder = repository / "car_loan" / "1"
    folder.mkdir(parents=True)
    shutil.copy(FILE, folder)
    return read_reference(FILE).id


def test_a_reference_is_read_once_and_stays_the_same_object(tmp_path: Path) -> None:
    own = put(tmp_path)
    references = RepositoryReferences(tmp_path)
    layout = references.of(stream(own))
    shutil.rmtree(tmp_path / "car_loan")
    assert references.of(stream(own)) is layout


def test_one_that_comes_later_is_found(tmp_path: Path) -> None:
    references = RepositoryReferences(tmp_path)
    own = read_reference(FILE).id
    with pytest.raises(RetriableError, match=f"partials of car_loan 1 need reference {own}"):
        references.of(stream(own))
    put(tmp_path)
    assert references.of(stream(own)).reference.model_name == "car_loan"


def test_another_one_of_the_same_version_does_not_do(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(RetriableError, match="bring the one back"):
        RepositoryReferences(tmp_path).of(stream("0" * 16))


@pytest.mark.parametrize("name", ["..", "/etc", "a/b", ""])
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(RetriableError, match="plain folder name"):
        RepositoryReferences(tmp_path).of(stream("0" * 16, model=name))
