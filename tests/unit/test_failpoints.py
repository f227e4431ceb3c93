"""Failpoints: nothing unless asked, exactly what is asked, and loud when misspelt."""

from pathlib import Path
from types import FunctionType

import pytest
from structlog.testing import capture_logs

from stream_app import failpoints
from stream_app.errors import ConfigError
from stream_app.failpoints import FLAG_VARIABLE, SPEC_VARIABLE, FailpointError, Place, arm


def test_without_the_variable_a_hit_is_one_call_of_an_empty_function() -> None:
    hit = arm({})
    assert hit is arm({SPEC_VARIABLE: ""}) is failpoints.hit
    assert isinstance(hit, FunctionType)
    assert hit.__code__.co_names == (), "it looks nothing up and calls nothing"
    hit("anything")


@pytest.mark.parametrize("place", list(Place))
def test_a_failpoint_fires_at_its_place_only(place: Place) -> None:
    hit = arm({SPEC_VARIABLE: f"{place}:1:raise"})
    for other in set(Place) - {place}:
        hit(other)
    with pytest.raises(FailpointError, match=place):
        hit(place)


def test_a_failpoint_fires_at_the_nth_hit_and_never_again() -> None:
    hit = arm({SPEC_VARIABLE: "after_begin:3:raise"})
    hit("after_begin")
    hit("after_begin")
    with pytest.raises(FailpointError):
        hit("after_begin")
    hit("after_begin")


def test_several_failpoints_are_separate() -> None:
    hit = arm({SPEC_VARIABLE: "after_begin:1:raise, before_commit:2:raise"})
    hit("before_commit")
    with pytest.raises(FailpointError, match="after_begin"):
        hit("after_begin")
    with pytest.raises(FailpointError, match="before_commit"):
        hit("before_commit")


def test_with_a_flag_file_a_failpoint_fires_once_over_all_restarts(tmp_path: Path) -> None:
    environ = {SPEC_VARIABLE: "after_begin:1:raise", FLAG_VARIABLE: str(tmp_path / "fired")}
    with pytest.raises(FailpointError):
        arm(environ)("after_begin")
    assert (tmp_path / "fired").exists()
    arm(environ)("after_begin")
    (tmp_path / "fired").unlink()
    with pytest.raises(FailpointError):
        arm(environ)("after_begin")


@pytest.mark.parametrize(
    "spec",
    [
        "nowhere",
        "after_begin:0",
        "after_begin:x",
        "after_begin:1:explode",
        "after_begin:1:sleep",
        "after_begin:1:sleep=",
        "after_begin:1:sleep=soon",
        "after_begin:1:sleep=-1",
        "after_begin:1:sleep=inf",
        "after_begin:1:kill=9",
        "after_begin,",
        ":1:kill",
    ],
)
def test_a_misspelt_failpoint_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match=SPEC_VARIABLE):
        arm({SPEC_VARIABLE: spec})


def test_a_flag_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=FLAG_VARIABLE):
        arm({SPEC_VARIABLE: "after_begin", FLAG_VARIABLE: str(tmp_path / "no" / "flag")})


def test_enabled_failpoints_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPEC_VARIABLE, "after_begin:1:sleep=0")
    with capture_logs() as logs:
        failpoints.announce()
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("failpoints_enabled", "warning")
    ]
    monkeypatch.setenv(SPEC_VARIABLE, "nowhere")
    with pytest.raises(ConfigError):
        failpoints.announce()
    monkeypatch.delenv(SPEC_VARIABLE)
    with capture_logs() as logs:
        failpoints.announce()
    assert logs == []
