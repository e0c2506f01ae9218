"""Real events in parts: first waves, candidates, delays, fits, each DART from the others, smaller banks, windows."""

from __future__ import annotations

import math

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from conftest import SMALL_SOURCES, build_quietly, small_region
from inversion_fixtures import invert_by
from record_fixtures import DARTS, TRUE_M
from record_fixtures import label_records as label
from record_fixtures import records_of as twin
from slipcast.errors import InputError
from slipcast.forecasting.forecast import forecast
from slipcast.forecasting.wave_fit import fit_waves, leave_one_out
from slipcast.geodesy import destination
from slipcast.greens.bank import GreensBank
from slipcast.inversion import (
    GaussianPosterior,
    JointMoments,
    LeastSquares,
    SlipEstimate,
    Timing,
    candidate_sources,
    fit_timing,
)
from slipcast.physics.ruptures import RuptureSettings
from slipcast.physics.unit_sources import unit_source
from slipcast.records import Records, packaged_records
from slipcast.records.first_wave import first_wave, first_wave_ends
from slipcast.regions.region import Region

MINUTES_S = 60.0 * np.arange(200)


def estimate_of(slip_m) -> SlipEstimate:
    """Label slip."""
    return SlipEstimate.from_slip(slip_m, SMALL_SOURCES, method="nnls", window_min=90, region="cascadia")


# first waves


def pulse(middle_min: float, height_m: float, width_min: float = 10.0) -> np.ndarray:
    """Return half a sine."""
    phase = (MINUTES_S / 60 - middle_min) / width_min + 0.5
    return np.where((phase > 0) & (phase < 1), height_m * np.sin(np.pi * phase), 0.0)


def test_a_first_wave_ends_where_it_rises_through_zero():
    # a crest from 45 to 55, a trough from 55 to 75; at 46 min the level is 0.31 of the crest, at 45 nothing
    level = pulse(50, 1.0) + pulse(65, -0.5, 20)
    assert first_wave(MINUTES_S, level) == (45 * 60, 75 * 60)
    # whatever comes before is a small wave if it is less than half of what follows
    assert first_wave(MINUTES_S, level + pulse(30, 0.4)) == (45 * 60, 75 * 60)
    # later waves may be higher, up to twice
    assert first_wave(MINUTES_S, level + pulse(150, 1.8)) == (45 * 60, 75 * 60)
    assert first_wave(MINUTES_S, level + pulse(150, 2.2))[0] == 145 * 60
    # units do not count
    assert first_wave(MINUTES_S, 1e-3 * level) == (45 * 60, 75 * 60)


def test_a_crest_of_two_is_the_higher_one_within_an_hour():
    level = pulse(50, 0.6) + pulse(80, 1.0) + pulse(95, -0.5, 20)
    start_s, end_s = first_wave(MINUTES_S, level)
    assert (start_s, end_s) == (75 * 60, 105 * 60)


def test_a_first_wave_with_gaps_and_before_it_could_come():
    level = pulse(10, 3.0) + pulse(50, 1.0) + pulse(65, -0.5, 20)
    assert first_wave(MINUTES_S, level, after_s=1200.0) == (45 * 60, 75 * 60)
    level[[20, 47, 60, 74]] = np.nan
    assert first_wave(MINUTES_S, level, after_s=1200.0) == (45 * 60, 75 * 60)
    level[75] = np.nan
    assert first_wave(MINUTES_S, level, after_s=1200.0) == (45 * 60, 76 * 60)


def test_a_trough_that_never_ends_ends_after_an_hour():
    level = pulse(50, 1.0) - np.where(MINUTES_S > 55 * 60, 0.2, 0.0)
    level[70] = -0.3
    assert first_wave(MINUTES_S, level) == (45 * 60, (70 + 60) * 60)
    # nor does it last longer where the level rises later than that
    level[140:] = 0.1
    assert first_wave(MINUTES_S, level) == (45 * 60, (70 + 60) * 60)


