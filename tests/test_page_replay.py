"""The watch floor while an event is replayed at 60 times its pace, watched as an operator watches it."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from conftest import build_quietly
from page_fixtures import TOKEN, WAIT_MS, Seen, serving
from slipcast.regions.region import Region

pytestmark = pytest.mark.slow

# what an operator reads at a glance, as often as the page changes it
READ = """() => {
    const text = name => document.getElementById(name).innerText.trim();
    return {
        clock: text("as-at"), magnitude: text("magnitude"), interval: text("magnitude-interval"),
        worst: text("worst-name"), height: text("worst-height"), connection: text("connection-word"),
        rows: [...document.querySelectorAll("#forecast-rows tr")].map(row => row.dataset.gauge),
        buoys: Object.fromEntries([...document.querySelectorAll(".mark[data-shape]")].map(
            mark => [mark.dataset.gauge, mark.dataset.shape])),
    };
}"""


def replay(event, address, folder, *options):
    token = folder / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    command = [sys.executable, "-m", "slipcast", "replay", event, "--to", address, "--speed", "60"]
    return subprocess.Popen([*command, "--token-file", str(token), *options], stderr=subprocess.DEVNULL)


def minute_of(text):
    found = re.search(r"T\+(\d\d):(\d\d)", text)
    return None if found is None else 60 * int(found[1]) + int(found[2])


def watched(page, playing, until):
    """Read the page twice a second until it shows a minute; return what was read, one for each minute shown."""
    seen, deadline = {}, time.monotonic() + 150
    while max(seen, default=0) < until and time.monotonic() < deadline:
        assert playing.poll() in (None, 0)
        read = page.evaluate(READ)
        if (minute := minute_of(read["clock"])) is not None:
            seen[minute] = read
        page.wait_for_timeout(300)
    return seen


def test_an_exercise_off_cascadia_at_60_times_its_pace(tmp_path, browser):
    with serving(tmp_path) as running:
        page = browser.new_context(viewport={"width": 1920, "height": 1080}).new_page()
        page.set_default_timeout(WAIT_MS)
        notes = Seen(page, running.address)
        page.goto(f"{running.address}/?map=plain")
        playing = replay("cascadia-simulation", running.address, tmp_path, "--until", "40")
        page.wait_for_selector("#forecast-rows tr")
        seen = watched(page, playing, 40)
        assert playing.wait(60) == 0
        # the page kept up: most minutes were shown while they lasted, each as one whole
        assert list(seen) == sorted(seen)
        assert len(seen) > 25
        assert {read["connection"] for read in seen.values()} == {"Live"}
        for read in seen.values():
            assert float(read["magnitude"]) > 7
            assert re.fullmatch(r"90 % \d\.\d\d to \d\.\d\d", read["interval"])
            assert float(read["height"]) > 0
        # what is known grows: the interval narrows, buoys hear the wave one after the other
        first, last = (seen[minute] for minute in (min(seen), max(seen)))
        width = [
            float(high) - float(low) for _, _, low, _, high in (read["interval"].split() for read in (first, last))
        ]
        assert width[1] < width[0]
        detected = [sum(shape == "wave detected" for shape in read["buoys"].values()) for read in seen.values()]
        assert detected[0] == 0
        assert detected[-1] >= 2
        # and in the end it is what the service says
        event = running.get("/api/events")["events"][0]["id"]
        result = running.get(f"/api/events/{event}/results/latest")
        points = [row["gauge"] for row in result["forecast"] if row["kind"] == "forecast"]
        assert last["magnitude"] == f"{result['magnitude']:.1f}"
        assert last["rows"] == points
        page.locator("#slider").focus()
        page.keyboard.press("Home")
        page.wait_for_function("document.getElementById('as-at').innerText.startsWith('Looking back')")
        page.locator("#live").click()
        page.emulate_media(color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert (notes.problems, notes.foreign) == ([], [])
        page.context.close()


def test_chile_2010_at_60_times_its_pace(tmp_path, browser):
    build_quietly(Region.open("chile").with_gauges(["32412"]), spacing_arcmin=12, hours=5).save(tmp_path / "chile.nc")
    with serving(tmp_path, "--bank", str(tmp_path / "chile.nc")) as running:
        page = browser.new_context(viewport={"width": 1920, "height": 1080}).new_page()
        page.set_default_timeout(WAIT_MS)
        notes = Seen(page, running.address)
        page.goto(f"{running.address}/")
        # the wave passes 32412 between minutes 190 and 220; the hours before come at once
        playing = replay("chile2010", running.address, tmp_path, "--begin", "180", "--until", "225")
        page.wait_for_selector("#forecast-rows tr")
        seen = watched(page, playing, 225)
        assert playing.wait(60) == 0
        assert list(seen) == sorted(seen)
        assert len(seen) > 25
        states = [read["buoys"]["32412"] for read in seen.values()]
        assert states[0] == "no wave detected"
        assert states[-1] == "wave detected"
        # Mw 8.8 (USGS); one buoy and a coarse bank give it to within a few tenths, and nothing before the wave
        magnitudes = {minute: read["magnitude"] for minute, read in seen.items()}
        assert float(magnitudes[max(seen)]) == pytest.approx(8.8, abs=0.3)
        assert magnitudes[min(seen)] != magnitudes[max(seen)]
        last = seen[max(seen)]
        assert "no interval" in last["interval"]
        assert last["worst"] == "DART 32412"
        assert last["connection"] == "Connected, past event"
        assert not page.locator("#simulation").is_visible()
        assert page.locator(".record .chart").get_attribute("aria-label").endswith("with the model")
        assert (notes.problems, notes.foreign) == ([], [])
        page.context.close()
