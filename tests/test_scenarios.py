"""Scenario sets: exact twins, delays, reproducible parts and noise, a file that comes back whole."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.inversion import magnitude_of_slip
from slipcast.physics.ruptures import RuptureSettings
from slipcast.scenarios import scenario_set as scenarios
from slipcast.scenarios.kinematics import delay_taps, rupture_records
from slipcast.scenarios.scenario_set import ScenarioSet, scenario_set_id, split_codes


def test_a_metre_on_one_unit_source_is_its_response(small_bank):
    subfaults = small_bank.subfaults
    for number in (0, 4):
        slip = (subfaults.source_index == number).astype(float)
        source = small_bank.sources[number]
        records = rupture_records(small_bank, slip, np.zeros(slip.size), np.zeros(1))[0]
        expected = small_bank.source_response(sources=[source])[..., 0]
        npt.assert_allclose(records, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
        weights = subfaults.averaging_matrix() @ slip
        npt.assert_allclose(weights, np.eye(9)[number], atol=1e-12)
        assert round(float(magnitude_of_slip(weights, small_bank.sources)), 2) == 7.47


def test_records_are_what_the_slip_makes(small_bank, small_set):
    # a second way: shift each subfault's response by its onset, one subfault and instant of the ramp after the other
    time = small_bank.time_s
    response = small_bank.dataset["response"].to_numpy().astype(float)
    scenario = small_set.dataset.isel(scenario=3)
    slip, onset, rise = (scenario[key].to_numpy() for key in ("slip", "onset", "rise_time"))
    expected = np.zeros(response.shape[:2])
    for subfault in np.flatnonzero(slip):
        for part in (np.arange(20) + 0.5) / 20:
            late = time - onset[subfault] - part * rise
            for gauge in range(len(small_bank.gauges)):
                moved = np.interp(late, time, response[gauge, :, subfault], left=0.0)
                expected[gauge] += slip[subfault] * moved / 20
    found = scenario["records"].to_numpy()
    # linear interpolation is what differs: it flattens peaks of a few minutes
    npt.assert_allclose(found, expected, rtol=0, atol=0.02 * np.abs(expected).max())
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.005 * np.abs(expected).max()


def test_a_delay_of_whole_minutes_is_a_shift(small_bank):
    slip = np.random.default_rng(1).uniform(0, 5, len(small_bank.subfaults))
    at_once, late = (
        rupture_records(small_bank, slip, np.full(slip.size, onset), np.zeros(1))[0] for onset in (0.0, 180.0)
    )
    npt.assert_allclose(late[:, 3:], at_once[:, :-3], rtol=0, atol=1e-6 * np.abs(at_once).max())
    npt.assert_array_equal(late[:, :3], 0.0)


@given(st.floats(0.0, 900.0))
def test_delays_by_taps(delay):
    lags, weights = delay_taps(delay, 60.0)
    assert (lags >= 0).all()
    npt.assert_allclose(weights.sum(), 1.0, atol=1e-9)
    # cubic interpolation is exact for a cubic signal
    npt.assert_allclose((weights * (100.0 - lags) ** 3).sum(), (100.0 - delay / 60) ** 3, rtol=1e-9)


def test_weights_are_area_means_of_the_slip(small_set, small_bank):
    slip = small_set.dataset["slip"].to_numpy()
    for number, source in enumerate(small_set.sources):
        own = small_bank.subfaults.source_index == number
        # all subfaults are of one size here, so the area mean is the mean
        npt.assert_allclose(small_set.dataset["weights"].sel(source=source), slip[:, own].mean(axis=1), rtol=1e-5)
    npt.assert_allclose(
        magnitude_of_slip(small_set.load_weights().to_numpy().astype(float), small_set.sources),
        small_set.dataset["magnitude"],
        atol=1e-5,
    )


def test_a_set_is_the_beginning_of_a_larger_one(small_bank, small_set):
    larger = ScenarioSet.build(small_bank, count=150, seed=5)
    for name in ("slip", "onset", "magnitude", "weights", "records"):
        npt.assert_array_equal(larger.dataset[name][:40], small_set.dataset[name])
    assert larger.id != small_set.id
    assert np.unique(larger.dataset["magnitude"]).size == 150  # no batch repeats another


def test_the_identity_follows_every_argument(small_bank, small_set):
    settings = RuptureSettings()
    ids = {
        scenario_set_id(small_bank, seed, count, of)
        for seed, count, of in (
            (5, 40, settings),
            (6, 40, settings),
            (5, 41, settings),
            (5, 40, RuptureSettings(hurst=(0.4,))),
        )
    }
    assert len(ids) == 4
    assert small_set.id in ids


def test_the_identity_follows_what_a_seed_means(small_bank, small_set, monkeypatch):
    # scenarios of a seed that became others must not be put beside those that were
    monkeypatch.setattr(scenarios, "_NUMBERS", scenarios._NUMBERS + 1)
    assert scenario_set_id(small_bank, 5, 40, RuptureSettings()) != small_set.id


def test_settings_reach_the_ruptures(small_bank):
    settings = RuptureSettings(magnitude=(8.0, 8.0), hurst=(0.75,), kinematic=False)
    made = ScenarioSet.build(small_bank, count=5, seed=1, settings=settings).dataset
    npt.assert_array_equal(made["magnitude"], 8.0)
    npt.assert_array_equal(made["hurst"], 0.75)
    npt.assert_array_equal(made["onset"], 0.0)
    assert made.attrs["rupture_kinematic"] == 0


# --- parts


@pytest.mark.parametrize("count", [20, 1300])
def test_the_parts_are_70_15_15(count):
    codes = split_codes(count, seed=3)
    npt.assert_array_equal(np.bincount(codes), [round(0.7 * count), round(0.15 * count), round(0.15 * count)])
    npt.assert_array_equal(codes, split_codes(count, seed=3))
    assert not np.array_equal(codes, split_codes(count, seed=4))


def test_indices_of_the_parts(small_set):
    parts = [small_set.indices(part) for part in ("train", "validation", "test")]
    npt.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(40))
    with pytest.raises(InputError, match="split must be one of train, validation, test, got 'training'"):
        small_set.indices("training")


def test_divided_anew(small_set):
    anew = small_set.with_split((0.5, 0.25, 0.25), seed=9)
    assert [anew.indices(part).size for part in ("train", "validation", "test")] == [20, 10, 10]
    npt.assert_array_equal(anew.dataset["records"], small_set.dataset["records"])
    assert small_set.indices("train").size == 28


# --- loading


def test_records_of_a_window(small_set):
    records = small_set.load_records(["46419", "46404"], 45, [3, 7])
    assert records.dims == ("scenario", "gauge", "time")
    npt.assert_array_equal(records["time"], 60.0 * np.arange(1, 46))
    expected = small_set.dataset["records"].sel(gauge=["46419", "46404"]).isel(scenario=[3, 7], time=slice(1, 46))
    npt.assert_array_equal(records, expected)
    npt.assert_array_equal(small_set.load_weights([7])[0], small_set.dataset["weights"][7])


def test_noise_is_the_same_for_every_caller(small_set):
    clean = small_set.load_records(["46404", "46407"], 60)
    noisy = small_set.load_records(["46404", "46407"], 60, noise_sd_m=0.005)
    noise = (noisy - clean).to_numpy()
    # n = 4800 samples: the standard deviation is known to 1 %, the mean to sd/70
    npt.assert_allclose(noise.std(), 0.005, rtol=0.05)
    assert abs(noise.mean()) < 4 * 0.005 / np.sqrt(noise.size)
    assert abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 0.1
    other = small_set.load_records(["46419", "46407"], 30, [11, 2], noise_sd_m=0.005)
    npt.assert_array_equal(other.sel(gauge="46407"), noisy.sel(gauge="46407").isel(scenario=[11, 2], time=slice(0, 30)))
    turned = small_set.load_records(["46407", "46404"], 60, noise_sd_m=0.005)
    npt.assert_array_equal(turned, noisy.sel(gauge=["46407", "46404"]))
    twice = small_set.load_records(["46404", "46407"], 60, noise_sd_m=0.010) - clean
    npt.assert_allclose(twice, 2 * noise, atol=1e-6)


def test_what_cannot_be_loaded(small_set):
    with pytest.raises(InputError, match="unknown gauge '46405' in scenario set cascadia; nearest: 4640"):
        small_set.load_records(["46405"], 45)
    with pytest.raises(InputError, match="window of 150 min is longer than the 120 min of scenario set cascadia"):
        small_set.load_records(["46404"], 150)
    with pytest.raises(InputError, match="noise_sd_m must be >= 0 m, got -1"):
        small_set.load_records(["46404"], 45, noise_sd_m=-1)


def test_the_set_carries_the_responses_of_its_bank(small_set, small_bank):
    found = small_set.source_response(["westport"], sources=["acszz58", "acsza57"], window_min=30)
    expected = small_bank.source_response(["westport"], sources=["acszz58", "acsza57"], window_min=30)
    npt.assert_allclose(found, expected, rtol=1e-6)
    assert (small_set.gauges, small_set.region, small_set.target) == (small_bank.gauges, small_bank.region, "area_mean")


def test_counts_and_seeds_that_cannot_be(small_bank):
    with pytest.raises(InputError, match="count must be >= 1, got 0"):
        ScenarioSet.build(small_bank, count=0, seed=1)
    with pytest.raises(InputError, match="seed must be >= 0, got -1"):
        ScenarioSet.build(small_bank, count=1, seed=-1)


# --- the file


def test_save_and_open_give_the_same_numbers(small_set, tmp_path):
    small_set.save(tmp_path / "set.zarr")
    opened = ScenarioSet.open(tmp_path / "set.zarr")
    assert (opened.id, len(opened)) == (small_set.id, 40)
    for name in small_set.dataset.variables:
        npt.assert_array_equal(opened.dataset[name], small_set.dataset[name])
    npt.assert_array_equal(
        opened.load_records(["46404"], 45, noise_sd_m=0.01), small_set.load_records(["46404"], 45, noise_sd_m=0.01)
    )


def test_saving_over_an_older_set_but_nothing_else(small_set, tmp_path):
    target = tmp_path / "set.zarr"
    small_set.save(target)
    small_set.with_split((0.5, 0.25, 0.25), seed=1).save(target)
    assert ScenarioSet.open(target).indices("train").size == 20
    assert [path.name for path in tmp_path.iterdir()] == ["set.zarr"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"cannot write .*mine: it is a folder with other files, which would be lost"):
        small_set.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_folders_that_are_no_set(small_set, tmp_path):
    with pytest.raises(InputError, match=r"no folder .*nowhere.zarr"):
        ScenarioSet.open(tmp_path / "nowhere.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(InputError, match=r"empty.zarr cannot be read as Zarr: it is incomplete or of another format"):
        ScenarioSet.open(tmp_path / "empty.zarr")
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "foreign.zarr", zarr_format=2, consolidated=True)
    with pytest.raises(InputError, match=r"foreign.zarr holds no slipcast file, not a scenario set"):
        ScenarioSet.open(tmp_path / "foreign.zarr")
    kind = xr.Dataset({"a": ("x", [1.0])}, attrs={"slipcast": "scenarios"})
    kind.to_zarr(tmp_path / "half.zarr", zarr_format=2, consolidated=True)
    with pytest.raises(InputError, match=r"half.zarr is an incomplete scenario set: it lacks records, source_resp"):
        ScenarioSet.open(tmp_path / "half.zarr")
    small_set.save(tmp_path / "set.zarr")
    (tmp_path / "set.zarr" / ".zmetadata").unlink()
    with pytest.raises(InputError, match=r"set.zarr is damaged: it lacks .zmetadata"):
        ScenarioSet.open(tmp_path / "set.zarr")


# --- damaged folders


@pytest.fixture
def saved(small_set, tmp_path):
    small_set.save(tmp_path / "set.zarr")
    return tmp_path / "set.zarr"


def chunks(folder, name):
    """Return the files that hold the numbers of an array."""
    found = [path for path in (folder / name).iterdir() if not path.name.startswith(".")]
    assert found
    return found


def use(folder):
    """Open a set and read what training reads."""
    scenarios = ScenarioSet.open(folder)
    scenarios.load_records(["46404"], 45)
    scenarios.load_weights()
    scenarios.source_response()
    scenarios.indices("train")


@pytest.mark.parametrize("name", ["records", "weights", "source_response", "split", "time", "gauge"])
def test_a_set_that_lacks_a_file(saved, name):
    # Zarr takes a chunk that is not there for one full of fill values: they must not pass for numbers
    for path in chunks(saved, name):
        path.unlink()
    with pytest.raises(InputError, match=r"set\.zarr"):
        use(saved)


@pytest.mark.parametrize("name", ["records", "weights", "source_response", "split", "time", "gauge"])
def test_a_set_with_a_truncated_file(saved, name):
    for path in chunks(saved, name):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"set\.zarr"):
        use(saved)


@pytest.mark.parametrize("lost", ["region_json", "id", "seed"])
def test_a_set_that_does_not_say_what_it_is(small_set, tmp_path, lost):
    attrs = {key: value for key, value in small_set.dataset.attrs.items() if key != lost} | {"slipcast": "scenarios"}
    dataset = small_set.dataset.drop_attrs().assign_attrs(attrs)
    dataset.to_zarr(tmp_path / "set.zarr", zarr_format=2, consolidated=True)
    with pytest.raises(InputError, match=rf"set.zarr is an incomplete scenario set: it lacks {lost}"):
        ScenarioSet.open(tmp_path / "set.zarr")


# --- arguments


def test_the_identity_follows_the_bank(small_bank):
    other = GreensBank(small_bank.dataset.assign_attrs(id="another"))
    assert scenario_set_id(other, 5, 40, RuptureSettings()) != scenario_set_id(small_bank, 5, 40, RuptureSettings())


def test_another_seed_makes_other_ruptures_and_noise(small_bank, small_set):
    other = ScenarioSet.build(small_bank, count=40, seed=6)
    assert not np.isin(other.dataset["magnitude"], small_set.dataset["magnitude"]).any()
    first, second = (
        (of.load_records(["46404"], 60, noise_sd_m=0.01) - of.load_records(["46404"], 60)).to_numpy().ravel()
        for of in (small_set, other)
    )
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(first.size)


def test_noise_of_scenarios_minutes_and_gauges_is_independent(small_set):
    gauges = ["46404", "46407", "46419"]
    noise = small_set.load_records(gauges, 100, noise_sd_m=1.0) - small_set.load_records(gauges, 100)
    for dim in ("scenario", "gauge", "time"):
        first, second = (noise.isel({dim: part}).to_numpy() for part in (slice(None, -1), slice(1, None)))
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / np.sqrt(first.size)


def test_progress_counts_scenarios(small_bank):
    told = []
    ScenarioSet.build(small_bank, count=150, seed=1, progress=lambda *of: told.append(of))
    assert told == [(128, 150, ""), (150, 150, "")]


@pytest.mark.parametrize("fractions", [(0.9, 0.9, 0.1), (-0.5, 0.9, 0.6), (0.5, 0.5), (0.5, 0.3, 0.1)])
def test_parts_that_do_not_make_a_whole(small_set, fractions):
    with pytest.raises(InputError, match=r"fractions must be three numbers >= 0 that sum to 1, got \("):
        small_set.with_split(fractions, seed=1)


@pytest.mark.parametrize(("indices", "number"), [([3, 40], 40), ([-1], -1)])
def test_scenarios_that_a_set_lacks(small_set, indices, number):
    for load in (lambda: small_set.load_records(["46404"], 45, indices), lambda: small_set.load_weights(indices)):
        with pytest.raises(InputError, match=rf"indices must be in \[0, 40\), got {number}"):
            load()


def test_a_division_by_fractions():
    codes = split_codes(10, 1, (0.5, 0.2))
    npt.assert_array_equal(np.bincount(codes), [5, 2, 3])
    npt.assert_array_equal(codes, split_codes(10, 1, (0.5, 0.2)))
    assert not np.array_equal(codes, split_codes(10, 2, (0.5, 0.2)))
    npt.assert_array_equal(np.bincount(split_codes(10, 1, (0.0, 1.0)), minlength=3), [0, 10, 0])
