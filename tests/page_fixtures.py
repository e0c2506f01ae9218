"""A service in a process of its own, with an exercise played into it, and a browser that watches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TOKEN = "a-token-for-the-tests-of-the-page-only"
WAIT_MS = 60_000
PLAYED_MIN = 30


def browser_path() -> str | None:
    """Return the Chromium of this machine."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


class Served:
    """A running service."""

    def __init__(self, folder: Path, *options: str):
        self._folder, self._options = folder, options
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def start(self, port: int = 0) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "slipcast", "serve", "--port", str(port)]
        command += ["--database", f"sqlite:///{self._folder / 'watch.sqlite'}", *self._options]
        environment = os.environ | {"SLIPCAST_TOKEN": TOKEN, "OMP_WAIT_POLICY": "PASSIVE"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("serving "):
                self.address = line.split()[-1].rstrip("/")
                return
        raise AssertionError("the service did not start")

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def get(self, path: str) -> Any:
        """Return the JSON of an address."""
        import httpx

        return httpx.get(self.address + path, headers=self._headers(), timeout=60).raise_for_status().json()

    def post(self, path: str, content: Any) -> Any:
        """Send JSON with the token."""
        import httpx

        return (
            httpx.post(self.address + path, json=content, headers=self._headers(), timeout=60).raise_for_status().json()
        )

    @staticmethod
    def _headers() -> dict[str, str]:
        return {"authorization": f"Bearer {TOKEN}"}


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Served]:
    """Run a service."""
    served = Served(folder, *options)
    try:
        served.start()
        yield served
    finally:
        served.stop()


@contextmanager
def browsing() -> Iterator[Any]:
    """Open a browser."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the page is watched with playwright")
    path = browser_path()
    if path is None:
        pytest.skip("the page is watched in Chromium, and there is none")
    with sync_api.sync_playwright() as playwright:
        # drawn by the processor: a machine for tests has no graphics card
        options = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


class Seen:
    """What a page did that an operator does not see: errors, and who was asked."""

    def __init__(self, page: Any, address: str):
        self.problems: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self._note(request.url, address))

    def _note(self, url: str, address: str) -> None:
        if not url.startswith((address + "/", "blob:", "data:")):
            self.foreign.append(url)