def test_a_record_that_begins_on_the_crest():
    assert first_wave(MINUTES_S, np.cos(MINUTES_S / 600))[0] == 0


def test_no_crest():
    for level in (np.zeros(200), -pulse(50, 1.0), np.full(200, np.nan)):
        with pytest.raises(InputError, match="sea_level_m has no crest after 0 min"):
            first_wave(MINUTES_S, level)
    with pytest.raises(InputError, match="sea_level_m has no crest after 80 min"):
        first_wave(MINUTES_S, pulse(50, 1.0), after_s=4800.0)


def test_windows_up_to_the_end_of_first_waves(small_bank):
    records = twin(small_bank)
    ends = first_wave_ends(records)
    assert list(ends) == DARTS
    for row, name in enumerate(DARTS):
        assert ends[name] == first_wave(small_bank.time_s[1:], records.sea_level.to_numpy()[row, 1:])[1] / 60
    assert first_wave_ends(records, DARTS[::-1][:2]) == {name: ends[name] for name in DARTS[::-1][:2]}
    # between whole minutes, the next
    later = label(small_bank, small_bank.time_s + 24, records.sea_level.to_numpy())
    assert first_wave_ends(later) == {name: end + 1 for name, end in ends.items()}


def test_no_wave_is_looked_for_before_it_can_arrive(small_bank):
    records = twin(small_bank)
    level = records.sea_level.to_numpy().copy()
    level[:, 5] = 2.0  # not the sea, and nobody has flagged it
    spoilt = label(small_bank, small_bank.time_s, level)
    assert first_wave_ends(spoilt) != first_wave_ends(records)
    gauge = small_bank.region.gauge("46404")
    # 350 km away: ten minutes at 250 m/s from 200 km this side
    epicentre = [float(value) for value in destination(gauge.lon, gauge.lat, 60.0, 350e3)]
    known = Records(spoilt.dataset.assign_attrs(epicentre=epicentre))
    assert first_wave_ends(known, ["46404"]) == first_wave_ends(records, ["46404"])


def test_records_without_a_first_wave(small_bank):
    records = twin(small_bank)
    with pytest.raises(InputError, match="unknown gauge '46411' in records"):
        first_wave_ends(records, ["46411"])
    calm = label(small_bank, small_bank.time_s, 0 * records.sea_level.to_numpy())
    with pytest.raises(InputError, match="gauge 46404: sea_level_m has no crest after 0 min"):
        first_wave_ends(calm)
    both = Records(xr.concat([records.dataset, records.dataset], dim="event", data_vars=["sea_level"]))
    with pytest.raises(InputError, match="records must hold one event, got 2"):
        first_wave_ends(both)


# candidates


def test_candidates_by_hand():
    """Compare with distances from (142.4, 38.3) by hand: 104, 111 and 166 km to kiszb26, kiszb27 and kiszb25.

    The middle of kiszb26 is 25 km cos(19 degrees) up dip, nearly east, of (143.293, 38.525): at (143.562, 38.495), so
    101 km east and 22 km north of the epicentre. The reach is 142 km at Mw 7 and 180 km at Mw 7.5.
    """
    names = ["kiszb27", "kiszb12", "kiszb26", "kiszb25"]
    assert candidate_sources(names, (142.4, 38.3), 7.0) == ["kiszb27", "kiszb26"]
    assert candidate_sources(names, (142.4, 38.3), 7.5) == ["kiszb27", "kiszb26", "kiszb25"]
    assert candidate_sources(names, (142.4 - 360, 38.3), 7.5) == ["kiszb27", "kiszb26", "kiszb25"]
    with pytest.raises(InputError, match=r"is 166 km from .*, kiszb25; an earthquake of Mw 6 reaches 111 km"):
        candidate_sources(["kiszb12", "kiszb25"], (142.4, 38.3), 6.0)


