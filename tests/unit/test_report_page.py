"""Laws of the page of a report: it says what the records say, and runs nothing of theirs."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from stream_app.adapters.drift import report_data
from stream_app.adapters.drift.report_alerts import computed_alerts
from stream_app.adapters.drift.report_data import MOST_BARS, page_data
from stream_app.adapters.drift.report_page import write_report
from stream_app.core.drift.window_report import Bar, WindowReport
from stream_app.drift_report import DriftReport
from tests.drift_windows import HOSTILE, WINDOW_MS, car_loan_windows, renamed, told_again

MADE = "made by a test"


def report(windows: list[WindowReport]) -> DriftReport:
    stream = windows[0].head.stream
    return computed_alerts(DriftReport(stream, WINDOW_MS, tuple(windows)))


def page_of(found: DriftReport, tmp_path: Path) -> str:
    path = tmp_path / "report.html"
    write_report(path, found, MADE)
    return path.read_text(encoding="utf-8")


class Outline(HTMLParser):
    """The elements of a page, its text, and what stands in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


def test_names_from_data_make_no_element_and_run_nothing(tmp_path: Path) -> None:
    plain = Outline(page_of(report(list(car_loan_windows()[44:50])), tmp_path))
    windows = [renamed(window, HOSTILE) for window in car_loan_windows()[44:50]]
    page = page_of(report(windows), tmp_path)
    found = Outline(page)
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(have) for _, have in found.tags] == [sorted(have) for _, have in plain.tags]
    assert found.text.count(HOSTILE) > 20
    assert data_of(page)["columns"][0]["name"].startswith(HOSTILE)


def test_a_browser_is_told_to_run_these_scripts_and_to_load_nothing(tmp_path: Path) -> None:
    found = Outline(page_of(report(list(car_loan_windows()[:2])), tmp_path))
    (policy,) = (
        have["content"] or "" for tag, have in found.tags if "http-equiv" in have and tag == "meta"
    )
    run = [
        script
        for script, (_, have) in zip(
            found.scripts, (each for each in found.tags if each[0] == "script"), strict=True
        )
        if have.get("type") != "application/json"
    ]
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in run]
    assert len(run) == 2
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    assert policy.startswith(f"default-src 'none'; script-src {allowed};")
    assert not any({"src", "onload", "onerror", "onclick"} & set(have) for _, have in found.tags)
    links = [have["href"] or "" for tag, have in found.tags if "href" in have]
    assert links
    assert all(link.startswith("#") for link in links)


def test_numbers_of_the_page_are_those_of_the_records(tmp_path: Path) -> None:
    windows = [told_again(w, letters={21: at}) for at, w in enumerate(car_loan_windows()[40:52], 1)]
    found = report(windows)
    data = data_of(page_of(found, tmp_path))
    assert data["windows"]["start"] == [w.head.start_ms for w in windows]
    assert data["windows"]["rows"] == [w.head.rows for w in windows]
    assert data["windows"]["letters"] == {"NON_FINITE": list(range(1, 13))}
    assert data["windows"]["threshold"] == near([w.threshold for w in windows])
    for shown in data["columns"]:
        own = [next(c for c in w.columns if c.name == shown["name"]) for w in windows]
        assert shown["valid"] == [column.valid for column in own]
        assert shown["mean"] == near([column.mean for column in own])
        assert shown["bars"]["current"] == [[bar.current for bar in c.bars] for c in own]
        assert shown["bars"]["reference"] == [bar.reference for bar in own[0].bars]
        for at, each in enumerate(shown["statistics"]):
            assert each["value"] == near([column.statistics[at].value for column in own])
            if "score" in each:
                assert each["score"] == near([column.statistics[at].score for column in own])
        for at, each in enumerate(shown["defects"]):
            shares = [column.defects[at].share for column in own]
            assert each.get("share", [0.0] * len(own)) == near(shares)
    estimated = [w.accuracy.accuracy for w in windows if w.accuracy is not None]
    assert data["accuracy"]["estimated"] == near(estimated)


def near(values: list[float]) -> list[Any]:
    return [None if isnan(value) else pytest.approx(value, rel=1e-5) for value in values]


def test_tables_say_it_too(tmp_path: Path) -> None:
    found = report(list(car_loan_windows()[40:60]))
    text = Outline(page_of(found, tmp_path)).text
    assert "Drift: 14 of the 20 windows that could be judged have it" in text
    for window in found.windows:
        assert f"{window.greatest:.3g}" in text
        assert f"{window.threshold:.3g}" in text
    assert found.alerts
    for alert in found.last_alerts:
        assert alert.column in text
        assert f"{alert.state.value} ({alert.reason.value.replace('_', ' ')})" in text
    assert MADE in text


def test_numbers_that_are_none_are_null_not_nought() -> None:
    window = car_loan_windows()[3]
    columns = tuple(
        replace(c, mean=float("nan"), sd=float("inf"), statistics=()) for c in window.columns
    )
    data = page_data(report([replace(window, columns=columns)]))
    text = json.dumps(data, allow_nan=False)
    (shown,) = (c for c in json.loads(text)["columns"] if c["name"] == "car_value")
    assert (shown["mean"], shown["sd"], shown["drift"]["ratio"]) == ([None], [None], [None])


def test_of_many_names_those_that_were_ever_frequent_are_drawn_and_no_row_is_lost() -> None:
    bars = tuple(Bar(f"n{at}", *(float("nan"),) * 2, 1_000 - at, at) for at in range(200))
    window = car_loan_windows()[3]
    wide = replace(window.columns[1], bars=bars, valid=sum(range(200)))
    data = json.loads(json.dumps(page_data(report([replace(window, columns=(wide,))]))))
    shown = data["columns"][0]["bars"]
    assert len(shown["names"]) == MOST_BARS + 1
    assert shown["names"][-1] == f"({200 - MOST_BARS} more)"
    assert "n199" in shown["names"]
    assert sum(shown["current"][0]) == sum(range(200))
    assert sum(shown["reference"]) == sum(bar.reference for bar in bars)


def test_of_very_many_columns_the_worst_are_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report_data, "MOST_COLUMNS", 3)
    found = report(list(car_loan_windows()[60:64]))
    page = page_of(found, tmp_path)
    assert [c["name"] for c in data_of(page)["columns"]] == [r.name for r in found.ranks[:3]]
    assert "7 others have no drift, or less" in Outline(page).text


def test_without_what_a_reference_may_lack_there_is_a_page(tmp_path: Path) -> None:
    windows = [
        replace(w, accuracy=None, correlation=None, threshold=float("nan"), calibration="none")
        for w in car_loan_windows()[:3]
    ]
    found = replace(report(windows), alerts=None, alerts_from="nobody looked")
    page = page_of(found, tmp_path)
    assert data_of(page)["accuracy"] is None
    assert data_of(page)["correlation"] is None
    assert "Not known: nobody looked." in Outline(page).text
