"""Real tsunamis: Tohoku 2011 from what six DARTs sent, and Chile 2010 from the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest

from conftest import build_quietly
from event_fixtures import tohoku_file
from inversion_fixtures import invert_by, named
from slipcast.forecasting.forecast import forecast
from slipcast.forecasting.wave_fit import fit_waves, leave_one_out
from slipcast.inversion import candidate_sources, fit_timing
from slipcast.records import packaged_records, read_records

CASES = Path(__file__).parents[2] / "shared" / "cases" / "records"
DARTS = ["21418", "21401", "21413", "21419", "21414", "21415"]
USED = DARTS[:3]
DAMPED = {"method": "tikhonov", "noise_sd_m": 0.02, "slip_sd_m": 5.0}


@pytest.fixture(scope="module")
def tohoku():
    """Return the records of Tohoku; USGS has its epicentre at 38.30 N, 142.37 E."""
    files = [tohoku_file(name) for name in DARTS]
    return read_records(*files, origin="2011-03-11T05:46:24Z", region="japan", epicentre=(142.37, 38.30))


@pytest.fixture(scope="module")
def japan():
    """Return a bank for the six DARTs."""
    return build_quietly("japan", gauges=DARTS, hours=5)


@pytest.fixture(scope="module")
def slip(tohoku, japan):
    """Return the slip from the first 90 minutes of the three nearest DARTs."""
    return invert_by(tohoku, japan, gauges=USED, window_min=90, **DAMPED)


@pytest.mark.slow
def test_the_sea_is_calm_before_the_earthquake(tohoku):
    before = (tohoku.time_s < 0) & (tohoku.time_s > -6 * 3600)
    for name in DARTS:
        level = tohoku.sea_level.sel(gauge=name).to_numpy()[before]
        known = np.isfinite(level)
        assert known.sum() >= 24, name  # every 15 minutes at least
        assert np.std(level[known]) < 0.010, name


@pytest.mark.slow
def test_first_waves_of_tohoku(tohoku, japan, slip):
    # 8.8 to 9.1 by seismic, geodetic and tsunami data; GCMT has 9.1
    assert 8.8 <= slip.magnitude <= 9.0
    fits = {fit.gauge: fit for fit in fit_waves(tohoku, forecast(slip, japan), used=USED)}
    assert [name for name, fit in fits.items() if fit.used] == USED
    for name, least in {"21418": 0.90, "21401": 0.80, "21413": 0.80, "21419": 0.88}.items():
        assert fits[name].explained_variance >= least, name
    for name in ("21414", "21415"):  # an ocean away, and hours ahead of the last sample that can hold no wave
        at = int(np.argmin(np.abs(tohoku.time_s - fits[name].observed_arrival_s)))
        column = tohoku.dataset["tide_column"].sel(gauge=name).to_numpy()[:, at]
        tide_sd_m = float(np.sqrt((column**2).sum()))
        assert 0.01 < tide_sd_m < 0.1
        npt.assert_allclose(fits[name].modelled_m, fits[name].observed_m, rtol=0.3, atol=2 * tide_sd_m)
        assert abs(fits[name].modelled_arrival_s - fits[name].observed_arrival_s) <= 360
    # the first crest at 21418 was 1.9 m high in samples of 15 s, 33 min after the earthquake
    assert 1.6 < fits["21418"].observed_m < 2.0
    assert 30 * 60 < tohoku.time_s[int(np.nanargmax(tohoku.sea_level.sel(gauge="21418").to_numpy()))] < 36 * 60


@pytest.mark.slow
def test_one_buoy_in_45_minutes(tohoku, japan, slip):
    one = invert_by(tohoku, japan, gauges=["21418"], window_min=45, **DAMPED)
    npt.assert_allclose(one.magnitude, slip.magnitude, atol=0.15)


@pytest.mark.slow
def test_each_of_four_buoys_from_the_others(tohoku, japan):
    found = leave_one_out(tohoku, named(tohoku, japan, gauges=DARTS[:4], window_min=110, **DAMPED), japan)
    assert list(found) == DARTS[:4]
    for name, (slip, fit) in found.items():
        assert 8.8 <= slip.magnitude <= 9.0, name
        # the tide ends at the origin: in 90 min its error is centimetres, of crests of half a metre
        npt.assert_allclose(fit.modelled_m, fit.observed_m, rtol=0.45, err_msg=name)
        assert abs(fit.modelled_arrival_s - fit.observed_arrival_s) <= 150, name
        assert fit.explained_variance > 0.2, name  # the nearest is the hardest to foretell
    assert found["21419"][1].explained_variance > 0.88


@pytest.mark.slow
def test_the_tide_taken_as_known_is_the_same_earthquake(tohoku, japan, slip):
    assert slip.dataset.attrs["tide"] == "joint"
    known = invert_by(tohoku, japan, gauges=USED, window_min=90, joint_tide=False, **DAMPED)
    npt.assert_allclose(known.magnitude, slip.magnitude, atol=0.05)


@pytest.mark.slow
def test_chile_2010():
    """Invert the one DART of the package: GCMT has Mw 8.8, an epicentre by USGS at 36.12 S, 72.9 W."""
    records = packaged_records("chile2010")
    bank = build_quietly("chile", gauges=["32412"], hours=7)
    reach = bank.with_sources(candidate_sources(bank.sources, (287.1, -36.12), 8.8))
    assert 5 < len(reach.sources) < len(bank.sources)
    timing = fit_timing(records, reach, window_min=240)
    # what is left of the 1.5 % of rigid water: half of the minutes that the rupture took, which slips at once here
    assert 0 <= timing.stretch <= 0.01
    assert timing.misfit_after < timing.misfit_before
    found = invert_by(timing.applied(records), reach, method="tikhonov", window_min=240, start_min=60)
    assert found.magnitude == pytest.approx(8.8, abs=0.2)
    (fit,) = fit_waves(records, forecast(timing.noted(found), reach), used=["32412"])
    assert fit.explained_variance >= 0.85
    assert abs(fit.modelled_arrival_s - fit.observed_arrival_s) <= 120


@pytest.mark.slow
@pytest.mark.skipif(not CASES.is_dir(), reason="needs the raw files of the cases beside the repository")
def test_faults_of_one_sensor_leave_the_magnitude():
    """Invert a wave of 15 cm at 32402 with faults that sensors have shown: runs, pairs, small spikes."""
    bank = build_quietly("chile", gauges=["32402"], hours=4)
    found = {}
    for case in ("B-clean", "B1-burst", "B3-spike-doubled", "C1-small-spikes"):
        records = read_records(
            CASES / case / "32402.txt",
            origin="2015-09-16T22:54:32Z",
            positions={"32402": (-73.983, -26.743)},
            epicentre=(-71.67, -31.57),
            magnitude=8.3,
        )
        reach = bank.with_sources(candidate_sources(bank.sources, (-71.67, -31.57), 8.3))
        slip = invert_by(records, reach, gauges=["32402"], window_min=150, method="tikhonov", noise_sd_m=0.02)
        found[case] = slip.magnitude
    for case, magnitude in found.items():
        npt.assert_allclose(magnitude, 8.34, atol=0.03, err_msg=case)
        npt.assert_allclose(magnitude, found["B-clean"], atol=0.005, err_msg=case)