@pytest.mark.parametrize("magnitude", [6.0, 8.0, 9.0])
def test_candidates_by_another_formula(magnitude):
    """Walk over a region with the law of cosines."""
    sources, expected = Region.open("japan").sources, []
    reach = math.pow(10, -2.37 + 0.57 * magnitude) + 100
    for name in sources:
        source = unit_source(name)
        ends = np.array(source.corners())[:, :2].mean(axis=0)
        lon, lat, lon0, lat0 = (math.radians(value) for value in (*ends, 143.5, 39.0))
        cosine = math.sin(lat) * math.sin(lat0) + math.cos(lat) * math.cos(lat0) * math.cos(lon - lon0)
        distance = 6371 * math.acos(cosine)
        assert abs(distance - reach) > 0.1  # none so near the edge that round-off decides
        if distance < reach:
            expected.append(name)
    assert candidate_sources(sources, (143.5, 39.0), magnitude) == expected
    assert 0 < len(expected) < len(sources)


def test_earthquakes_that_reach_no_source():
    lon, lat, _ = unit_source("kiszb26").point(0.0, 25e3)
    far = [float(value) for value in destination(float(lon), float(lat), 100.0, 2_000e3)]
    # 10^(-2.37 + 0.57 * 8) = 155 km, and 100
    with pytest.raises(InputError, match=r"is 2000 km from .*, kiszb26; an earthquake of Mw 8 reaches 255 km"):
        candidate_sources(["kiszb26"], (far[0], far[1]), 8.0)
    for magnitude in (3.0, 9.7, np.nan):
        with pytest.raises(InputError, match=rf"magnitude must be in \[6, 9.6\], got {magnitude:g}"):
            candidate_sources(["kiszb26"], (142.4, 38.3), magnitude)
    for epicentre in ((38.3, 142.4), (np.nan, 38.3), (1000.0, 38.3), (-360.5, 38.3), (720.5, 38.3)):
        with pytest.raises(InputError, match="epicentre must be longitude and latitude, degrees, got"):
            candidate_sources(["kiszb26"], epicentre, 8.0)


# delays


def late(bank, *, stretch: float = 0.0, shift_s: dict[str, float] | None = None) -> Records:
    """Make records every 15 s of waves that come late: d(t) = m((t - b) / (1 + a))."""
    time_s = np.arange(0.0, bank.time_s[-1] + 1, 15.0)
    level = [
        np.interp((time_s - (shift_s or {}).get(name, 0.0)) / (1 + stretch), bank.time_s, row)
        for name, row in zip(DARTS, bank.source_response(DARTS).to_numpy() @ TRUE_M, strict=True)
    ]
    return label(bank, time_s, np.stack(level))


@pytest.mark.slow
def test_no_delay_is_none(small_bank):
    timing = fit_timing(late(small_bank), small_bank, window_min=110, shifts=True)
    assert (timing.stretch, timing.shift_s) == (0.0, {})
    assert timing.misfit_before < 1e-9
    assert timing.misfit_after < 1e-9


def test_a_shift_of_three_minutes_is_found(small_bank):
    records = late(small_bank, shift_s={"46407": 180.0})
    timing = fit_timing(records, small_bank, window_min=110, gauges=DARTS[:2], stretch=False, shifts=True)
    assert (timing.stretch, timing.shift_s) == (0.0, {"46407": 180.0})
    assert timing.misfit_after < 1e-9 < timing.misfit_before


@pytest.mark.parametrize("stretch", [0.005, 0.01, 0.0175])
def test_a_stretch_is_found(small_bank, stretch):
    records = late(small_bank, stretch=stretch)
    timing = fit_timing(records, small_bank, window_min=110)
    npt.assert_allclose(timing.stretch, stretch, atol=0.0026)
    assert timing.shift_s == {}
    assert timing.misfit_after < 0.1 * timing.misfit_before


