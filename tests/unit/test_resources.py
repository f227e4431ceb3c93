"""Laws of packaged files: found in a checkout and in a wheel, and missed with a clear word."""

import json
from pathlib import Path

import pytest

from stream_app import resources
from stream_app.errors import ConfigError


def test_schemas_and_the_example_are_found_in_a_checkout() -> None:
    assert json.loads(resources.schema_path("event").read_text())["name"] == "CarLoanApplication"
    assert json.loads(resources.schema_path("prediction").read_text())["name"] == "Prediction"
    assert (resources.example_dir("car_loan") / "stream.avro").is_file()


def test_a_wheel_has_them_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "stream_app" / "_data"
    (inside / "schemas").mkdir(parents=True)
    (inside / "schemas" / "event.avsc").write_text("{}")
    monkeypatch.setattr(resources, "_ROOTS", (inside, tmp_path))
    assert resources.schema_path("event") == inside / "schemas" / "event.avsc"
    with pytest.raises(ConfigError, match=r"prediction\.avsc does not come with this install"):
        resources.schema_path("prediction")
    with pytest.raises(ConfigError, match="install stream-app again"):
        resources.example_dir("car_loan")
