"""Percentiles of recorded ranges among scenarios, and sizes of ruptures: against closed forms and known fields."""

from __future__ import annotations

import json
from dataclasses import astuple

import numpy as np
import numpy.testing as npt
import pytest
from benchmarks.events.conditioned import Ruptures, delayed, family_ruptures, generator_ruptures, waves_of
from benchmarks.events.event import Event
from benchmarks.events.percentiles import PRIORS, compare, compared, main, misfits, place_of_median, pooled_rows
from benchmarks.events.percentiles import Compared as Result
from benchmarks.events.run import Prepared
from benchmarks.events.rupture_scaling import PUBLISHED, rupture_size, trimmed
from benchmarks.events.waves import FirstWave
from benchmarks.markdown import Rows
from scipy.stats import kstest, norm

from slipcast.errors import InputError
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.slip_families import FamilyPrior, FamilySettings
from slipcast.records import Records

EPICENTRE = (-125.6, 47.2)  # within acszb58


def test_the_place_of_one_buoy_is_its_percentile():
    ranges = norm.ppf((np.arange(999) + 0.5) / 999)
    for recorded in (-1.0, 0.0, 1.5):
        npt.assert_allclose(place_of_median(ranges[np.newaxis], np.array([recorded])), norm.cdf(recorded), atol=2e-3)


@pytest.mark.parametrize("shared", [0.0, 0.8, 1.0])
def test_places_of_events_are_uniform_however_buoys_depend_on_each_other(shared):
    rng = np.random.default_rng(4)

    def drawn(count):
        own, common = rng.standard_normal((5, count)), rng.standard_normal(count)
        return np.exp(np.sqrt(shared) * common + np.sqrt(1 - shared) * own)

    places = [place_of_median(drawn(200), drawn(1)[:, 0]) for _ in range(300)]
    assert kstest(places, "uniform").pvalue > 0.01
    too_low = [place_of_median(0.5 * drawn(200), drawn(1)[:, 0]) for _ in range(300)]
    assert kstest(too_low, "uniform").pvalue < 1e-6


def test_misfit_of_a_scaled_record_is_the_closed_form():
    record = np.sin(np.linspace(0, 6, 50))
    for factor in (0.5, 1.0, 3.0):
        exact = 1 - 2 * factor / (1 + factor**2)
        npt.assert_allclose(misfits(factor * record[np.newaxis], record), exact, atol=1e-12)


def test_late_waves_are_zero_before_the_origin_and_unknown_after_the_end():
    level = np.array([[2.0, 4.0, 6.0, 8.0]] * 3)
    found = delayed(level, 60.0, np.array([30.0, 150.0]), np.array([0.0, 60.0, -60.0]))
    npt.assert_allclose(found, [[3.0, 7.0], [0.0, 5.0], [5.0, np.nan]])


def test_ruptures_have_the_magnitude_and_begin_at_the_epicentre(small_bank):
    rng = np.random.default_rng(0)
    subfaults = small_bank.subfaults
    prior = FamilyPrior(subfaults, FamilySettings(slow=0.0))
    likely = prior.hypocentre_probability(EPICENTRE)
    assert likely.sum() == pytest.approx(1.0)
    for drawn in (
        family_ruptures(prior, EPICENTRE, (7.4, 7.6), 30, rng),  # at the rigidity of the unit sources
        generator_ruptures(subfaults, EPICENTRE, (7.4, 7.6), 30, rng),
    ):
        assert drawn.slip_m.shape == (30, len(subfaults))
        assert ((drawn.magnitude >= 7.4) & (drawn.magnitude <= 7.6)).all()
        moment_nm = seismic_moment(drawn.slip_m, subfaults.area_m2)
        npt.assert_allclose(moment_magnitude(moment_nm), drawn.magnitude, atol=1e-6)
        slips = np.mean(drawn.slip_m > 0, axis=0)
        near, far = likely > 0.5 * likely.max(), likely < 1e-3 * likely.max()
        assert slips[near].min() > 2 * slips[far].mean()