@pytest.mark.slow
def test_a_stretch_and_a_shift_are_found(small_bank):
    records = late(small_bank, stretch=0.01, shift_s={"46407": 60.0})
    timing = fit_timing(records, small_bank, window_min=dict.fromkeys(DARTS, 110), shifts=True)
    # they trade: 0.25 % of an hour are 9 s
    npt.assert_allclose(timing.stretch, 0.01, atol=0.0051)
    npt.assert_allclose(timing.shift_s["46407"], 60.0, atol=15)
    assert all(abs(shift) <= 15 for name, shift in timing.shift_s.items() if name != "46407")
    assert timing.misfit_after < 0.02 * timing.misfit_before


def test_delays_are_put_back(small_bank, tmp_path):
    delays = {"stretch": 0.01, "shift_s": {"46407": 60.0}}
    records = late(small_bank, **delays)
    timing = Timing(**delays)
    found = invert_by(timing.applied(records), small_bank, method="nnls", window_min=100)
    # interpolation rounds crests of some eight minutes off, by 2 %
    npt.assert_allclose(found.slip, TRUE_M, atol=0.3)
    recorded = records.resample(small_bank.time_s)
    npt.assert_allclose(forecast(timing.noted(found), small_bank, gauges=DARTS).sea_level, recorded, rtol=0, atol=0.01)
    assert np.abs(forecast(found, small_bank, gauges=DARTS).sea_level - recorded).max() > 0.05
    noted = timing.noted(estimate_of(TRUE_M))
    noted.save(tmp_path / "slip.nc")
    for estimate in (noted, SlipEstimate.open(tmp_path / "slip.nc")):
        assert Timing.of(estimate).stretch == 0.01
        assert Timing.of(estimate).shift_s == {"46407": 60.0}
        # exact but for single precision
        npt.assert_allclose(forecast(estimate, small_bank, gauges=DARTS).sea_level, recorded, rtol=0, atol=1e-6)
        # gauges that were not shifted are stretched all the same
        time_s = small_bank.time_s
        plain, there = (
            forecast(each, small_bank, gauges=["westport"]).sea_level[0] for each in (estimate_of(TRUE_M), estimate)
        )
        npt.assert_allclose(there, np.interp(time_s / 1.01, time_s, plain), rtol=0, atol=1e-6)
    assert (Timing.of(found).stretch, Timing.of(found).shift_s) == (0.0, {})
    assert Timing().noted(found).dataset.attrs == found.dataset.attrs


def test_half_a_duration_is_taken_out_and_put_back(small_bank, tmp_path):
    everywhere = dict.fromkeys(DARTS, 90.0)
    records = late(small_bank, shift_s=everywhere)
    timing = fit_timing(records, small_bank, window_min=110, half_duration_s=90.0)
    assert (timing.stretch, timing.half_duration_s, timing.shift_s) == (0.0, 90.0, {})
    assert timing.misfit_before < 1e-3
    npt.assert_allclose(timing.applied(records).sea_level, records.retimed(shift_s=everywhere).sea_level)
    timing.noted(estimate_of(TRUE_M)).save(tmp_path / "slip.nc")
    opened = SlipEstimate.open(tmp_path / "slip.nc")
    assert Timing.of(opened).half_duration_s == 90.0
    # at all gauges, also those without a record
    plain, there = (
        forecast(each, small_bank, gauges=["westport"]).sea_level[0] for each in (estimate_of(TRUE_M), opened)
    )
    time_s = small_bank.time_s
    npt.assert_allclose(there, np.interp(time_s - 90.0, time_s, plain), rtol=0, atol=1e-6)


def test_several_shifts_are_kept_in_a_file(small_bank, tmp_path):
    timing = Timing(shift_s={"46419": -45.0, "46407": 60.0})
    timing.noted(estimate_of(TRUE_M)).save(tmp_path / "slip.nc")
    assert Timing.of(SlipEstimate.open(tmp_path / "slip.nc")).shift_s == timing.shift_s
    made = forecast(SlipEstimate.open(tmp_path / "slip.nc"), small_bank, gauges=DARTS)
    # an early wave ends early; its last level is held
    expected = late(small_bank, shift_s=timing.shift_s).resample(small_bank.time_s)
    npt.assert_allclose(made.sea_level, expected, rtol=0, atol=1e-6)


