"""The page of the watch floor, read as a person would."""

from __future__ import annotations

import itertools
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from page_fixtures import PLAYED_MIN, TOKEN, WAIT_MS, Seen, serving

PAGE = Path(__file__).parents[1] / "src" / "slipcast" / "service" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
WIDE = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}


# ---- the files alone


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_page_has_no_inline_script_or_style_and_loads_from_itself():
    tags = _Tags()
    tags.feed((PAGE / "index.html").read_text(encoding="utf-8"))
    for tag, attributes in tags.found:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "style"
        if tag == "script":
            assert attributes["src"]
        for name in ("src", "href"):
            if name in attributes and tag != "a":
                target = attributes[name] or ""
                assert target.startswith("/page/"), target
                assert (PAGE / target.removeprefix("/page/")).is_file(), target


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_own_scripts_write_text_only_and_name_no_other_host(path):
    text = path.read_text(encoding="utf-8")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        'setAttribute("style"',
    ):
        assert word not in text
    assert set(re.findall(r"https?://[^\"'\s)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert len(text.splitlines()) <= 500


def test_libraries_are_named_with_their_licences():
    table = (PAGE / "vendor" / "README.md").read_text(encoding="utf-8")
    for path in (PAGE / "vendor").iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in table


def _colours(theme: str) -> dict[str, str]:
    block = re.search(
        rf'\[data-theme="{theme}"\] {{(.*?)}}', (PAGE / "theme.css").read_text(encoding="utf-8"), re.DOTALL
    )
    assert block is not None
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block[1]))


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_and_white_is_21():
    assert _contrast("#000000", "#ffffff") == pytest.approx(21.0)


# WCAG 2.1: 4.5 for text (1.4.3), 3 for shapes that mean something (1.4.11)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        ("text", "ground", 4.5),
        ("text", "panel", 4.5),
        ("text", "raised", 4.5),
        ("muted", "panel", 4.5),
        ("muted", "raised", 4.5),
        ("muted", "ground", 4.5),
        ("accent", "raised", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-warning", "warning", 4.5),
        ("on-advisory", "advisory", 4.5),
        ("on-information", "information", 4.5),
        ("panel", "good", 4.5),
        ("cut", "panel", 4.5),
        ("warning", "sea", 3.0),
        ("information", "sea", 3.0),
        ("none", "panel", 3.0),
        ("buoy-wave", "sea", 3.0),
        ("buoy-no-data", "panel", 3.0),
        ("model", "panel", 3.0),
        ("since", "panel", 3.0),
        ("coast", "panel", 2.0),
    ],
)
def test_colours_have_the_contrast_of_wcag_aa(theme, ink, ground, least):
    colours = _colours(theme)
    assert _contrast(colours[ink], colours[ground]) >= least


# ---- a browser that watches a service


@pytest.fixture(scope="module")
def exercise():
    from slipcast.records import packaged_records

    return packaged_records("cascadia-simulation")


@pytest.fixture(scope="module")
def served(tmp_path_factory, exercise, browser):
    from slipcast.service.client import play

    with serving(tmp_path_factory.mktemp("served")) as running:
        play(exercise, running.address, token=TOKEN, speed=math.inf, until_min=PLAYED_MIN)
        yield running


@pytest.fixture(scope="module")
def event(served):
    return served.get("/api/events")["events"][0]["id"]