def test_a_fault_that_is_too_small_is_refused(small_bank):
    small, rng = small_bank.with_sources(["acsza58"]).subfaults, np.random.default_rng(0)
    message = r"the fault is too small for magnitudes 9.4 to 9.5"
    with pytest.raises(InputError, match=message):
        family_ruptures(FamilyPrior(small), None, (9.4, 9.5), 1, rng)
    with pytest.raises(InputError, match=message):
        generator_ruptures(small, None, (9.4, 9.5), 1, rng)


def made_up_event(**changes) -> Event:
    facts = {
        "name": "made-up",
        "title": "Made up",
        "origin": "2016-03-01T00:00:00Z",
        "epicentre": EPICENTRE,
        "magnitude": 7.5,
        "first_magnitude": 7.5,
        "first_magnitude_source": "the test",
        "region": "region.toml",
        "files": ("*.csv",),
    }
    return Event(**(facts | changes))


@pytest.fixture(scope="module")
def truth(small_bank) -> Ruptures:
    """Return a rupture of the families."""
    return family_ruptures(FamilyPrior(small_bank.subfaults), EPICENTRE, (7.45, 7.55), 1, np.random.default_rng(9))


@pytest.fixture(scope="module")
def ready(small_bank, truth) -> Prepared:
    """Return an event that this rupture has made."""
    waves, names, at_s = waves_of(truth, small_bank), ["46404", "46419"], np.arange(60.0, 7140.0, 60.0)
    levels = [delayed(waves[name], 60.0, at_s, truth.delay_s)[0] for name in names]
    lon, lat = (small_bank.dataset[name].sel(gauge=names).to_numpy() for name in ("gauge_lon", "gauge_lat"))
    records = Records.from_arrays(at_s, levels, gauges=names, lon_deg=lon, lat_deg=lat)
    first = {
        name: FirstWave(name, 1200.0, 2400.0, 6000.0, float(level.max()))
        for name, level in zip(names, levels, strict=True)
    }
    return Prepared(records, small_bank, first, {}, small_bank)


def test_a_rupture_fits_its_own_records(small_bank, truth, ready):
    found = compare(ready, truth, waves_of(truth, small_bank))
    npt.assert_allclose(found.misfit, 0.0, atol=1e-6)
    npt.assert_allclose([found.range_m[gauge][0] for gauge in ready.waves], list(found.recorded_m.values()), rtol=1e-6)
    assert found.place == 0.5


def test_an_event_of_the_families_is_among_them(ready):
    found = compared(made_up_event(), ready, 60, np.random.default_rng(2))
    assert set(found) == set(PRIORS)
    for of in found.values():
        assert set(of.percentiles) == set(ready.waves)
        assert ((of.misfit > 0) & (of.misfit <= 2)).all()
    assert 0.02 < found["families"].place < 0.98
    spread = [np.std(np.log(found[prior].range_m["46404"])) for prior in ("families", "families, rigidity unknown")]
    assert spread[1] > spread[0]  # waves of a magnitude scatter more where rigidity is unknown


def test_pooled_rows_count_percentiles(capsys):
    ranges = {"a": np.arange(1.0, 100.0), "b": np.arange(1.0, 100.0)}
    low, high = (
        Result({"a": of, "b": of}, ranges, np.ones(99)) for of in (2.0, 60.0)
    )  # 2 % and 60 % of the scenarios are below
    rows = Rows("events", "prior", "DARTs", "in 50 %", "in 90 %", "above the median", "places of events", "KS p")
    pairs = {
        "one": (made_up_event(), dict.fromkeys(PRIORS, low)),
        "two": (made_up_event(interface=False), dict.fromkeys(PRIORS, high)),
    }
    pooled_rows(pairs, rows)
    found = {(row[0], row[1]): row[2:] for row in rows.rows}
    assert set(found) == {(name, prior) for name in ("interface (1)", "all (2)") for prior in PRIORS}
    assert found["all (2)", "families"][:4] == ["4", "0.50", "0.50", "0.50"]
    place, p_value = (float(cell) for cell in found["interface (1)", "families"][4:])
    assert place == pytest.approx(0.02, abs=0.011)
    assert p_value == pytest.approx(2 * place, abs=0.011)  # of one place: twice the smaller of it and its complement