def test_the_draws_of_an_uncertain_estimate_are_late_too(small_bank, small_set):
    records = twin(small_bank)
    options = {"method": "gaussian", "window_min": 60, "scenarios": small_set.with_split((1.0, 0.0, 0.0), 1)}
    found = invert_by(records, small_bank, **options)
    plain, made = (forecast(each, small_bank) for each in (found, Timing(stretch=0.02).noted(found)))
    time_s = small_bank.time_s
    expected = np.array([np.interp(time_s / 1.02, time_s, row) for row in plain.sea_level.to_numpy()])
    npt.assert_allclose(made.sea_level, expected, rtol=0, atol=1e-6)
    # at whole minutes that were whole minutes before, 51 for 50, quantiles are what they were
    npt.assert_allclose(
        made.dataset["sea_level_quantile"][..., 51], plain.dataset["sea_level_quantile"][..., 50], rtol=0, atol=1e-6
    )


def test_retiming_by_hand(small_bank):
    """Take delays out of records that rise by 1 mm/s, where interpolation is exact."""
    time_s = np.arange(0.0, 7201.0, 60.0)
    records = label(small_bank, time_s, 1e-3 * np.stack([time_s, time_s, time_s]), origin_time="2011-03-11T05:46:24Z")
    found = records.retimed(stretch=0.02, shift_s={"46407": -90.0})
    npt.assert_allclose(found.time_s, time_s)
    expected = 1.02 * time_s
    expected[expected > 7200] = np.nan
    npt.assert_allclose(found.sea_level.sel(gauge="46404"), 1e-3 * expected)
    shifted = 1.02 * time_s - 90
    shifted[(shifted < 0) | (shifted > 7200)] = np.nan
    npt.assert_allclose(found.sea_level.sel(gauge="46407"), 1e-3 * shifted)
    assert found.dataset.attrs == records.dataset.attrs
    npt.assert_array_equal(records.retimed().sea_level, records.sea_level)
    for stretch in (0.1, -0.1, np.nan):
        with pytest.raises(InputError, match=rf"stretch must be in \(-0.1, 0.1\), got {stretch:g}"):
            records.retimed(stretch=stretch)
    with pytest.raises(InputError, match="unknown gauge '46411' in records"):
        records.retimed(shift_s={"46411": 60.0})


def test_timing_that_does_not_fit(small_bank):
    records = late(small_bank)
    with pytest.raises(InputError, match="timing needs stretch or shifts, got neither"):
        fit_timing(records, small_bank, window_min=110, stretch=False)
    with pytest.raises(InputError, match="unknown gauge '46411' in bank cascadia"):
        fit_timing(records, small_bank, window_min=110, gauges=["46411"])
    with pytest.raises(InputError, match="unknown gauge '46411' in records"):
        fit_timing(records, small_bank, window_min={"46411": 110})
    with pytest.raises(InputError, match="window_min must name at least one gauge, got none"):
        fit_timing(records, small_bank, window_min={})
    silent = label(small_bank, records.time_s, np.full(records.sea_level.shape, np.nan))
    with pytest.raises(InputError, match="has no sample in the window"):
        fit_timing(silent, small_bank, window_min=110)
    both = Records(xr.concat([records.dataset, records.dataset], dim="event", data_vars=["sea_level"]))
    with pytest.raises(InputError, match="records must hold one event, got 2"):
        fit_timing(both, small_bank, window_min=110)


# how a model stands beside records


