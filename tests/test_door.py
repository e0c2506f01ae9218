"""The public calls: one path for objects, names and folders, and wrong kinds refused in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest

import slipcast as sc
from learning_fixtures import make_checkpoint
from slipcast.errors import InputError
from slipcast.inversion import fit_timing, invert_records, timing, usual_half_duration
from slipcast.inversion.inverter import restricted, window_range_min
from slipcast.realtime.nowcast import Nowcast
from slipcast.records import simulated_records
from slipcast.records.first_wave import first_wave_ends

DARTS = ["46404", "46407", "46419"]


@pytest.fixture(scope="module")
def simulation():
    return sc.packaged_records("cascadia-simulation")


@pytest.fixture(scope="module")
def records(small_set):
    return simulated_records(small_set, 3, DARTS, window_min=120, noise_sd_m=0.002)


@dataclass
class Constant:
    """A method of a stranger: the same slip for all records, for any window, without a look at the records."""

    bank: object
    window_min: float = 120.0
    gauges: list = field(default_factory=lambda: list(DARTS))
    method = "constant"
    gaps = "whole gauges"

    @property
    def sources(self):
        return list(self.bank.sources)

    @property
    def times_s(self):
        return 60.0 * np.arange(1, int(self.window_min) + 1)

    @property
    def window_range_min(self):
        return 5.0, 120.0

    def restricted(self, *, gauges=None, window_min=None):
        return Constant(self.bank, self.window_min if window_min is None else window_min, list(gauges or self.gauges))

    def solve(self, records):
        return np.full((*np.shape(records)[:-2], len(self.sources)), 2.0)


def test_a_model_by_name_folder_and_object(simulation):
    folder = Path(str(files("slipcast").joinpath("models", "cascadia")))
    found = [sc.invert(simulation, each, window_min=20) for each in ("cascadia", folder, sc.open_model("cascadia"))]
    for other in found[1:]:
        npt.assert_array_equal(other.samples, found[0].samples)
    ahead = [sc.forecast(found[0], each).max_amplitude for each in ("cascadia", folder, sc.open_inverter("cascadia"))]
    for other in ahead[1:]:
        npt.assert_array_equal(other, ahead[0])


def test_a_seed_is_passed_on(simulation):
    one, other = (sc.invert(simulation, "cascadia", window_min=20, seed=seed).samples for seed in (1, 2))
    npt.assert_array_equal(one, sc.invert(simulation, "cascadia", window_min=20, seed=1).samples)
    assert np.abs(one - other).max() > 0.01


def test_a_network_is_taken_as_trained(small_bank, small_set):
    network = make_checkpoint()
    of_region = simulated_records(small_set, 3, DARTS, window_min=45)
    found = sc.invert(of_region, network)
    assert (found.dataset.attrs["method"], found.dataset.attrs["model"]) == ("network", network.id)
    with pytest.raises(InputError, match="window of 30 min is not that of method network, 45 min"):
        sc.invert(of_region, network, window_min=30)
    with pytest.raises(InputError, match="method network takes gauges 46404, 46407, 46419 alone, got 46404"):
        sc.invert(of_region, network, gauges=["46404"])


def test_forecasts_by_a_method_are_those_by_its_bank(records, small_bank):
    for inverter in (sc.LeastSquares(small_bank, 60), sc.GaussianPosterior.from_bank(small_bank, 60)):
        slip = sc.invert(records, inverter)
        npt.assert_array_equal(sc.forecast(slip, inverter).sea_level, sc.forecast(slip, small_bank).sea_level)
    with pytest.raises(InputError, match="a forecast needs a bank; method network knows no waves"):
        sc.forecast(slip, make_checkpoint())


def test_a_replay_is_what_the_nowcast_finds(records, small_bank):
    inverter = sc.LeastSquares(small_bank, 120, gauges=DARTS, slip_sd_m=5.0)
    made = sc.replay(records, inverter, minutes=[20, 60])
    seen = records.windowed(dict.fromkeys(DARTS, (-np.inf, 60.0)))
    alone = Nowcast(inverter).update(seen)
    npt.assert_array_equal(made.dataset["slip"][1], alone.slip.slip)
    npt.assert_allclose(made.dataset["max_amplitude"][1], alone.forecast.max_amplitude, rtol=1e-12)
    assert str(made.dataset["flags"].to_numpy()[1]) == "; ".join(alone.flags)
    assert alone.newest_s == 3600.0
    assert Nowcast(inverter).update(seen, known=alone.digest) is None
    less = Nowcast(inverter).update(seen, forecast_gauges=["newport"])
    assert less.forecast.gauges == ["newport"]


def test_a_nowcast_keeps_to_sources_near_the_epicentre(records, small_bank):
    nowcast = Nowcast(sc.LeastSquares(small_bank, 60, slip_sd_m=5.0))
    near = sc.Records(records.dataset.assign_attrs(epicentre=[235.3, 47.9]))
    some = nowcast.update(near, magnitude=7.3).slip.sources
    assert 0 < len(some) < len(small_bank.sources)
    assert nowcast.update(near).slip.sources == small_bank.sources
    assert nowcast.update(near, magnitude=5.5).slip.sources == small_bank.sources
    far = sc.Records(records.dataset.assign_attrs(epicentre=[231.0, 44.0]))
    assert "extrapolated: epicentre far from the unit sources" in nowcast.update(far, magnitude=8.0).flags
    elsewhere = sc.Records(records.dataset.assign_attrs(epicentre=[160.0, 53.0]))
    with pytest.raises(
        sc.InputError, match=r"within 500 km of the unit sources of region cascadia, got 160 53, 50\d\d km"
    ):
        nowcast.update(elsewhere, magnitude=8.8)


def test_a_record_that_the_slip_does_not_explain_is_flagged(records, small_bank):
    found = Nowcast(Constant(small_bank)).update(records)
    assert "46404: not explained by the slip found" in found.flags
    assert (found.put_aside, found.slip.put_aside) == ({}, {})


def test_a_method_of_ones_own(records, small_bank):
    found = sc.invert(records, Constant(small_bank))
    npt.assert_array_equal(found.slip, 2.0)
    assert (found.dataset.attrs["region"], found.dataset.attrs["bank"]) == ("", "")
    made = sc.replay(records, Constant(small_bank), bank=small_bank, minutes=[30, 60])
    npt.assert_array_equal(made.dataset["slip"], 2.0)
    assert made.gauges_used == DARTS
    assert window_range_min(Constant(small_bank)) == (5.0, 120.0)
    assert restricted(Constant(small_bank), gauges=["46407"]).gauges == ["46407"]


def test_gauges_that_a_method_does_not_know_are_left_out(records, small_bank):
    some = sc.GaussianPosterior.from_bank(small_bank, 60, gauges=DARTS[:2])
    found = sc.invert(records, some)
    assert found.dataset.attrs["gauges"] == "46404 46407"
    npt.assert_array_equal(found.slip, sc.invert(records, some, gauges=DARTS[:2]).slip)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r, b: sc.invert("r.nc", "cascadia"), "records must be Records"),
        (lambda r, b: sc.invert(r, 45), "inverter must be an Inverter, or the name or folder of a model, got 45"),
        (lambda r, b: sc.invert(r, b), "inverter must be an Inverter, or the name or folder of a model, got"),
        (lambda r, b: sc.invert(r, "casadia"), "no model casadia: neither a folder nor one of the package"),
        (lambda r, b: sc.invert(r, sc.LeastSquares(b, 60), window_min="20"), "window_min must be a number of minutes"),
        (lambda r, b: sc.invert(r, sc.LeastSquares(b, 60), gauges="46404"), "gauges must be a sequence of names"),
        (lambda r, b: sc.invert(r, sc.LeastSquares(b, 60), gauges=[]), "gauges must name at least one gauge, got none"),
        (lambda r, b: invert_records(r, "cascadia"), "inverter must be an Inverter"),
        (lambda r, b: sc.LeastSquares("bank.nc", 60), "bank must be a GreensBank or ScenarioSet, got 'bank.nc'"),
        (lambda r, b: sc.LeastSquares(b, "60"), "window_min must be a number, got '60'"),
        (lambda r, b: sc.LeastSquares(b, 60, gauges="46404"), "gauges must be a sequence of names, got '46404'"),
        (lambda r, b: sc.LeastSquares(b, 60, sources="acsza58"), "sources must be a sequence of names"),
        (
            lambda r, b: sc.LeastSquares(b, 60, damping="lcurve"),
            "damping must be one of gcv, discrepancy",
        ),
        (lambda r, b: sc.LeastSquares(b, 60, damping="gcv", slip_sd_m=5.0), "give damping or slip_sd_m, got both"),
        (lambda r, b: sc.LeastSquares(b, 60, model_error=-1.0), "model_error must be >= 0, got -1"),
        (lambda r, b: sc.GaussianPosterior.from_bank("b", 60), "bank must be a GreensBank or ScenarioSet, got 'b'"),
        (lambda r, b: sc.GaussianPosterior.from_bank(b, "60"), "window_min must be a number of minutes, got '60'"),
        (lambda r, b: sc.GaussianPosterior.from_bank(b, 60, method="nnls"), "method must be one of linear, gaussian"),
        (lambda r, b: sc.GaussianPosterior.from_bank(b, 60, model_error=-1.0), "model_error must be >= 0, got -1"),
        (lambda r, b: sc.GaussianPosterior.from_bank(b, 60).restricted(gauges=[]), "gauges must name at least one"),
        (
            lambda r, b: sc.GaussianPosterior.from_bank(b, 60).restricted(window_min=61),
            r"window_min must be in \(0, 60\]",
        ),
        (lambda r, b: sc.forecast("slip.nc", b), "slip must be a SlipEstimate or SurfaceEstimate, got 'slip.nc'"),
        (
            lambda r, b: sc.forecast(sc.invert(r, sc.LeastSquares(b, 60)), 3),
            "waves must be a bank, an Inverter",
        ),
        (
            lambda r, b: sc.forecast(sc.invert(r, sc.LeastSquares(b, 60)), b, gauges="newport"),
            "gauges must be a sequence",
        ),
        (lambda r, b: sc.replay("r.nc", "cascadia"), "records must be Records"),
        (lambda r, b: sc.replay(r, b), "inverter must be an Inverter"),
        (lambda r, b: sc.evaluate(b, {"a": "cascadia"}), "scenarios must be a ScenarioSet"),
        (lambda r, b: sc.invert_event("r.nc", b), "records must be Records"),
        (lambda r, b: sc.invert_event(r, "b.nc"), "bank must be a GreensBank, got 'b.nc'"),
        (lambda r, b: sc.invert_event(r, b, window_min="all"), "window_min must be minutes, 'first-wave', or"),
        (
            lambda r, b: sc.invert_event(r, b, epicentre=(235.0, 47.0)),
            "epicentre chooses unit sources with",
        ),
        (lambda r, b: sc.invert_event(r, b, magnitude=8.0), "magnitude chooses unit sources around an epicentre"),
        (lambda r, b: sc.invert_event(r, b, window_min=60, gauges=["99999"]), "unknown gauge '99999' in records"),
        (
            lambda r, b: sc.invert_event(sc.Records(r.dataset.isel(gauge=[0])), b, window_min=60, gauges=["46407"]),
            "unknown gauge '46407' in records",
        ),
        (lambda r, b: sc.invert_event(r, b, window_min=60, magnitude=12, epicentre=(235, 47)), "between 0 and 10"),
        (lambda r, b: sc.open_model(3), "name_or_folder must be the name or folder of a model, got 3"),
    ],
)
def test_wrong_kinds_are_refused_in_one_line(records, small_bank, call, message):
    with pytest.raises(InputError, match=message) as caught:
        call(records, small_bank)
    assert "\n" not in str(caught.value)


def test_an_event_with_candidates_windows_and_delays(records, small_bank):
    windows = {"46404": 60, "46407": 70, "46419": 80}
    found = sc.invert_event(
        records,
        small_bank,
        method="tikhonov",
        window_min=windows,
        epicentre=(235.3, 47.9),
        magnitude=7.4,
        stretch=True,
    )
    assert 0 < len(found.slip.sources) < len(small_bank.sources)
    assert (found.windows_min, found.inverter.window_min) == (windows, 80)
    assert found.timing is not None
    by_hand = sc.invert(found.records, found.inverter, window_min=found.windows_min)
    npt.assert_array_equal(found.slip.slip, by_hand.slip)
    by_wave = sc.invert_event(records, small_bank, gauges=["46404"], method="nnls")
    assert by_wave.windows_min == first_wave_ends(records, ["46404"])
    whole = sc.invert_event(records, small_bank, window_min=60, method="nnls", gauges=DARTS[:2])
    assert whole.slip.dataset.attrs["gauges"] == "46404 46407"
    assert (whole.slip.sources, whole.timing) == (small_bank.sources, None)


def test_a_real_event_gets_a_posterior_whose_intervals_hold_where_no_method_is_named(records, small_bank):
    found = sc.invert_event(records, small_bank, window_min=60)
    assert (found.inverter.method, found.slip.dataset.attrs["method"]) == ("mixture", "mixture")
    low, *_, high = found.slip.dataset["magnitude_quantile"].to_numpy()
    assert low < found.slip.magnitude < high
    with pytest.raises(InputError, match="slip_sd_m is for method tikhonov, no use for it with mixture"):
        sc.invert_event(records, small_bank, window_min=60, slip_sd_m=5.0)


def test_delays_are_of_the_gauges_that_were_named(records, small_bank, monkeypatch):
    monkeypatch.setattr(timing, "_SHIFT_STEP_S", 60.0)  # whatever the steps, those of a gauge are its own
    options = {"window_min": 60, "gauges": DARTS[:2], "stretch": True, "shifts": True}
    found = sc.invert_event(records, small_bank, method="nnls", put_aside=False, **options).timing
    alone, of_all = (fit_timing(records, small_bank, **options | more) for more in ({}, {"gauges": None}))
    assert (found.stretch, found.shift_s, found.misfit_before) == (alone.stretch, alone.shift_s, alone.misfit_before)
    assert found.misfit_before != of_all.misfit_before


def test_a_sample_at_the_end_of_a_window_is_in_it(records, small_bank):
    level = records.sea_level.to_numpy().copy()
    level[..., 1, records.time_s < 3600] = np.nan
    late = sc.Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    assert sc.invert_event(late, small_bank, method="nnls", window_min=60, put_aside=False).slip.gauges_left_out == {}


def test_a_gauge_without_samples_does_not_stop_the_others(records, small_bank, tmp_path):
    level = records.sea_level.to_numpy().copy()
    level[..., 1, records.time_s <= 3600] = np.nan
    silent = sc.Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    for method in ("tikhonov", "bayes"):
        options = {"window_min": 60, "method": method}
        with pytest.warns(sc.SlipcastWarning, match="gauge 46407 is left out: no sample in the window of 60 min"):
            found = sc.invert_event(silent, small_bank, **options)
        expected = sc.invert_event(records, small_bank, gauges=["46404", "46419"], **options)
        npt.assert_allclose(found.slip.slip, expected.slip.slip, atol=1e-9)
        assert found.slip.gauges_left_out == {"46407": "no sample in the window of 60 min"}
        assert "left out" in repr(found.slip)
        found.slip.save(tmp_path / "slip.nc")
        assert sc.SlipEstimate.open(tmp_path / "slip.nc").gauges_left_out == found.slip.gauges_left_out
    # a gauge that was named must have samples
    for method in ("tikhonov", "mixture"):
        with pytest.raises(InputError, match="gauge 46407 has no sample in the window of 60 min"):
            sc.invert_event(silent, small_bank, method=method, window_min=60, gauges=["46404", "46407"])
    # what could not be read is said, too
    more = sc.Records(silent.dataset.assign_attrs(gauges_left_out='{"46411": "holds no height"}'))
    with pytest.warns(sc.SlipcastWarning, match="gauge 46407 is left out"):
        found = sc.invert_event(more, small_bank, method="nnls", window_min={"46404": 60, "46407": 50, "46419": 60})
    assert found.slip.gauges_left_out == {"46411": "holds no height", "46407": "no sample in the window of 50 min"}
    # all without
    level[..., records.time_s <= 3600] = np.nan
    none = sc.Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    with pytest.raises(InputError, match="no gauge has a sample in the window of 59 min"):
        sc.invert_event(none, small_bank, window_min=59)


def test_a_first_wave_ends_where_the_bank_does(records, small_bank):
    short = small_bank.with_window(DARTS, 45)
    found = sc.invert_event(records, short, method="nnls")
    ends = first_wave_ends(records, DARTS)
    assert max(ends.values()) > 45
    assert found.windows_min == {name: min(end, 45) for name, end in ends.items()}


def test_a_gauge_without_a_wave_does_not_stop_the_others(records, small_bank):
    level = records.sea_level.to_numpy().copy()
    level[..., 1:, :] = -0.01
    calm = sc.Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    with pytest.warns(sc.SlipcastWarning, match="gauge 46407 is left out: no wave was found"):
        found = sc.invert_event(calm, small_bank, method="nnls")
    assert found.windows_min == first_wave_ends(records, ["46404"]) == first_wave_ends(calm, skip_missing=True)
    assert found.slip.gauges_left_out == dict.fromkeys(DARTS[1:], "no wave was found")
    with pytest.raises(InputError, match="gauge 46407: sea_level_m has no crest"):
        sc.invert_event(calm, small_bank, method="nnls", gauges=["46404", "46407"])
    level[...] = -0.01
    none = sc.Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    with pytest.raises(InputError, match="gauge 46404: sea_level_m has no crest"):
        sc.invert_event(none, small_bank, method="nnls")


def test_reasons_that_are_none(records):
    odd = sc.Records(records.dataset.assign_attrs(gauges_left_out="46407"))
    with pytest.raises(InputError, match="gauges_left_out must be reasons by gauge as JSON, got '46407'"):
        _ = odd.gauges_left_out


def test_a_rupture_takes_its_time(records, small_bank):
    half_s = usual_half_duration(8.0)
    npt.assert_allclose(half_s, 1.05e-8 * 1.259e28 ** (1 / 3), rtol=2e-3)  # 1.26e28 dyn cm
    found = sc.invert_event(records, small_bank, method="nnls", window_min=60, half_duration_s=half_s)
    assert found.timing is not None
    assert sc.invert_event(records, small_bank, method="nnls", window_min=60).timing is None
    # waves at 60 s are those that slip at once makes at 36 s
    seen, early = records.resample(np.arange(60.0, 3600.0, 60.0)), found.records.resample(np.arange(60.0, 3600.0, 60.0))
    late = records.resample(np.arange(60.0, 3600.0, 60.0) + half_s)
    npt.assert_allclose(early, late, atol=1e-6)
    assert np.abs(early - seen).max() > 0.01
    with pytest.raises(InputError, match="ruptures of method linear take time themselves"):
        sc.invert_event(records, small_bank, method="linear", window_min=60, half_duration_s=20)
    with pytest.raises(InputError, match=r"half_duration_s must be in \[0, 600\] s, got -1"):
        sc.invert_event(records, small_bank, method="nnls", window_min=60, half_duration_s=-1)
