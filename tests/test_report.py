"""The report: one offline, escaped page, and the figures in it."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.plots import geography
from slipcast.regions.region import Region
from slipcast.reports import interactive as figures
from slipcast.reports.html import Figure, Heading, Image, Table, Text, write_report

TIME_S = np.arange(0.0, 7200.0, 60.0)
RECORDS = {"46404": 0.3 * np.sin(TIME_S / 900.0), "46407": 0.1 * np.cos(TIME_S / 900.0)}
# the smallest PNG: one transparent pixel
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


class Tags(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self._silent = [], "", False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._silent = False

    def handle_data(self, data):
        if not self._silent:
            self.text += data

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def page_of(tmp_path, *sections, title="A title"):
    path = tmp_path / "report.html"
    write_report(path, title=title, sections=sections)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chile():
    return Region.open("chile")


# the page


def test_the_page_loads_nothing(tmp_path):
    figure = Figure(figures.forecast_figure(TIME_S, RECORDS), "Two figures.")
    page = page_of(tmp_path, Heading("One"), figure, figure, Image(PNG, "Still"), Text("Text."))
    tags = Tags(page)
    assert not [a for a in tags.all("script") if "src" in a]
    assert not tags.all("link")
    assert not tags.all("iframe")
    assert all(a["href"].startswith("#") for a in tags.all("a"))
    assert all(a["src"].startswith("data:image/png;base64,") for a in tags.all("img"))
    assert "@import" not in page.split("</style>")[0]
    policy = next(a["content"] for a in tags.all("meta") if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_the_script_is_embedded_once_and_only_for_figures(tmp_path):
    figure = Figure(figures.forecast_figure(TIME_S, RECORDS))
    banner = "plotly.js v"
    assert page_of(tmp_path, figure, figure, figure).count(banner) == 1
    page = page_of(tmp_path, Text("No figure."))
    assert "<script" not in page
    assert len(page) < 10_000


def test_text_is_escaped(tmp_path):
    evil = '<script>alert("x")</script> & </title>'
    page = page_of(
        tmp_path,
        Heading(evil),
        Text(evil),
        Table([evil], [[evil]], evil),
        Image(PNG, evil),
        title=evil,
    )
    tags = Tags(page)
    assert not tags.all("script")
    # title, h1, contents, heading, text, table's caption, column and cell, image's caption
    assert tags.text.count('alert("x")') == 9
    assert tags.all("img")[0]["alt"] == evil


def test_names_in_a_figure_cannot_close_the_script(tmp_path):
    page = page_of(tmp_path, Figure(figures.forecast_figure(TIME_S, {"</script><b>": TIME_S})))
    assert not Tags(page).all("b")


def test_contents_are_nested_and_lead_to_the_headings(tmp_path):
    page = page_of(tmp_path, Heading("One"), Heading("Part", 3), Heading("Two"))
    links = [a["href"][1:] for a in Tags(page).all("a")]
    assert links == ["section-1", "section-2", "section-3"]
    assert all(f'id="{link}"' in page for link in links)
    nav = re.sub(r"\s", "", page[page.index("<nav") : page.index("</nav>")])
    assert nav.count("<ol>") == nav.count("</ol>") == 2
    assert "</a><ol><li>" in nav


def test_paragraphs_are_split_at_blank_lines(tmp_path):
    assert len(Tags(page_of(tmp_path, Text("One\nline.\n\nTwo.\r\n\r\n\r\nThree."))).all("p")) == 3


def test_table_cells(tmp_path):
    rows = [
        ["network", 5.9123, 195, None],
        ["NNLS", 12345.6, np.int64(7), np.float32(np.nan)],
    ]
    page = page_of(tmp_path, Table(["method", "error (m²)", "count", "score"], rows, "Held out."))
    assert re.findall(r"<td[^>]*>([^<]*)</td>", page) == [
        *("network", "5.91", "195", "–"),
        *("NNLS", "12346", "7", "–"),
    ]
    assert page.count('<td class="number">') == 6


def test_an_image_is_read_from_a_file(tmp_path):
    (tmp_path / "still.png").write_bytes(PNG)
    assert page_of(tmp_path, Image(PNG)) == page_of(tmp_path, Image(tmp_path / "still.png"))


def test_template_and_style_are_packaged(tmp_path):
    # what setuptools takes into a wheel, by the patterns of pyproject.toml
    root = Path(__file__).parents[1]
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["slipcast"]
    for name in ("template.html", "style.css"):
        assert resources.files("slipcast.reports").joinpath(name).is_file()
        assert any(fnmatch(f"reports/{name}", pattern) for pattern in patterns), name
    style = resources.files("slipcast.reports").joinpath("style.css").read_text(encoding="utf-8")
    assert f"<style>\n{style}</style>" in page_of(tmp_path, Text("Text."))


def test_captions_are_escaped_but_figures_are_not(tmp_path):
    figure = figures.forecast_figure(TIME_S, RECORDS)
    page = page_of(tmp_path, Figure(figure, "<b>bold</b>"), Image(PNG, '"quoted"'))
    assert '<div id="figure-1"' in page
    assert "<figcaption>&lt;b&gt;bold&lt;/b&gt;</figcaption>" in page
    assert Tags(page).all("img")[0]["alt"] == '"quoted"'
    assert not Tags(page).all("b")


def test_a_page_without_headings_has_no_contents(tmp_path):
    assert not Tags(page_of(tmp_path, Text("Text."))).all("nav")


def test_the_page_is_for_phones_dark_rooms_and_paper(tmp_path):
    page = page_of(tmp_path, Text("Text."))
    for rule in ("width=device-width", "prefers-color-scheme: dark", "@media print", "max-width: 600px"):
        assert rule in page


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("text", "section 1 must be a Heading, Text, Table, Figure or Image, got str"),
        (Heading("One", 1), "level of heading 'One' must be 2 or 3, got 1"),
        (Table(["a", "b"], [[1, 2], [3]], "Errors"), "row 1 of table 'Errors' must have 2 cells, got 1"),
        (Figure("figure"), "figure of section 1 must be a plotly figure, got str"),
        (Image(b"GIF89a"), "must be a PNG, got one that begins with b'GIF89a'"),
        (Image("nowhere/still.png"), "cannot read image nowhere/still.png"),
    ],
)
def test_a_bad_section_leaves_the_old_page(tmp_path, section, message):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(InputError, match=message):
        write_report(path, title="T", sections=[section])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_same_report_is_the_same_file(tmp_path):
    section = Figure(figures.records_figure(TIME_S, RECORDS))
    assert page_of(tmp_path, section) == page_of(tmp_path, section)


@pytest.mark.slow
def test_plotly_and_matplotlib_wait():
    code = (
        "import sys, slipcast.reports.html, slipcast.reports.interactive\n"
        "assert not {'plotly', 'matplotlib', 'torch', 'jinja2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# its figures


def test_map_figure_colours_sources_by_slip(chile):
    slip = {name: float(i) for i, name in enumerate(reversed(chile.sources))}
    before = dict(slip)
    figure = figures.map_figure(chile, slip, title="Slip")
    polygons = [trace for trace in figure.data if trace.fill == "toself"]
    assert len(polygons) == len(chile.sources)
    hover = next(t for t in figure.data if t.mode == "markers" and t.text and "slip" in t.text[0])
    assert hover.text[0] == f"{chile.sources[0]}<br>slip 35.00 m"
    npt.assert_array_equal(hover.marker.color, [slip[name] for name in chile.sources])
    assert hover.marker.colorbar.title.text == "slip (m)"
    assert polygons[0].fillcolor != polygons[-1].fillcolor
    near, _ = geography.split_gauges(chile)
    named = {name for t in figure.data if t.name in ("DART", "forecast point") for name in t.text}
    assert named == {g.name for g in near}
    assert figure.layout.yaxis.scaleanchor == "x"
    assert all(text.endswith("°W") for text in figure.layout.xaxis.ticktext)
    assert slip == before
    wider = figures.map_figure(chile, slip, largest_m=70.0)
    scale = next(t.marker for t in wider.data if t.mode == "markers" and t.text and "slip" in t.text[0])
    assert (scale.cmin, scale.cmax) == (0.0, 70.0)
    halved = figures.map_figure(chile, {name: value / 2 for name, value in slip.items()})
    outlines = [[trace.fillcolor for trace in fig.data if trace.fill == "toself"] for fig in (wider, halved)]
    assert outlines[0] != outlines[1]
    assert outlines[1] == [trace.fillcolor for trace in polygons]


def test_map_figure_without_slip_and_of_no_slip(chile):
    plain = figures.map_figure(chile)
    assert not any(t.marker.showscale for t in plain.data)
    none = figures.map_figure(chile, dict.fromkeys(chile.sources, 0.0))
    assert next(t for t in none.data if t.marker.showscale).marker.cmax == 1.0


def test_map_figure_joins_slip_by_name(chile):
    slip = dict.fromkeys(chile.sources, 1.0)
    with pytest.raises(InputError, match="unknown source 'acsza58' in region chile"):
        figures.map_figure(chile, slip | {"acsza58": 1.0})
    del slip["cssza83"]
    with pytest.raises(InputError, match="slip_m lacks source cssza83 of region chile"):
        figures.map_figure(chile, slip)


def test_records_figure():
    figure = figures.records_figure(TIME_S, RECORDS, {"network": RECORDS}, window_min=45)
    observed = [t for t in figure.data if t.name == "observed"]
    assert len(observed) == 2
    # stored in single precision
    npt.assert_allclose(observed[1].y, 100 * RECORDS["46407"], rtol=1e-6)
    npt.assert_allclose(observed[0].x, TIME_S / 60, rtol=1e-6)
    shown = [t.name for t in figure.data if t.showlegend is not False]
    assert shown == [
        "observed",
        "network",
        "window, 45 min",
    ]
    assert figure.layout.yaxis.title.text == "pressure (cm of water)"
    assert figure.layout.xaxis2.title.text == "time after the earthquake (min)"


def test_records_figure_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="observed must have at least one gauge"):
        figures.records_figure(TIME_S, {})
    with pytest.raises(InputError, match="modelled 'network' lacks gauge 46404"):
        figures.records_figure(TIME_S, RECORDS, {"network": {}})


def test_history_figure():
    history = [
        {"epoch": i + 1, "train_loss_m2": 10.0 / (i + 1), "validation_loss_m2": loss}
        for i, loss in enumerate([9.0, 5.0, 4.0, 6.0])
    ]
    figure = figures.history_figure(history)
    assert figure.layout.yaxis.type == "log"
    assert figure.data[2].name == "best validation: 4 at epoch 3"
    npt.assert_allclose([t for t in figure.layout.yaxis.tickvals if 2 <= t <= 10], [2, 5, 10])
    with pytest.raises(InputError, match="history must have at least one epoch"):
        figures.history_figure([])


def test_history_figure_of_losses_that_are_not_positive():
    figure = figures.history_figure([{"epoch": 1, "train_loss_m2": 0.0, "validation_loss_m2": 0.0}])
    assert figure.layout.yaxis.tickvals == ()


def test_scatter_figure_has_a_menu_of_forecast_points():
    true = np.arange(1.0, 9.0).reshape(4, 2)
    methods = {"network": true * 1.1, "NNLS": true * 0.8}
    figure = figures.scatter_figure(
        true, methods, ["a", "b"], {"network": [0.9, 0.8], "NNLS": [0.5, 0.4]}, title="Maxima"
    )
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["a", "b"]
    for column, button in enumerate(buttons):
        shown = [t for t, on in zip(figure.data, button.args[0]["visible"]) if on]
        assert len(shown) == 3
        points = next(t for t in shown if t.name and t.name.startswith("network"))
        npt.assert_allclose(points.x, true[:, column])
        npt.assert_allclose(points.y, 1.1 * true[:, column], rtol=1e-6)
        assert button.args[1]["xaxis.range"] == button.args[1]["yaxis.range"]
    assert {t.name for t in figure.data if t.visible and t.name} == {"network (0.90)", "NNLS (0.50)"}


def test_scatter_figure_refuses_what_does_not_fit():
    true = np.ones((4, 2))
    with pytest.raises(InputError, match="at least one of gauge_names and one method"):
        figures.scatter_figure(true, {}, ["a", "b"])
    with pytest.raises(InputError, match=r"predicted_m\['network'\] must have shape"):
        figures.scatter_figure(true, {"network": np.ones(4)}, ["a", "b"])
    with pytest.raises(InputError, match="scores lacks method 'network'"):
        figures.scatter_figure(true, {"network": true}, ["a", "b"], {})


def test_forecast_figure():
    figure = figures.forecast_figure(TIME_S, RECORDS)
    assert [t.name for t in figure.data] == list(RECORDS)
    npt.assert_allclose(figure.data[0].x, TIME_S / 3600, rtol=1e-6)
    assert figure.layout.xaxis.title.text == "time after the earthquake (h)"
    assert figure.layout.yaxis.title.text == "sea level (m)"
    with pytest.raises(InputError, match="traces_m must have at least one gauge"):
        figures.forecast_figure(TIME_S, {})
    with pytest.raises(InputError, match="traces_m at gauge hilo must have shape"):
        figures.forecast_figure(TIME_S, {"hilo": [1.0]})