def test_a_noise_free_twin_fits(small_bank):
    records = twin(small_bank)
    slip = invert_by(records, small_bank, method="nnls", window_min=90, gauges=DARTS[:2])
    made = forecast(estimate_of(TRUE_M), small_bank)
    fits = fit_waves(records, made, used=DARTS[:2])
    assert [(fit.gauge, fit.used) for fit in fits] == [("46404", True), ("46407", True), ("46419", False)]
    for fit, row in zip(fits, records.sea_level.to_numpy(), strict=True):
        npt.assert_allclose(fit.explained_variance, 1.0, atol=1e-9)
        assert fit.modelled_arrival_s == fit.observed_arrival_s
        npt.assert_allclose(fit.modelled_m, fit.observed_m, rtol=1e-6)
        npt.assert_allclose(fit.observed_m, row.max(), rtol=1e-6)
        time_s = small_bank.time_s
        inside = (time_s >= fit.start_s) & (time_s <= fit.end_s)
        early = (time_s >= fit.start_s - 600) & (row >= 0.2 * row[inside].max())
        assert fit.observed_arrival_s == time_s[np.argmax(early)] < time_s[row.argmax()]
    # the same by an inversion
    for fit in fit_waves(records, forecast(slip, small_bank), used=DARTS[:2])[:2]:
        npt.assert_allclose(fit.explained_variance, 1.0, atol=1e-6)


def test_half_a_wave_ten_minutes_late(small_bank):
    records = twin(small_bank)
    slip = estimate_of(TRUE_M / 2)
    for fit in fit_waves(records, forecast(slip, small_bank), used=[]):
        # half of the amplitude leaves a quarter of the variance, and the arrival where it is
        npt.assert_allclose(fit.explained_variance, 0.75, atol=1e-6)
        npt.assert_allclose(fit.modelled_m, fit.observed_m / 2, rtol=1e-6)
        assert fit.modelled_arrival_s == fit.observed_arrival_s
    exact = estimate_of(TRUE_M)
    delayed = forecast(Timing(shift_s=dict.fromkeys(DARTS, 120.0)).noted(exact), small_bank)
    for fit in fit_waves(records, delayed, used=[]):
        assert fit.modelled_arrival_s - fit.observed_arrival_s == 120


def test_gauges_that_cannot_be_compared_are_left_out(small_bank):
    records = twin(small_bank)
    level = records.sea_level.to_numpy().copy()
    level[0] = 0
    level[1, 12:] = np.nan
    level[1, :12] = -np.abs(level[1, :12])
    slip = estimate_of(TRUE_M)
    made = forecast(slip, small_bank, gauges=["46404", "46407", "46419"])
    assert [f.gauge for f in fit_waves(label(small_bank, records.time_s, level), made, used=[])] == ["46419"]
    made = forecast(slip, small_bank, gauges=["46407", "westport"])
    assert [fit.gauge for fit in fit_waves(records, made, used=[])] == ["46407"]
    both = Records(xr.concat([records.dataset, records.dataset], dim="event", data_vars=["sea_level"]))
    with pytest.raises(InputError, match="records must hold one event, got 2"):
        fit_waves(both, made, used=[])


def test_each_dart_from_the_others(small_bank):
    one = np.where(np.arange(9) == 4, 8.0, 0.0)
    records = twin(small_bank, one)
    found = leave_one_out(records, LeastSquares(small_bank, 100), small_bank)
    assert list(found) == DARTS
    for name, (slip, fit) in found.items():
        assert slip.dataset.attrs["gauges"].split() == [other for other in DARTS if other != name]
        assert (fit.gauge, fit.used) == (name, False)
        assert fit.explained_variance > 0.99
        npt.assert_allclose(fit.modelled_m, fit.observed_m, rtol=0.05)
        assert fit.modelled_arrival_s == fit.observed_arrival_s


def test_each_dart_from_the_others_with_windows(small_bank):
    """Take windows by gauge, also where they name only some: the rest have the longest."""
    records = twin(small_bank)
    windows = {"46404": 60, "46419": 80}
    found = leave_one_out(records, LeastSquares(small_bank, 80, slip_sd_m=5.0), small_bank, window_min=windows)
    for name, (slip, _) in found.items():
        others = [other for other in DARTS if other != name]
        by_hand = records.windowed({gauge: (-np.inf, end) for gauge, end in windows.items()})
        expected = invert_by(by_hand, small_bank, method="tikhonov", gauges=others, window_min=80)
        npt.assert_allclose(slip.slip, expected.slip, atol=1e-9)


