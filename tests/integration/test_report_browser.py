"""Pages of drift in a real browser: what is drawn, what is asked for, and whether it fits."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from stream_app.__main__ import main
from stream_app.adapters.drift.report_alerts import computed_alerts
from stream_app.adapters.drift.report_page import write_report
from stream_app.drift_report import DriftReport
from stream_app.errors import ExitStatus
from tests.browser import Tab, find_browser, open_tab
from tests.drift_windows import (
    HOSTILE,
    WINDOW_MS,
    car_loan_windows,
    lifelike,
    renamed,
    write_windows,
)
from tests.reference_kit import EXAMPLE

DESKTOP, PHONE = (1280, 900), (390, 844)
END, LEFT, ENTER = ("End", 35), ("ArrowLeft", 37), ("Enter", 13, "\r")

Visit = Callable[[Tab], Awaitable[None]]


@pytest.fixture
def browser() -> str:
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium on the PATH; install it (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    file = write_windows(folder / "windows.avro", lifelike())
    arguments = ["drift", "report", "--from", str(file), "--html", str(folder / "report.html")]
    assert main(arguments) == ExitStatus.OK
    return folder / "report.html"


def visit(
    browser: str,
    page: Path,
    folder: Path,
    look: Visit,
    size: tuple[int, int] = DESKTOP,
    *,
    dark: bool = False,
) -> None:
    """Open a page, look at it, and see that it asked for nothing and complained of nothing."""

    async def visited() -> None:
        async with open_tab(browser, folder) as tab:
            await tab.open(page, *size, dark=dark)
            await look(tab)
            assert tab.errors == []
            assert tab.requests == [page.as_uri()]

    asyncio.run(visited())


async def count(tab: Tab, selector: str) -> int:
    found = await tab.find(f"document.querySelectorAll({selector!r}).length")
    assert isinstance(found, int)
    return found


async def overflow(tab: Tab, size: tuple[int, int]) -> int:
    """CSS pixels by which the page is wider than the window was made; a phone would zoom out."""
    found = await tab.find("document.documentElement.scrollWidth")
    assert isinstance(found, int)
    return max(0, found - size[0])


def test_all_plots_are_drawn(browser: str, page: Path, tmp_path: Path) -> None:
    async def look(tab: Tab) -> None:
        # The map; of two open columns 3 and 2; correlation, accuracy, rows and dead letters.
        assert await count(tab, ".js-plotly-plot") == 1 + 5 + 4
        assert await count(tab, "#heat .heatmaplayer image") == 2
        assert await count(tab, "#heat .scatterlayer .trace") == 2, "crosses, and alerts"
        assert await count(tab, "#c0 .barlayer .trace") == 2, "the reference and the window"
        assert await count(tab, "#c0 .scatterlayer .trace") == 3 + 6, "statistic; mean"
        assert await count(tab, "#together .js-plotly-plot") == 4
        noise = (
            "[...document.querySelectorAll('#c0 .legendtext')]"
            ".some((each) => each.textContent === 'expected without drift')"
        )
        assert await tab.find(noise)
        await tab.find(choose_statistic("Kolmogorov-Smirnov (for information)"))
        assert not await tab.find(noise), "its expectation is not known"
        assert await count(tab, ".column[open]") == 2
        await tab.find("document.querySelectorAll('.column').forEach((own) => own.open = true)")
        plots = "document.querySelectorAll('.column .js-plotly-plot').length >= 24"
        await tab.wait_for("plots of all columns", plots)
        await tab.find("document.querySelectorAll('.column').forEach((own) => own.open = false)")
        gone = "document.querySelectorAll('.column .js-plotly-plot').length === 0"
        await tab.wait_for("no plots of closed columns", gone)

    visit(browser, page, tmp_path, look)


def choose_statistic(words: str) -> str:
    return f"""(() => {{
        const select = document.querySelector('#c0 select');
        select.value = [...select.options].find((each) => each.text === {words!r}).value;
        select.dispatchEvent(new Event('change'));
    }})()"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_the_window(
    width: int, dark: bool, browser: str, page: Path, tmp_path: Path
) -> None:
    size = width, 800

    async def look(tab: Tab) -> None:
        assert await overflow(tab, size) == 0
        await tab.find("document.querySelectorAll('details').forEach((own) => own.open = true)")
        await tab.wait_for("tables of numbers", "document.querySelectorAll('.wide').length > 6")
        assert await overflow(tab, size) == 0

    visit(browser, page, tmp_path, look, size, dark=dark)