def test_asperities_of_a_known_field():
    slip = np.ones((10, 10))
    slip[2:4, 2:7] = 4.0  # a tenth of the area; the mean is 1.3
    size = rupture_size(slip, (10.0, 5.0))
    assert size.asperities == pytest.approx(0.1)
    assert size.max_over_mean == pytest.approx(4.0 / 1.3)
    assert (size.length_km, size.width_km, size.area_km2) == (100.0, 50.0, 5000.0)
    npt.assert_allclose(size.stress_drop_mpa, 8 / (3 * np.pi) * 40e9 * 1.3 / 50e3 / 1e6)
    uniform = rupture_size(np.ones((4, 6)), (10.0, 10.0))
    assert astuple(uniform)[4:6] == (1.0, 0.0)


def test_lognormal_slip_has_the_asperities_of_the_closed_form():
    sigma = np.sqrt(np.log1p(0.9**2))
    slip = np.exp(sigma * np.random.default_rng(0).standard_normal((400, 400)))
    exact = norm.sf((np.log(1.5) + 0.5 * sigma**2) / sigma)
    npt.assert_allclose(rupture_size(slip, (1.0, 1.0)).asperities, exact, atol=0.005)


def test_weak_edges_are_cut():
    slip = np.zeros((6, 8))
    slip[1:5, 1:7] = 0.1
    slip[2:4, 2:6] = 2.0
    npt.assert_array_equal(trimmed(slip), np.full((2, 4), 2.0))
    npt.assert_array_equal(trimmed(np.array([[0.0, 3.0, 0.0]])), [[3.0]])
    npt.assert_array_equal(trimmed(np.array([[2.0, 0.0, 2.0]])), [[2.0, 0.0, 2.0]])  # not from within


def test_published_laws_at_magnitude_9():
    strasser, murotani = PUBLISHED["Strasser et al. 2010"], PUBLISHED["Murotani et al. 2013"]
    npt.assert_allclose(strasser["length_km"].median(9.0), 614.0, rtol=1e-3)
    npt.assert_allclose(strasser["width_km"].median(9.0), 189.0, rtol=2e-3)
    # area and slip of Murotani et al. make the moment at a rigidity of 45 GPa
    moment = murotani["area_km2"].median(9.0) * 1e6 * murotani["mean_slip_m"].median(9.0) * 45e9
    npt.assert_allclose(moment_magnitude(moment), 9.0, atol=0.01)
    npt.assert_allclose(murotani["asperities"].median(8.0), 0.21, atol=0.001)
    assert strasser["length_km"].words(9.0) == "614 (406 to 929)"
    assert murotani["asperities"].words(9.0) == "0.210"


def test_no_event_is_refused(tmp_path, capsys):
    assert main([str(tmp_path), "--banks", str(tmp_path)]) == 2
    assert "events must name a folder with event.toml" in capsys.readouterr().err


@pytest.mark.slow
def test_the_table_of_sizes_is_written(tmp_path, monkeypatch, ready):
    folder = tmp_path / "event"
    folder.mkdir()
    (folder / "event.toml").touch()
    monkeypatch.setattr(Event, "open", lambda folder: made_up_event(region="cascadia"))
    monkeypatch.setattr("benchmarks.events.percentiles.prepare", lambda *arguments: ready)
    out = tmp_path / "out.json"
    arguments = ["--banks", tmp_path, "--out", out, "--scenarios", 40, "--sizes", 20]
    assert main([str(each) for each in (folder, *arguments)]) == 0
    found = json.loads(out.read_text())
    assert set(found["tables"]) == {"darts", "events", "pooled", "scaling"}
    assert len(found["tables"]["scaling"]["rows"]) == 28
