"""A real browser for tests of pages: Chromium without a window, over its own debugging protocol.

Decides how a page is opened as a person has it (width, colours), and what is seen of it: requests,
errors, what a script finds in it. Needs Chromium on the PATH and no package that is not there
anyway.
"""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.worker import until

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05


def find_browser() -> str | None:
    """Its path: ``STREAM_APP_TEST_BROWSER``, or what the PATH has."""
    given = os.environ.get("STREAM_APP_TEST_BROWSER")
    return given or next(filter(None, map(shutil.which, _NAMES)), None)


@dataclass
class Tab:
    """An open page.

    Attributes:
        requests: Addresses of all that it asked for outside of itself, its own included.
        errors: Exceptions, and what it said on the console or the browser said of it.
    """

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    _last: int = 0

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one, and return its result; what happens meanwhile is noted."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        await self.socket.send_json(message)
        while True:
            answer = await self.socket.receive_json(timeout=_WITHIN_S)
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    async def open(self, page: Path, width: int, height: int, *, dark: bool = False) -> None:
        """Load a file and wait until it is."""
        for name in ("Page", "Runtime", "Network", "Log"):
            await self.command(f"{name}.enable")
        await self.resize(width, height)
        await self.paint("dark" if dark else "light")
        self.events.clear()
        await self.command("Page.navigate", url=page.as_uri())
        while "Page.loadEventFired" not in self.events:
            self._note(await self.socket.receive_json(timeout=_WITHIN_S))

    async def resize(self, width: int, height: int) -> None:
        """Give it another size, in CSS pixels."""
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    async def paint(self, scheme: str) -> None:
        """Light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.command("Emulation.setEmulatedMedia", features=features)

    async def find(self, script: str) -> Any:
        """The value of an expression."""
        found = await self.command(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def wait_for(self, what: str, script: str) -> Any:
        """The value of an expression, once it is true."""
        deadline_s = time.monotonic() + _WITHIN_S
        while not (found := await self.find(script)):
            assert time.monotonic() < deadline_s, f"not within {_WITHIN_S:g} s: {what}"
            await asyncio.sleep(_LOOK_EVERY_S)
        return found

    async def press(self, key: str, code: int, text: str = "") -> None:
        """A key, down and up again; ``text`` is what it writes."""
        for kind in ("keyDown", "keyUp"):
            await self.command(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, text=text
            )

    async def click(self, x: float, y: float) -> None:
        """At a place of the viewport."""
        await self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            await self.command(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    async def picture(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the page."""
        found = await self.command(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole
        )
        path.write_bytes(base64.b64decode(found["data"]))

    def _note(self, event: dict[str, Any]) -> None:
        method, told = event.get("method", ""), event.get("params", {})
        self.events.append(method)
        if method == "Network.requestWillBeSent":
            # Plotly keeps the cells of a heat map as a picture in the page.
            if not told["request"]["url"].startswith("data:"):
                self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in {"error", "warning"}:
            self.errors.append(json.dumps(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in {"error", "warning"}:
            self.errors.append(json.dumps(told["entry"]))
        elif method == "Page.javascriptDialogOpening":
            self.errors.append(f"a dialog: {told['message']}")


@asynccontextmanager
async def open_tab(browser: str, folder: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page; ``folder`` is its own, and empty."""
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = folder / "DevToolsActivePort"
        lines = await asyncio.to_thread(
            until, "the browser listens", lambda: _lines(told), within_s=_WITHIN_S
        )
        address = f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as socket,
        ):
            tab = Tab(socket)
            target = await tab.command("Target.createTarget", url="about:blank")
            attached = await tab.command(
                "Target.attachToTarget", targetId=target["targetId"], flatten=True
            )
            tab.session = attached["sessionId"]
            yield tab
    finally:
        process.terminate()
        process.wait(_WITHIN_S)


def _lines(path: Path) -> list[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return lines if len(lines) == 2 else []