def test_leaving_out_what_cannot_be(small_bank):
    records = twin(small_bank)
    by = LeastSquares(small_bank, 60)
    for gauges, told in ((["46404"], "46404"), ([], "none")):
        with pytest.raises(InputError, match=f"leaving one out needs at least two gauges, got {told}"):
            leave_one_out(records, by, small_bank, gauges=gauges)
    level = records.sea_level.to_numpy().copy()
    level[1] = 0
    with pytest.raises(InputError, match="gauge 46407 has recorded no first wave"):
        leave_one_out(label(small_bank, records.time_s, level), by, small_bank)


# smaller banks


def test_a_bank_of_some_sources_is_the_one_built_for_them(small_bank, tmp_path):
    chosen = ("acsza58", "acszb57", "acszz59")
    region = small_region()
    built = build_quietly(Region.model_validate(region.model_dump() | {"sources": chosen}))
    found = small_bank.with_sources(["acszz59", "acsza58", "acszb57"])
    assert found.sources == list(chosen)
    found.check()
    assert set(found.dataset.variables) == set(built.dataset.variables)
    for name in built.dataset.variables:
        if name != "response":
            npt.assert_array_equal(found.dataset[name].to_numpy(), built.dataset[name].to_numpy(), err_msg=str(name))
    # uplift is summed over a box around all sources, a smaller one for fewer: that cuts its far ends off
    npt.assert_allclose(found.dataset["response"], built.dataset["response"], rtol=0, atol=1e-4)
    own = np.isin(small_bank.dataset["subfault_source"].to_numpy().astype(str), chosen)
    npt.assert_array_equal(found.dataset["response"], small_bank.dataset["response"].to_numpy()[..., own])
    own_to_each = {"created", "id", "gauge_checksums"}
    assert {key: value for key, value in found.dataset.attrs.items() if key not in own_to_each} == {
        key: value for key, value in built.dataset.attrs.items() if key not in own_to_each
    }
    found.save(tmp_path / "bank.nc")
    small_bank.save(tmp_path / "whole.nc")
    for opened in (
        GreensBank.open(tmp_path / "bank.nc"),
        GreensBank.open(tmp_path / "whole.nc").with_sources(chosen),
    ):
        opened.check()
        assert opened.id == found.id
        npt.assert_array_equal(opened.source_response(), small_bank.source_response(sources=chosen))


def test_slip_on_a_smaller_bank_makes_the_same_waves(small_bank):
    chosen = ["acsza58", "acszb57"]
    smaller = small_bank.with_sources(chosen)
    slip = SlipEstimate.from_slip([3.0, 2.0], chosen, method="nnls", window_min=90, region="cascadia")
    npt.assert_array_equal(forecast(slip, smaller).sea_level, forecast(slip, small_bank).sea_level)
    one = np.array([3.0 if name == "acsza58" else 2.0 if name == "acszb57" else 0.0 for name in SMALL_SOURCES])
    found = invert_by(twin(small_bank, one), smaller, method="nnls", window_min=60)
    npt.assert_allclose(found.slip, [3.0, 2.0], atol=1e-6)


def test_runs_of_several_lengths_stay_so(small_bank):
    response = small_bank.dataset["response"].to_numpy()
    lengths = {name: 121 - 10 * row for row, name in enumerate(small_bank.gauges)}
    series = {name: row[: lengths[name]] for (name, row) in zip(small_bank.gauges, response, strict=True)}
    bank = GreensBank.from_series(small_bank.region, series)
    smaller = bank.with_sources(["acsza58"])
    smaller.check()
    npt.assert_array_equal(smaller.dataset["gauge_hours"], bank.dataset["gauge_hours"])
    npt.assert_array_equal(smaller.source_response(), bank.source_response(sources=["acsza58"]))