@pytest.fixture
def watch(browser, served):
    """Open the page as often as wanted; afterwards nothing may have gone wrong in it."""
    contexts, seen = [], []

    def opened(query="", viewport=WIDE, **options):
        contexts.append(browser.new_context(viewport=viewport, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT_MS)
        seen.append(Seen(page, served.address))
        page.goto(f"{served.address}/{query}")
        page.wait_for_selector("#forecast-rows tr")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [each.problems for each in seen] == [[] for _ in seen]
    assert [each.foreign for each in seen] == [[] for _ in seen]


def _text(page, selector):
    return page.locator(selector).inner_text().strip()


def _wait_for_text(page, selector, text):
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_contain_text(text, timeout=WAIT_MS)


def _say_metres(value):
    return f"{value:.1f}" if abs(value) >= 9.95 else f"{value:.2f}"


@pytest.mark.slow
def test_main_numbers_are_those_of_the_latest_result(watch, served, event):
    page = watch()
    result = served.get(f"/api/events/{event}/results/latest")
    points = [row for row in result["forecast"] if row["kind"] == "forecast"]
    assert _text(page, "#magnitude") == f"{result['magnitude']:.1f}"
    low, high = result["magnitude_low"], result["magnitude_high"]
    assert _text(page, "#magnitude-interval") == f"90 % {low:.2f} to {high:.2f}"
    assert _text(page, "#worst-height") == _say_metres(points[0]["max_amplitude_m"])
    assert _text(page, "#worst-alert").lower() == points[0]["alert"]
    # read from two metres: digits of at least 15 mm on a screen of 96 points to the inch
    for name in ("magnitude", "worst-height", "next-time", "buoys"):
        assert page.evaluate(f"parseFloat(getComputedStyle(document.getElementById('{name}')).fontSize)") >= 56


@pytest.mark.slow
def test_table_has_the_highest_wave_first_with_level_in_words(watch, served, event):
    page = watch()
    result = served.get(f"/api/events/{event}/results/latest")
    points = [row for row in result["forecast"] if row["kind"] == "forecast"]
    rows = page.locator("#forecast-rows tr")
    assert [rows.nth(at).get_attribute("data-gauge") for at in range(rows.count())] == [row["gauge"] for row in points]
    shown = [
        float(text)
        for text in page.locator("#forecast-rows td.height").evaluate_all("all => all.map(one => one.firstChild.data)")
    ]
    assert shown == sorted(shown, reverse=True)
    words = page.locator("#forecast-rows .level-cell").all_inner_texts()
    assert [word.strip().lower() for word in words] == [row["alert"] for row in points]
    arrived = [row["arrival_s"] is not None and row["arrival_s"] <= 60 * PLAYED_MIN for row in points]
    said = ["arrived" in text for text in page.locator("#forecast-rows td.arrival").all_inner_texts()]
    assert any(arrived)
    assert said == arrived


@pytest.mark.slow
def test_buoys_have_the_shape_and_word_of_their_state(watch, served, event):
    page = watch("?map=plain")
    records = served.get(f"/api/events/{event}/records")["gauges"]
    states = {row["gauge"]: row["state"] for row in records}
    assert {"no data", "wave detected"} <= {*states.values()}
    for gauge, state in states.items():
        mark = page.locator(f'.mark[data-gauge="{gauge}"]')
        assert mark.get_attribute("data-shape") == state
        assert state in mark.get_attribute("aria-label")
        assert state in _text(page, f'.record[data-gauge="{gauge}"] h3')
    drawn = {shape: page.locator(f'.mark[data-shape="{shape}"] svg').first.inner_html() for shape in states.values()}
    assert len({*drawn.values()}) == len({*states.values()})


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "?map=plain"])
def test_map_shows_slip_with_its_uncertainty_by_keyboard(watch, served, event, query):
    page = watch(query)
    result = served.get(f"/api/events/{event}/results/latest")
    page.wait_for_selector("#map-base canvas, #map-base svg")
    assert page.locator(".source-dot").count() == len(result["slip"])
    page.locator(".source-dot[tabindex='0']").focus()
    for row in result["slip"][:3]:
        tip = _text(page, "#tip")
        assert tip.startswith(row["source"])
        assert f"slip {_say_metres(row['slip_m'])} m" in tip
        assert f"{_say_metres(row['low_m'])} to {_say_metres(row['high_m'])} m" in tip
        page.keyboard.press("ArrowRight")
    if query:
        colours = page.locator("path.source").evaluate_all("all => all.map(one => one.getAttribute('fill'))")
        assert len({*colours}) > 5