def test_colours_follow_the_system_and_paper_is_light(
    browser: str, page: Path, tmp_path: Path
) -> None:
    ink = "getComputedStyle(document.querySelector('#heat .ytick text')).fill"

    async def look(tab: Tab) -> None:
        light = await tab.find(ink)
        await tab.paint("dark")
        await tab.wait_for("another colour of text in plots", f"{ink} !== {light!r}")
        assert await tab.find("(dispatchEvent(new Event('beforeprint')), true)")
        await tab.wait_for("ink on paper", f"{ink} === {light!r}")
        assert await tab.find("(dispatchEvent(new Event('afterprint')), true)")
        await tab.wait_for("light text again", f"{ink} !== {light!r}")

    visit(browser, page, tmp_path, look)


def test_a_cell_leads_to_its_column_in_its_window(browser: str, page: Path, tmp_path: Path) -> None:
    place = """(() => {
        const box = document.querySelector('#heat .heatmaplayer image').getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height * 3.5 / 11];
    })()"""

    async def look(tab: Tab) -> None:
        told = await tab.find("document.getElementById('told').textContent")
        await tab.find("document.getElementById('map').scrollIntoView()")
        await tab.click(*await tab.find(place))
        changed = f"document.getElementById('told').textContent !== {told!r}"
        await tab.wait_for("another window is chosen", changed)
        fourth = "document.querySelector('.column[data-at=\"3\"]')"
        assert await tab.find(f"{fourth}.open")
        assert await tab.find(f"document.activeElement.parentElement === {fourth}")

    visit(browser, page, tmp_path, look)


def test_a_keyboard_is_enough(browser: str, page: Path, tmp_path: Path) -> None:
    value = "Number(document.getElementById('window').value)"
    legend = "document.querySelector('#c0 .legend').textContent"

    async def look(tab: Tab) -> None:
        await tab.find("document.getElementById('window').focus()")
        await tab.press(*END)
        last = await tab.find(value)
        assert last == await tab.find("Number(document.getElementById('window').max)")
        before = await tab.find(legend)
        await tab.press(*LEFT)
        assert await tab.find(value) == last - 1
        assert await tab.find(legend) != before, "the distribution is another window's"
        await tab.find("document.querySelector('.column[data-at=\"5\"] summary').focus()")
        await tab.press(*ENTER)
        await tab.wait_for(
            "an open column", "document.querySelector('.column[data-at=\"5\"]').open"
        )

    visit(browser, page, tmp_path, look)


def test_names_from_data_are_shown_and_not_run(browser: str, tmp_path: Path) -> None:
    windows = [renamed(window, HOSTILE) for window in car_loan_windows()[40:52]]
    page, folder = tmp_path / "report.html", tmp_path / "browser"
    report = DriftReport(windows[0].head.stream, WINDOW_MS, tuple(windows))
    write_report(page, computed_alerts(report), "made by a test")
    place = """(() => {
        const box = document.querySelector('#heat .heatmaplayer image').getBoundingClientRect();
        return [box.left + box.width * 0.9, box.top + box.height * 0.5 / 11];
    })()"""

    async def look(tab: Tab) -> None:
        await tab.find("document.querySelectorAll('details').forEach((own) => own.open = true)")
        await tab.wait_for("tables of numbers", "document.querySelectorAll('.wide').length > 6")
        await tab.find("document.getElementById('map').scrollIntoView()")
        await tab.click(*await tab.find(place))
        assert await count(tab, "img") == 0
        shown = await tab.find("document.querySelector('#heat').textContent")
        assert HOSTILE[:20] in shown, "Plotly would make bold what it takes for HTML"
        assert await tab.find("document.body.textContent.includes('onerror=alert(2)')")
        assert await overflow(tab, DESKTOP) == 0

    folder.mkdir()
    visit(browser, page, folder, look)


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_a_reference_is_drawn_and_fits(
    dark: bool, browser: str, tmp_path: Path
) -> None:
    page, folder = tmp_path / "reference.html", tmp_path / "browser"
    where = ["--set", f"model.repository={EXAMPLE / 'models'}"]
    shown = ["model", "reference", "show", "car_loan", "--html", str(page), *where]
    assert main(shown) == ExitStatus.OK

    async def look(tab: Tab) -> None:
        await tab.wait_for("all plots", "document.querySelectorAll('.main-svg').length >= 12")
        assert await overflow(tab, PHONE) == 0

    folder.mkdir()
    visit(browser, page, folder, look, PHONE, dark=dark)
