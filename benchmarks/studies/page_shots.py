"""Pictures of the watch floor's page: an exercise off Cascadia, and Chile 2010 where a bank of it is given.

python -m benchmarks.studies.page_shots --out docs/figures [--chile chile.nc]

The bank: ``slipcast bank build chile --gauges 32412 --hours 7 --out chile.nc``. Needs playwright and Chromium.
"""

from __future__ import annotations

import argparse
import io
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from slipcast.io.atomic import atomic_path
from slipcast.records import packaged_records
from slipcast.service.client import play

TOKEN = secrets.token_urlsafe(32)
WALL = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}
NOW_MIN = 23
LATE_MIN = {"46411": 60.0}  # this buoy does not call in time
LATER_MIN = 45
BACK_TO_MIN = 18
CHILE_MIN = 225
MOST_BYTES = 400_000


@contextmanager
def service(bank: Path | None) -> Iterator[str]:
    """Run a service on a database that is thrown away; give its address."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "slipcast", "serve", "--port", "0", "--model", "cascadia"]
        command += ["--database", f"sqlite:///{folder}/watch.sqlite", *([] if bank is None else ["--bank", str(bank)])]
        environment = os.environ | {"SLIPCAST_TOKEN": TOKEN}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            line = next(line for line in process.stdout or [] if line.startswith("serving "))
            yield line.split()[-1].rstrip("/")
        finally:
            process.terminate()
            process.wait()


def open_page(browser: Browser, address: str, **options: Any) -> Page:
    """Open the page and wait until all of it is drawn."""
    page = browser.new_context(**options).new_page()
    page.goto(address)
    page.wait_for_selector("#forecast-rows tr", timeout=120_000)
    page.wait_for_selector("#map-base canvas, #map-base svg")
    page.wait_for_timeout(4000)
    return page


def save(page: Page, path: Path) -> None:
    """Write what the page shows."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture = picture.point(lambda value: min(255, (value + 2) // 4 * 4))  # smaller by a seventh, and no eye sees it
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    size = path.stat().st_size
    print(f"{path}: {picture.width} x {picture.height}, {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        raise SystemExit(f"{path} must be at most {MOST_BYTES} bytes, got {size}")


def exercise(address: str, minutes: int) -> str:
    """Play an exercise whose earthquake was some minutes ago; give the event's name."""
    records = packaged_records("cascadia-simulation")
    origin = datetime.now(UTC) - timedelta(minutes=minutes, seconds=20)
    return play(
        records,
        address,
        token=TOKEN,
        speed=float("inf"),
        until_min=minutes,
        latency_min=LATE_MIN,
        origin_time=f"{origin:%Y-%m-%dT%H:%M:%SZ}",
    ).event


def take_exercise(browser: Browser, address: str, out: Path) -> None:
    """Take the pictures of an exercise: as it goes on, light, dark and on a phone; looking back; one unit source."""
    event = exercise(address, NOW_MIN)
    at = f"{address}/?event={event}"
    save(open_page(browser, at, viewport=WALL, color_scheme="light"), out / "watch_light.png")
    save(open_page(browser, at, viewport=WALL, color_scheme="dark"), out / "watch_dark.png")
    phone = {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True, "color_scheme": "light"}
    save(open_page(browser, at, **phone), out / "watch_phone.png")
    event = exercise(address, LATER_MIN)
    page = open_page(browser, f"{address}/?event={event}", viewport=WALL, color_scheme="dark")
    page.locator("#slider").fill(str(BACK_TO_MIN - 1))
    page.wait_for_timeout(3000)
    page.locator(".source-dot").nth(8).focus()
    save(page, out / "watch_back.png")


def take_chile(browser: Browser, address: str, out: Path) -> None:
    """Take the picture of Chile 2010."""
    played = play(packaged_records("chile2010"), address, token=TOKEN, speed=float("inf"), until_min=CHILE_MIN)
    at = f"{address}/?event={played.event}"
    save(open_page(browser, at, viewport=WALL, color_scheme="light"), out / "watch_chile.png")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder of the pictures")
    parser.add_argument("--chile", type=Path, help="bank of Chile with DART 32412")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    options = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with service(arguments.chile) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        take_exercise(browser, address, arguments.out)
        if arguments.chile is not None:
            take_chile(browser, address, arguments.out)


if __name__ == "__main__":
    main()