@pytest.mark.slow
def test_slider_looks_back_and_live_returns(watch, served, event):
    page = watch("?map=plain")
    history = served.get(f"/api/events/{event}/results")["results"]
    now = _text(page, "#worst-height")
    page.locator("#slider").focus()
    page.keyboard.press("Home")
    _wait_for_text(page, "#clock-label", "As it was at")
    first = served.get(f"/api/events/{event}/results/{history[0]['number']}")
    points = [row for row in first["forecast"] if row["kind"] == "forecast"]
    _wait_for_text(page, "#worst-height", _say_metres(points[0]["max_amplitude_m"]))
    assert _text(page, "#as-at").startswith("Looking back")
    assert page.locator("#live").get_attribute("aria-pressed") == "false"
    assert page.locator("#clock").inner_text() == f"T+00:{int(history[0]['minute']):02d}"
    assert page.locator('.mark[data-gauge="46404"]').get_attribute("data-shape") == "no wave detected"
    page.locator("#live").click()
    _wait_for_text(page, "#worst-height", now)
    assert page.locator('.mark[data-gauge="46404"]').get_attribute("data-shape") == "wave detected"
    assert page.locator("#live").get_attribute("aria-pressed") == "true"
    assert not _text(page, "#as-at").startswith("Looking back")


@pytest.mark.slow
def test_dark_follows_the_system_and_the_button(watch):
    page = watch("?map=plain", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"

    def light():
        return sum(int(part) for part in re.findall(r"\d+", page.evaluate(ground))) / 765

    assert light() < 0.1
    page.locator("#theme").click()
    assert light() > 0.8
    page.emulate_media(color_scheme="light")
    assert light() > 0.8
    page.locator("#theme").click()
    assert light() < 0.1


@pytest.mark.slow
def test_phone_has_one_column_and_nothing_beyond_the_edge(watch):
    page = watch("?map=plain", viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    table = "(box => box.scrollWidth - box.clientWidth)(document.querySelector('.table-box'))"
    assert page.evaluate(table) <= 0
    boxes = [page.locator(name).bounding_box() for name in (".forecast-panel", ".map-panel", ".records-panel")]
    assert len({round(box["x"]) for box in boxes}) == 1
    assert all(upper["y"] + upper["height"] <= lower["y"] for upper, lower in itertools.pairwise(boxes))
    clock, buttons = (page.locator(name).bounding_box() for name in (".clock-value", ".controls .row"))
    assert clock["y"] + clock["height"] <= buttons["y"]
    slider = page.locator("#slider").bounding_box()
    assert slider["y"] + slider["height"] <= PHONE["height"]
    assert page.locator("#simulation").is_visible()


@pytest.mark.slow
def test_nothing_overlaps_on_a_wall_screen(watch):
    page = watch("?map=plain")
    assert page.evaluate("document.documentElement.scrollHeight") <= WIDE["height"]
    names = ["#simulation", ".top", ".tiles", ".map-panel", ".forecast-panel", ".records-panel", "#timeline"]
    boxes = [page.locator(name).bounding_box() for name in names]
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            apart = (
                one["x"] + one["width"] <= other["x"] + 0.5
                or other["x"] + other["width"] <= one["x"] + 0.5
                or one["y"] + one["height"] <= other["y"] + 0.5
                or other["y"] + other["height"] <= one["y"] + 0.5
            )
            assert apart
    spill = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.id || one.className)"
    assert page.locator(".value, .tile, .panel, .top, .record, .table-box").evaluate_all(spill) == []


@pytest.mark.slow
def test_nothing_spills_at_any_width(watch):
    page = watch("?map=plain")
    spill = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.id || one.className)"
    for width in (320, 390, 600, 701, 820, 1024, 1280, 1366, 1440, 1600, 1920, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        spilled = page.locator(
            ".value, .tile, .panel, .top, .clock, .clock-value, .connection, .record, .table-box, .timeline"
        ).evaluate_all(spill)
        assert (width, spilled) == (width, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_simulation_is_said_in_large_letters_and_only_of_one(watch, served):
    page = watch("?map=plain")
    assert page.locator("#simulation strong").inner_text() == "SIMULATION"
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('#simulation strong')).fontSize)") >= 40
    assert "Not an official warning" in _text(page, ".official")
    name = "<img src=x onerror=\"document.body.className='taken'\"> & <b>Cape</b>"
    made = {
        "region": "cascadia",
        "origin_time": "2026-01-26T21:00:00Z",
        "longitude": -125.0,
        "latitude": 45.0,
        "name": name,
    }
    real = served.post("/api/events", made)["id"]
    _wait_for_text(page, "#notice-text", "New event")
    page.locator("#notice-button").click()
    _wait_for_text(page, "#event-name", "Cape")
    assert page.locator("#event-name").inner_text() == name
    assert page.locator("#event-name *").count() == 0
    assert page.evaluate("document.body.className") == ""
    assert not page.locator("#simulation").is_visible()
    assert "Not an official warning" in _text(page, ".official")
    page.locator("#picker").select_option(index=1)
    page.wait_for_selector("#simulation", state="visible")
    assert f"event={real}" not in page.url


