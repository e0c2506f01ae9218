"""The same samples give the same answer by the service, a replay, the library and the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.testing as npt
import pytest

import slipcast as sc
from slipcast.learning.inverters import open_posterior
from slipcast.realtime.nowcast import Nowcast
from slipcast.records.records import Records

DARTS = ["46404", "46407", "46419", "46411"]
EPICENTRE = (-124.4, 43.7)
MINUTES = np.arange(1, 121)


@dataclass
class Earthquake:
    """An earthquake off Oregon as it is first reported."""

    magnitude: float | None
    name: str = ""
    origin_time: str = "2026-01-26T21:00:00Z"
    longitude: float = EPICENTRE[0]
    latitude: float = EPICENTRE[1]
    simulation: bool = False


@pytest.fixture(scope="module")
def model():
    return open_posterior("cascadia")


def simulated(row=0, change=lambda level: level):
    """Return the levels of a great earthquake with one sensor changed."""
    level = sc.packaged_records("cascadia-simulation").sea_level.to_numpy().copy()
    level[row] = change(level[row])
    return level


def quiet(off_m=0.0):
    """Return levels of a sea without a tsunami, by sensors with a scatter of 5 mm."""
    return np.random.default_rng(1).normal(0, 0.005, (4, 120)) + off_m


CASES = {
    "as simulated": (simulated(), 45, 8.6, 8.89),
    "stuck at 0.8 m": (simulated(0, lambda level: np.full_like(level, 0.8)), 45, 8.6, 8.89),
    "a sample of 40 m": (simulated(2, lambda level: np.where(MINUTES == 31, 40.0, level)), 45, 8.6, 8.89),
    "another unit": (simulated(0, lambda level: np.clip(100 * level, -49, 49)), 45, 8.6, 8.89),
    "quiet": (quiet(), 24, 6.1, 6.2),
    "2.5 cm high": (quiet(0.025), 24, 6.1, 6.2),
    "drift of 3 cm in 30 min": (quiet(0.03 * MINUTES / 30), 24, 6.1, 6.2),
}
NAMED = {
    "stuck at 0.8 m": "46404: 45 samples left out (flat_line)",
    "a sample of 40 m": "46419: 1 sample left out (spike)",
    "another unit": "46404: not used, its record contradicts the others or what slip can make",
    "2.5 cm high": "cm off before a wave can be there, taken out",
}


def records_of(level_m, minutes, magnitude):
    """Return levels as a reader of detided records has them."""
    places = [sc.Region.open("cascadia").gauge(name) for name in DARTS]
    made = Records.from_arrays(
        60.0 * MINUTES[:minutes],
        level_m[:, :minutes],
        gauges=DARTS,
        lon_deg=[place.lon for place in places],
        lat_deg=[place.lat for place in places],
    )
    return made.with_event(epicentre=EPICENTRE, magnitude=magnitude)


@pytest.mark.parametrize("name", CASES)
def test_one_answer_by_every_way(slipcast, tmp_path, model, name):
    level_m, minutes, magnitude, expected = CASES[name]
    posted = {
        (gauge, "sea_level", 60_000 * minute): float(level_m[row, minute - 1])
        for row, gauge in enumerate(DARTS)
        for minute in range(1, minutes + 1)
    }
    live = Nowcast(model).answer(Earthquake(magnitude), posted)
    records = records_of(level_m, minutes, magnitude)
    replayed = sc.replay(records, model, minutes=[minutes])
    found = sc.invert(records, model, window_min=minutes)
    assert live.slip.magnitude == pytest.approx(expected, abs=0.05)
    for magnitudes in (replayed.dataset["magnitude"].to_numpy()[-1], found.magnitude):
        npt.assert_allclose(magnitudes, live.slip.magnitude, atol=1e-6)
    npt.assert_allclose(found.slip, live.slip.slip, atol=1e-6)
    assert found.put_aside == pytest.approx(live.put_aside, abs=0.05)
    assert set(found.explained) == set(live.explained)
    for gauge, share in found.explained.items():
        npt.assert_allclose(share, live.explained[gauge], atol=1e-4)
    assert str(replayed.dataset["flags"].to_numpy()[-1]) == "; ".join(live.flags)
    assert NAMED.get(name, "") in "; ".join(live.flags)
    if magnitude < 7:
        assert "no wave detected yet" in live.flags
        assert float(live.forecast.max_amplitude.max()) < 0.05
    # the magnitude given by hand, to records that name none
    bare = sc.Records(records.dataset.drop_attrs(deep=False).assign_attrs(tide_removed=1))
    bare.save(tmp_path / "records.nc")
    told = ("--epicentre", *EPICENTRE, "--magnitude", magnitude, "--out", tmp_path / "slip.nc", "--json")
    code, out, err = slipcast("invert", tmp_path / "records.nc", "--model", "cascadia", "--window", minutes, *told)
    assert code == 0, err
    printed = json.loads(out)
    assert printed["magnitude"] == round(found.magnitude, 3)
    assert printed["put_aside"] == pytest.approx(found.put_aside)
    opened = sc.SlipEstimate.open(tmp_path / "slip.nc")
    assert (opened.note, opened.explained.keys()) == (found.note, found.explained.keys())
    npt.assert_allclose(opened.slip, found.slip, atol=1e-6)


@pytest.mark.parametrize("first", [7.0, 8.6])
def test_one_answer_by_a_bank(small_bank, first):
    """Sources in reach, the first magnitude and the sensors put aside are the same by every way."""
    gauges = DARTS[:3]
    slip_m = np.where(np.arange(len(small_bank.sources)) == 4, 6.0, 1.0)
    waves = small_bank.source_response(gauges, window_min=90)
    level = waves.to_numpy() @ slip_m + np.random.default_rng(1).normal(0, 0.002, (3, waves.sizes["time"]))
    places = [small_bank.region.gauge(name) for name in gauges]
    records = Records.from_arrays(
        waves["time"].to_numpy(),
        level,
        gauges=gauges,
        lon_deg=[place.lon for place in places],
        lat_deg=[place.lat for place in places],
    ).with_event(epicentre=(235.3, 47.9), magnitude=first)
    inverter = sc.LeastSquares(small_bank, 90, gauges=tuple(gauges), slip_sd_m=5.0)
    live = Nowcast(inverter).update(records.windowed(dict.fromkeys(gauges, (-np.inf, 60.0))))
    assert live.slip.sources == (small_bank.sources if first > 8 else live.slip.sources)
    assert 0 < len(live.slip.sources) <= len(small_bank.sources)
    found = sc.invert(records, inverter, window_min=60)
    by_name = sc.invert_event(records, small_bank, window_min=60, method="tikhonov", slip_sd_m=5.0)
    replayed = sc.replay(records, inverter, minutes=[60])
    for slip in (found, by_name.slip):
        assert slip.sources == live.slip.sources
        npt.assert_allclose(slip.slip, live.slip.slip, atol=1e-6)
        assert slip.note == live.slip.note
        assert slip.put_aside == pytest.approx(live.put_aside, abs=0.05)
    npt.assert_allclose(replayed.dataset["magnitude"].to_numpy()[-1], live.slip.magnitude, atol=1e-6)


def test_one_answer_by_a_mixture(small_bank):
    """Draws of whole ruptures, and what goes with each, are the same by every way."""
    gauges = DARTS[:3]
    waves = small_bank.source_response(gauges, window_min=90)
    slip_m = np.where(np.arange(len(small_bank.sources)) == 4, 6.0, 1.0)
    level = waves.to_numpy() @ slip_m + np.random.default_rng(1).normal(0, 0.002, (3, waves.sizes["time"]))
    places = [small_bank.region.gauge(name) for name in gauges]
    lon_deg, lat_deg = [place.lon for place in places], [place.lat for place in places]
    records = Records.from_arrays(waves["time"].to_numpy(), level, gauges=gauges, lon_deg=lon_deg, lat_deg=lat_deg)
    records = records.with_event(epicentre=(235.3, 47.9), magnitude=8.0)
    inverter = sc.RuptureMixture(small_bank, 90, families=12)
    live = Nowcast(inverter).update(records.windowed(dict.fromkeys(gauges, (-np.inf, 60.0))))
    found = sc.invert(records, inverter, window_min=60)
    for name in ("slip_sample", "subfault_sample", "wave_error", "wave_factor", "wave_delay"):
        npt.assert_allclose(found.dataset[name], live.slip.dataset[name], rtol=1e-5, atol=1e-6)
    npt.assert_allclose(sc.forecast(found, small_bank).max_amplitude, live.forecast.max_amplitude, rtol=1e-5, atol=1e-6)
    replayed = sc.replay(records, inverter, minutes=[60])
    npt.assert_allclose(replayed.dataset["magnitude"].to_numpy()[-1], live.slip.magnitude, atol=1e-5)


def test_what_counts_as_a_first_magnitude(model):
    level_m, minutes, _, _ = CASES["quiet"]
    records = records_of(level_m, minutes, None)
    alone = sc.invert(records, model, window_min=minutes)
    # the largest that a reader was told is likely, and the truth of a simulation, are no first report
    for about in ({"magnitude": 9.0}, {"magnitude": 7.0, "simulation": 1}):
        named = sc.Records(records.dataset.assign_attrs(about))
        assert named.first_magnitude is None
        assert sc.invert(named, model, window_min=minutes).magnitude == alone.magnitude
        assert Nowcast(model).update(named).slip.magnitude == pytest.approx(alone.magnitude, abs=1e-6)
    assert sc.invert(records.with_event(magnitude=7.0), model, window_min=minutes).magnitude < 7.5
    # one event in a dimension of its own is one event
    single = sc.Records(records.with_event(magnitude=6.1).dataset.expand_dims(event=1))
    assert sc.invert(single, model, window_min=minutes).magnitude < 6.5


def test_a_bad_gauge_of_fine_samples_alone(model):
    """Nothing is left but that no wave can have come at minute one."""
    at_s = 15.0 * np.arange(1, 97)
    place = sc.Region.open("cascadia").gauge("46404")
    bad = np.where(np.arange(96) // 16 % 2 == 0, 1.5, -0.8)[np.newaxis]
    records = Records.from_arrays(at_s, bad, gauges=["46404"], lon_deg=[place.lon], lat_deg=[place.lat])
    found = Nowcast(model).update(records, magnitude=7.0)
    assert list(found.put_aside) == list(found.slip.put_aside) == ["46404"]
    assert found.slip.dataset.attrs["gauges"] == ""
    assert float(found.forecast.max_amplitude.max()) < 0.3


def test_a_replay_says_what_qualifies_its_last_estimate(slipcast, tmp_path):
    level_m, minutes, magnitude, _ = CASES["stuck at 0.8 m"]
    records_of(level_m, minutes, magnitude).save(tmp_path / "records.nc")
    command = ("replay", tmp_path / "records.nc", "--model", "cascadia", "--until", 30, "--every", 25)
    code, _, err = slipcast(*command, "--out", tmp_path / "replay.nc")
    assert code == 0, err
    assert "at minute 30: 46404: 30 samples left out (flat_line)\n" in err
    code, out, err = slipcast(*command, "--out", tmp_path / "replay.nc", "--json")
    assert "46404: 30 samples left out (flat_line)" in json.loads(out)["flags"], err


def test_records_alone(model):
    level_m, minutes, magnitude, _ = CASES["quiet"]
    records = records_of(level_m, minutes, magnitude)
    alone = sc.invert(records, model, window_min=minutes, hold_first=False)
    assert alone.magnitude > 7
    assert alone.note == ""
    held = sc.invert(records, model, window_min=minutes)
    assert held.magnitude < 6.5
    assert "limited by the first magnitude" in held.note
    several = sc.Records(records.dataset.expand_dims(event=2))
    with pytest.raises(sc.InputError, match="magnitude is that of one event"):
        sc.invert(several, model, window_min=minutes, magnitude=7.0)
