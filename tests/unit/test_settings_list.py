"""The lists of settings and metrics: complete, committed, and never a secret in them."""

from pathlib import Path

import pytest

from stream_app.__main__ import main
from stream_app.cli.metrics_list import markdown as metrics_page
from stream_app.cli.setting_rows import (
    MASK,
    effective_values,
    section_titles,
    setting_rows,
    toml_value,
)
from stream_app.cli.settings_list import markdown as settings_page
from stream_app.cli.settings_list import toml
from stream_app.settings import Settings, load_settings

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_page_of_settings_is_the_code_s() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(setting_rows()), (
        "write it again: stream-app settings --format markdown > docs/settings.md"
    )


def test_the_committed_page_of_metrics_is_the_code_s() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert page == metrics_page(), (
        "write it again: stream-app metrics --format markdown > docs/metrics.md"
    )


def test_every_setting_has_a_meaning_and_every_section_a_title() -> None:
    rows = setting_rows()
    assert [row.name for row in rows if not row.meaning.endswith(".")] == []
    assert {row.section for row in rows} - {""} == set(section_titles())


def test_a_setting_is_where_its_environment_variable_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {row.name: row.environment for row in setting_rows()}
    monkeypatch.setenv(names["kafka.group"], "from-the-environment")
    monkeypatch.setenv(names["delivery"], "at_least_once")
    values = effective_values(load_settings())
    assert values["kafka.group"] == '"from-the-environment"'
    assert values["delivery"] == '"at_least_once"'


def test_the_toml_list_is_a_file_of_defaults(tmp_path: Path) -> None:
    listed = toml(setting_rows(), None)
    file = tmp_path / "stream-app.toml"
    file.write_text(listed, encoding="utf-8")
    assert load_settings(file) == load_settings()
    in_force = "\n".join(
        line.removeprefix("# ") if " = " in line and not line.endswith(".") else line
        for line in listed.splitlines()
        if not line.rstrip().endswith(" =")
    )
    file.write_text(in_force, encoding="utf-8")
    assert "kafka" in in_force
    assert load_settings(file) == load_settings()


def test_the_toml_list_of_effective_values_leads_to_them_again(tmp_path: Path) -> None:
    wanted = load_settings(None, {"kafka.group": "g", "batch.max_records": "7", "http.port": "0"})
    file = tmp_path / "stream-app.toml"
    file.write_text(toml(setting_rows(), effective_values(wanted)), encoding="utf-8")
    assert load_settings(file) == wanted


SECRET = "canary"  # a value to look for
HIDING_PLACES = f"""
[kafka]
sasl_password = "{SECRET}"
ssl_key_password = "{SECRET}"
properties = {{ "ssl.keystore.password" = "{SECRET}" }}
[registry]
url = "https://user:{SECRET}@registry:8081/api"
password = "{SECRET}"
"""


@pytest.mark.parametrize("form", ["table", "toml", "json"])
def test_no_secret_is_shown(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "stream-app.toml"
    file.write_text(HIDING_PLACES, encoding="utf-8")
    assert main(["settings", "--effective", "--format", form, "--config", str(file)]) == 0
    shown = capsys.readouterr().out
    assert SECRET not in shown
    assert shown.count(MASK) >= HIDING_PLACES.count(SECRET)
    assert "@registry:8081/api" in shown


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "true"),
        (1.5, "1.5"),
        ('a"b\\c', '"a\\"b\\\\c"'),
        (["a", "b"], '["a", "b"]'),
        ({}, "{}"),
        ({"a.b": "c"}, '{ "a.b" = "c" }'),
        (Path("x/y"), '"x/y"'),
    ],
)
def test_a_value_is_written_as_toml(value: object, written: str) -> None:
    assert toml_value(value) == written


def test_the_rows_are_the_model_s() -> None:
    top = [name for name, field in Settings.model_fields.items() if field.description]
    assert [row.name for row in setting_rows() if not row.section] == top