@pytest.mark.slow
def test_new_samples_appear_by_themselves(watch, served, exercise):
    made = {
        "region": "cascadia",
        "origin_time": "2026-01-26T05:00:00Z",
        "longitude": -125.0,
        "latitude": 45.0,
        "simulation": True,
    }
    event = served.post("/api/events", {**made, "name": "By itself"})["id"]
    level, times = exercise.sea_level, exercise.time_s

    def send(first, last):
        rows = [
            {"gauge": gauge, "seconds": float(times[at]), "sea_level_m": float(level.sel(gauge=gauge)[at])}
            for gauge in ("46404", "46407")
            for at in range(first, last)
        ]
        return served.post(f"/api/events/{event}/samples", {"samples": rows})["result"]

    send(0, 20)
    page = watch(f"?map=plain&event={event}")
    _wait_for_text(page, "#as-at", "T+00:20")
    page.evaluate("window.sameForAll = true")
    send(20, 23)
    _wait_for_text(page, "#as-at", "T+00:23")
    latest = served.get(f"/api/events/{event}/results/latest")
    _wait_for_text(page, "#magnitude-interval", f"{latest['magnitude_low']:.2f} to {latest['magnitude_high']:.2f}")
    assert _text(page, "#connection-word") == "Live"
    assert page.evaluate("window.sameForAll")


@pytest.mark.slow
def test_lost_service_is_said_and_found_again(tmp_path, browser, exercise):
    from slipcast.service.client import play

    with serving(tmp_path) as running:
        play(exercise, running.address, token=TOKEN, speed=math.inf, until_min=8)
        page = browser.new_context(viewport=WIDE).new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{running.address}/?map=plain")
        _wait_for_text(page, "#connection-word", "Live")
        page.wait_for_selector("#forecast-rows tr")
        before = _text(page, "#magnitude-interval")
        running.stop()
        _wait_for_text(page, "#connection-word", "Reconnecting")
        assert _text(page, "#magnitude-interval") == before
        running.start(int(running.address.rsplit(":", 1)[1]))
        _wait_for_text(page, "#connection-word", "Live")
        page.wait_for_selector("#notice", state="hidden")
        assert _text(page, "#magnitude-interval") == before
        page.context.close()


@pytest.mark.slow
def test_private_service_is_read_with_a_token_kept_in_memory_alone(tmp_path, browser, exercise):
    from slipcast.service.client import play

    with serving(tmp_path, "--private") as running:
        play(exercise, running.address, token=TOKEN, speed=math.inf, until_min=8)
        page = browser.new_context(viewport=WIDE).new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{running.address}/?map=plain")
        page.wait_for_selector("#token-dialog[open]")
        assert _text(page, "#magnitude") == "–"
        page.fill("#token", "not the token")
        page.keyboard.press("Enter")
        _wait_for_text(page, "#token-error", "not the service's")
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        _wait_for_text(page, "#connection-word", "Live")
        page.wait_for_selector("#forecast-rows tr")
        assert TOKEN not in page.evaluate(
            "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
        )
        assert TOKEN not in page.content()
        page.reload()
        page.wait_for_selector("#token-dialog[open]")
        page.context.close()