def test_sources_that_a_bank_does_not_have(small_bank):
    with pytest.raises(InputError, match="unknown source 'acsza54' in bank cascadia"):
        small_bank.with_sources(["acsza58", "acsza54"])
    with pytest.raises(InputError, match="a bank needs at least one unit source, got none of cascadia"):
        small_bank.with_sources([])


# windows, ruptures, the tide


@pytest.mark.parametrize("method", ["nnls", "gaussian"])
def test_windows_by_gauge_are_gaps_by_hand(small_bank, small_set, method):
    records, windows = twin(small_bank), {"46419": 30, "46404": 50.5}
    options = {"scenarios": small_set.with_split((1.0, 0.0, 0.0), 1)} if method == "gaussian" else {}
    found = invert_by(records, small_bank, method=method, window_min=windows, **options)
    level = records.sea_level.to_numpy().copy()
    level[2, records.time_s > 30 * 60] = np.nan
    level[0, records.time_s > 50.5 * 60] = np.nan
    gappy = label(small_bank, records.time_s, level)
    expected = invert_by(gappy, small_bank, method=method, window_min=50.5, **options)
    npt.assert_array_equal(found.slip, expected.slip)
    assert found.dataset.attrs["window_min"] == expected.dataset.attrs["window_min"]
    assert found.dataset.attrs["tide"] == ""
    one = invert_by(records, small_bank, method=method, window_min=dict.fromkeys(DARTS, 45), **options)
    npt.assert_array_equal(one.slip, invert_by(records, small_bank, method=method, window_min=45, **options).slip)


def test_windows_by_hand():
    records = packaged_records("chile2010")
    found = records.windowed({"32412": (180.0, 240.0)})
    minutes = records.time_s / 60
    inside = (minutes > 180) & (minutes <= 240)
    npt.assert_array_equal(found.sea_level[0], np.where(inside, records.sea_level[0], np.nan))
    npt.assert_array_equal(records.windowed({}).sea_level, records.sea_level)


def test_windows_that_cannot_be(small_bank):
    records = twin(small_bank)
    for window, message in (
        ({}, "window_min must name at least one gauge, got none"),
        ({"46411": 45}, "unknown gauge '46411' in records"),
        ({"46404": 400}, "window of 400 min is longer than the 120 min of bank cascadia"),
        ({"46404": 45, "46407": -5}, "gauge 46407 has no sample in the window of 45 min"),
        ({"46404": float("nan")}, "window of 46404 must end after it begins, got -inf to nan min"),
    ):
        with pytest.raises(InputError, match=message):
            invert_by(records, small_bank, method="nnls", window_min=window)
    with pytest.raises(InputError, match="window of 46404 must end after it begins, got 5 to 5 min"):
        records.windowed({"46404": (5.0, 5.0)})


def test_ruptures_are_drawn_as_asked(small_bank):
    records = twin(small_bank)
    options = {"method": "gaussian", "window_min": 45}
    settings = RuptureSettings(magnitude=(7.0, 7.6))
    found = invert_by(records, small_bank, ruptures=settings, **options)
    moments = JointMoments.from_bank(small_bank, DARTS, 45, settings=settings)
    posterior = GaussianPosterior(moments.through(small_bank.source_response(DARTS, window_min=45)))
    sampled = records.resample(moments.times_s).to_numpy()
    npt.assert_allclose(found.slip, posterior.solve(sampled), atol=1e-6)
    assert np.abs(found.slip - invert_by(records, small_bank, **options).slip).max() > 1e-3


def test_ruptures_that_would_not_be_drawn(small_bank, small_set):
    records, settings = twin(small_bank), RuptureSettings()
    for options, message in (
        ({"method": "nnls"}, "scenarios and ruptures are for linear, gaussian, bayes; method nnls learns from none"),
        ({"method": "linear", "scenarios": small_set}, "give scenarios to learn from, or ruptures, how they are drawn"),
    ):
        with pytest.raises(InputError, match=message):
            invert_by(records, small_bank, window_min=45, ruptures=settings, **options)
