"""The sampler of Cascadia in the package: golden outputs, and what it must keep to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest
from typer.testing import CliRunner

from learning_fixtures import make_checkpoint
from slipcast.cli.main import app
from slipcast.errors import InputError
from slipcast.forecasting.forecast import Forecast, forecast
from slipcast.inversion import SlipEstimate, magnitude_of_slip
from slipcast.learning.inverters import model_names, open_model, open_posterior
from slipcast.learning.posterior.posterior import NeuralPosterior
from slipcast.realtime.event_slip import invert
from slipcast.records import Records
from slipcast.regions.region import Region

DARTS = ("46404", "46407", "46419", "46411")
GOLDEN = np.load(Path(__file__).parent / "data" / "cascadia_golden.npz")


@pytest.fixture(scope="module")
def sampler() -> NeuralPosterior:
    return open_posterior("cascadia")


def records_of(level: np.ndarray) -> Records:
    """Return one event of the golden records, as a reader would."""
    places = [Region.open("cascadia").gauge(name) for name in DARTS]
    return Records.from_arrays(
        60.0 * np.arange(1, 121),
        level,
        gauges=DARTS,
        lon_deg=[gauge.lon for gauge in places],
        lat_deg=[gauge.lat for gauge in places],
    )


def test_ten_golden_outputs(sampler):
    amplitudes = sampler.draw(GOLDEN["seen"], 100, np.random.default_rng(0))
    npt.assert_allclose(sampler.slip(amplitudes).mean(axis=1), GOLDEN["slip"], rtol=2e-3, atol=2e-3)
    for column, point in enumerate(GOLDEN["points"]):
        highest = sampler.sea_level(amplitudes, str(point)).max(axis=-1).mean(axis=-1)
        npt.assert_allclose(highest, GOLDEN["max_amplitude"][:, column], rtol=5e-3)


def test_it_finds_the_slip(sampler):
    true = GOLDEN["true_slip"]
    found = sampler.solve(GOLDEN["records"])
    # two hours at four DARTs
    assert np.mean((found - true) ** 2) < 0.15 * np.mean((true - true.mean(axis=0)) ** 2)
    npt.assert_allclose(magnitude_of_slip(found, sampler.sources), magnitude_of_slip(true, sampler.sources), atol=0.12)


def test_later_data_never_widen_the_average_interval(sampler):
    widths = []
    for window_min in (5, 10, 15, 20, 30, 45, 60, 90, 120):
        seen = GOLDEN["records"].copy()
        seen[..., window_min:] = np.nan
        low, high = np.quantile(sampler.sample(seen, 300, np.random.default_rng(1)), [0.05, 0.95], axis=1)
        widths.append(float((high - low).mean()))
    assert widths == sorted(widths, reverse=True), widths


def test_noise_alone_is_no_earthquake(sampler):
    noise = sampler.noise_sd_m * np.random.default_rng(3).standard_normal((20, 4, 120)).astype(np.float32)
    # sooner, an earthquake far from all DARTs would not have been seen either
    for window_min in (45, 120):
        seen = noise.copy()
        seen[..., window_min:] = np.nan
        magnitude = magnitude_of_slip(sampler.sample(seen, 100, np.random.default_rng(4)), sampler.sources)
        assert np.quantile(magnitude, 0.95, axis=1, method="lower").max() < 7.8


def test_twice_the_records_and_the_noise_are_twice_the_slip(sampler):
    louder = NeuralPosterior(**{**vars(sampler), "noise_sd_m": 2 * sampler.noise_sd_m})
    once, twice = (
        who.solve(factor * GOLDEN["records"][:3]) for who, factor in ((sampler, np.float32(1)), (louder, np.float32(2)))
    )
    npt.assert_allclose(twice, 2 * once, rtol=2e-2, atol=2e-3 * twice.max())


def test_after_install_records_alone_are_enough(tmp_path, monkeypatch):
    """No bank, no training: from records to slip, forecast and intervals, from any folder."""
    monkeypatch.chdir(tmp_path)
    records_of(GOLDEN["records"][5]).save(tmp_path / "records.nc")
    run = CliRunner().invoke
    assert run(app, ["invert", "records.nc", "--model", "cascadia", "--window", "45"]).exit_code == 0
    done = run(app, ["forecast", "slip.nc", "--model", "cascadia"])
    assert done.exit_code == 0, done.output
    assert "westport" in done.output
    slip, made = SlipEstimate.open("slip.nc"), Forecast.open("forecast.nc")
    true = magnitude_of_slip(GOLDEN["true_slip"][5], slip.sources)
    assert abs(slip.magnitude - true) < 0.2
    assert made.gauges == Region.open("cascadia").gauge_names()
    quantile = made.dataset["max_amplitude_quantile"]
    assert (quantile.diff("quantile") >= 0).all()
    model = open_posterior("cascadia")
    records = Records.open("records.nc")
    again = invert(records, model, window_min=45)
    npt.assert_array_equal(again.slip, slip.slip)
    npt.assert_array_equal(forecast(again, model).max_amplitude, made.max_amplitude)


def test_names_and_folders(tmp_path, monkeypatch):
    assert model_names() == ["cascadia"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no model cascade: neither a folder nor one of the package \(cascadia\)"):
        open_model("cascade")
    with pytest.raises(InputError, match=r"no model \./cascadia: neither a folder nor"):
        open_model("./cascadia")
    make_checkpoint().save(tmp_path / "other")
    assert not isinstance(open_model("other"), NeuralPosterior)
    with pytest.raises(InputError, match="other is no neural posterior; waves of a network of its kind need a bank"):
        open_posterior("other")


def test_what_the_commands_refuse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records_of(GOLDEN["records"][5]).save(tmp_path / "records.nc")
    run = CliRunner().invoke
    for arguments, message in (
        (["invert", "records.nc", "--method", "nnls", "--window", "45"], "method nnls needs a bank"),
        (["forecast", "slip.nc"], "a forecast needs either --bank or --model"),
        (["forecast", "slip.nc", "--bank", "b.nc", "--model", "cascadia"], "a forecast needs either --bank or --model"),
        (["invert", "records.nc", "--model", "cascadia", "--noise", "0.01"], "noise_sd_m is for a method"),
    ):
        assert message in str(run(app, arguments).exception)
