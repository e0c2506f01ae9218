"""Non-negative least squares: noise-free twins, another solver, gaps, order, and the door ``invert``."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import scipy.optimize

from inversion_fixtures import invert_by, least_squares
from record_fixtures import DARTS, TRUE_M, records_of
from slipcast.errors import InputError, SlipcastWarning
from slipcast.inversion import LeastSquares, LeastSquaresSolver, SlipEstimate
from slipcast.records import Records, simulated_records


def test_a_noise_free_twin_is_found(small_bank):
    found = least_squares(records_of(small_bank, TRUE_M), small_bank, window_min=120)
    npt.assert_allclose(found.slip, TRUE_M, atol=1e-6)
    assert (found.dataset.attrs["method"], found.dataset.attrs["bank"]) == ("nnls", small_bank.id)
    assert found.sources == small_bank.sources


def test_a_null_record_gives_no_source(small_bank):
    for slip_sd in (None, 5.0):
        found = least_squares(records_of(small_bank, 0 * TRUE_M), small_bank, window_min=60, slip_sd_m=slip_sd)
        npt.assert_array_equal(found.slip, 0.0)
        assert found.magnitude == -np.inf


def system(bank, records, window_min):
    """Stack the equations of a window."""
    response = bank.source_response(DARTS, window_min=window_min)
    level = records.resample(response["time"].to_numpy(), DARTS)
    return response.to_numpy().reshape(-1, response.shape[2]), level.to_numpy().ravel()


@pytest.mark.parametrize("window_min", [30, 60, 120])
def test_the_plain_problem_by_another_solver(small_bank, window_min):
    records = records_of(small_bank, TRUE_M, noise_sd_m=0.01)
    matrix, data = system(small_bank, records, window_min)
    expected = scipy.optimize.lsq_linear(matrix, data, bounds=(0, np.inf), tol=1e-14).x
    found = least_squares(records, small_bank, window_min=window_min).slip.to_numpy()
    cost, best = (float(np.sum((matrix @ slip - data) ** 2)) for slip in (found, expected))
    assert cost <= best * (1 + 1e-9)
    if window_min == 120:  # the shorter windows leave some sources nearly free
        npt.assert_allclose(found, expected, atol=1e-3)


def test_the_damped_problem_by_another_solver(small_bank):
    records = records_of(small_bank, TRUE_M, noise_sd_m=0.01)
    matrix, data = system(small_bank, records, 45)
    stacked = np.vstack([matrix / 0.01, np.eye(9) / 2.0])
    expected = scipy.optimize.lsq_linear(stacked, np.append(data / 0.01, np.zeros(9)), bounds=(0, np.inf), tol=1e-14).x
    found = least_squares(records, small_bank, window_min=45, noise_sd_m=0.01, slip_sd_m=2.0)
    npt.assert_allclose(found.slip, expected, atol=1e-4)
    assert found.dataset.attrs["method"] == "tikhonov"
    # the less slip is expected, the less is found
    little = least_squares(records, small_bank, window_min=45, noise_sd_m=0.01, slip_sd_m=0.1)
    assert float((little.slip**2).sum()) < float((found.slip**2).sum())


def test_slip_scales_with_the_records(small_bank):
    once, thrice = records_of(small_bank, TRUE_M), records_of(small_bank, 3 * TRUE_M)
    found = [least_squares(records, small_bank, window_min=60).slip for records in (once, thrice)]
    npt.assert_allclose(found[1], 3 * found[0], atol=1e-6)


def test_missing_samples_are_left_out(small_bank):
    records = records_of(small_bank, TRUE_M, noise_sd_m=0.01)
    level = records.sea_level.to_numpy().copy()
    level[1, 20:60] = np.nan
    gappy = Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    matrix, data = system(small_bank, gappy, 120)
    known = np.isfinite(data)
    assert 0 < (~known).sum() < 60
    expected = scipy.optimize.lsq_linear(matrix[known], data[known], bounds=(0, np.inf), tol=1e-14).x
    npt.assert_allclose(least_squares(gappy, small_bank, window_min=120).slip, expected, atol=2e-3)


def test_order_of_gauges_and_sources_does_not_matter(small_bank):
    plain = least_squares(records_of(small_bank, TRUE_M), small_bank, window_min=120)
    turned = least_squares(
        records_of(small_bank, TRUE_M, DARTS[::-1]),
        small_bank,
        window_min=120,
        sources=small_bank.sources[::-1],
        gauges=["46419", "46404", "46407"],
    )
    npt.assert_allclose(turned.slip.sel(source=plain.sources), plain.slip, atol=1e-6)


def test_several_events_at_once(small_bank):
    slips = np.stack([TRUE_M, TRUE_M[::-1]])
    found = least_squares(records_of(small_bank, slips), small_bank, window_min=120)
    npt.assert_allclose(found.slip, slips, atol=1e-6)
    assert found.magnitude.shape == (2,)


def test_a_start_leaves_the_first_samples_out(small_bank):
    records = records_of(small_bank, TRUE_M)
    level = records.sea_level.to_numpy().copy()
    level[:, :11] += 0.5  # shaking
    shaken = Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    found = least_squares(shaken, small_bank, window_min=120, start_min=10)
    npt.assert_allclose(found.slip, TRUE_M, atol=1e-5)


def test_a_scenario_set_serves_as_well_as_its_bank(small_bank, small_set):
    records = simulated_records(small_set, 3, DARTS, window_min=60, noise_sd_m=0.005)
    by_bank, by_set = (invert_by(records, of, method="nnls", window_min=60) for of in (small_bank, small_set))
    npt.assert_allclose(by_set.slip, by_bank.slip, atol=1e-3)


def test_problems_that_do_not_fit(small_bank):
    records = records_of(small_bank, TRUE_M)
    cases = [
        ({"window_min": 121}, "window of 121 min is longer than the 120 min of bank cascadia at gauge"),
        ({"window_min": 45, "start_min": 45}, r"start_min must be in \[0, 45\) min, got 45"),
        ({"window_min": 45, "gauges": ["46411"]}, "unknown gauge '46411' in bank cascadia; nearest: 464"),
        ({"window_min": 45, "gauges": ["westport"]}, "records lack gauge westport; method nnls takes westport"),
        ({"window_min": 45, "sources": ["acsza54"]}, "unknown source 'acsza54' in bank cascadia"),
        ({"window_min": 45, "noise_sd_m": -0.1, "slip_sd_m": 1.0}, "noise_sd_m must be > 0 m, got -0.1"),
        ({"window_min": 45, "slip_sd_m": 0.0}, "slip_sd_m must be > 0 m, got 0.0"),
    ]
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            least_squares(records, small_bank, **options)
    level = records.sea_level.to_numpy().copy()
    level[2, :46] = np.nan
    silent = Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    with pytest.raises(InputError, match="gauge 46419 has no sample in the window of 45 min"):
        least_squares(silent, small_bank, window_min=45, gauges=DARTS)
    with pytest.warns(SlipcastWarning, match="gauge 46419 is left out: no sample in the window of 45 min"):
        found = least_squares(silent, small_bank, window_min=45)
    npt.assert_array_equal(found.slip, least_squares(records, small_bank, window_min=45, gauges=DARTS[:2]).slip)
    assert found.dataset.attrs["gauges"] == " ".join(DARTS[:2])
    assert found.gauges_left_out == {"46419": "no sample in the window of 45 min"}
    level[:, :46] = np.nan
    silent = Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    with pytest.raises(InputError, match="gauge 46404 has no sample in the window of 45 min"):
        least_squares(silent, small_bank, window_min=45)


def test_arrays_that_do_not_fit(small_bank):
    solver = LeastSquaresSolver(small_bank.source_response(DARTS, window_min=45))
    with pytest.raises(InputError, match=r"records must have shape \(..., 3, 45\), got \(3, 44\)"):
        solver.solve(np.zeros((3, 44)))
    with pytest.raises(InputError, match="record 1 has no sample in the window"):
        solver.solve(np.stack([np.zeros((3, 45)), np.full((3, 45), np.nan)]))


# --- the door


def test_methods_by_name(small_bank):
    records = records_of(small_bank, TRUE_M)
    for options, message in (
        (
            {"method": "lsq", "window_min": 45},
            "method must be one of nnls, tikhonov, linear, gaussian, bayes, mixture, got 'lsq'",
        ),
        ({"method": "nnls", "window_min": None}, "method nnls needs a window, minutes after the origin"),
    ):
        with pytest.raises(InputError, match=message):
            invert_by(records, small_bank, **options)
    damped = invert_by(records, small_bank, method="tikhonov", window_min=45, slip_sd_m=2.0)
    expected = least_squares(records, small_bank, window_min=45, slip_sd_m=2.0)
    npt.assert_array_equal(damped.slip, expected.slip)


# --- what is found


def test_a_shorter_window_and_fewer_gauges_are_those_of_a_method_made_for_them(small_bank):
    whole = LeastSquares(small_bank, 120, slip_sd_m=5.0)
    records = records_of(small_bank, TRUE_M).resample(whole.times_s, DARTS[:2]).to_numpy()
    records = records + np.random.default_rng(4).normal(0.0, 0.01, records.shape)
    within = whole.times_s <= 2700.0
    for fewer in (
        whole.restricted(gauges=DARTS[:2], window_min=45),
        whole.restricted(window_min=45).restricted(gauges=DARTS[:2]),
    ):
        made = LeastSquares(small_bank, 45, gauges=DARTS[:2], slip_sd_m=5.0)
        assert (fewer.window_min, fewer.gauges) == (45, tuple(DARTS[:2]))
        npt.assert_array_equal(fewer.times_s, whole.times_s[within])
        npt.assert_array_equal(fewer.solver.solve(records[:, within]), made.solver.solve(records[:, within]))


def test_a_method_shows_its_settings_and_not_all_unit_sources(small_bank):
    shown = repr(LeastSquares(small_bank, 60, damping="gcv"))
    assert "window_min=60, " in shown
    assert "damping='gcv'" in shown
    assert "sources=" not in shown


def test_an_estimate_comes_back(small_bank, tmp_path):
    found = least_squares(records_of(small_bank, TRUE_M), small_bank, window_min=120)
    found.save(tmp_path / "s.nc")
    opened = SlipEstimate.open(tmp_path / "s.nc")
    npt.assert_array_equal(opened.slip, found.slip)
    assert (opened.magnitude, opened.sources) == (found.magnitude, found.sources)
    assert opened.dataset.attrs["gauges"] == "46404 46407 46419"


def test_slip_that_cannot_be():
    options = {"method": "m", "window_min": 45, "region": "r"}
    with pytest.raises(InputError, match="slip_m must have 2 sources, got 3"):
        SlipEstimate.from_slip([1.0, 2.0, 3.0], ["acsza57", "acsza58"], **options)
    with pytest.raises(InputError, match=r"slip_m must be finite and >= 0 m, got -1.0 at index \(1,\)"):
        SlipEstimate.from_slip([1.0, -1.0], ["acsza57", "acsza58"], **options)
    several = SlipEstimate.from_slip([[1.0, 1.0], [0.0, 0.0]], ["acsza57", "acsza58"], **options)
    npt.assert_allclose(several.magnitude, [7.668, -np.inf], atol=1e-3)
    with pytest.raises(InputError, match="the slip estimate must hold one event, got 2"):
        several.one_event()


# --- damping that the record chooses


def test_generalised_cross_validation_by_leaving_out(small_bank):
    """A solution by the damping of least GCV, found by brute force on the hat matrix."""
    response = small_bank.source_response(DARTS, window_min=30)
    matrix = response.to_numpy().reshape(-1, 9)
    rng = np.random.default_rng(21)
    records = matrix @ np.full(9, 5.0) + 0.02 * rng.standard_normal(len(matrix))
    found = LeastSquaresSolver(response, slip_sd_m="gcv").solve(records.reshape(3, 30))

    def score(damping):
        hat = matrix @ np.linalg.solve(matrix.T @ matrix + damping**2 * np.eye(9), matrix.T)
        left = records - hat @ records
        return left @ left / (len(matrix) - np.trace(hat)) ** 2

    dampings = np.logspace(-6, 1, 400) * np.linalg.svd(matrix)[1][0]
    best = dampings[np.argmin([score(damping) for damping in dampings])]
    expected = LeastSquaresSolver(response, noise_sd_m=best, slip_sd_m=1.0).solve(records.reshape(3, 30))
    plain = LeastSquaresSolver(response).solve(records.reshape(3, 30))
    # the grid of dampings steps by a third
    assert np.abs(found - expected).max() < 0.1 * np.abs(plain - expected).max()


def test_the_discrepancy_is_that_of_the_noise(small_bank):
    response = small_bank.source_response(DARTS, window_min=60)
    matrix = response.to_numpy().reshape(-1, 9)
    noise = 0.05 * np.random.default_rng(22).standard_normal(len(matrix))
    records = matrix @ np.full(9, 6.0) + noise
    found = LeastSquaresSolver(response, noise_sd_m=0.055, slip_sd_m="discrepancy").solve(records.reshape(3, 60))
    plain = LeastSquaresSolver(response).solve(records.reshape(3, 60))
    misfit, least = (np.sum((matrix @ slip - records) ** 2) / len(matrix) for slip in (found, plain))
    # the grid of dampings steps by a third, and slip that is bounded fits no better than slip that is not
    assert least < 0.85 * 0.055**2 < misfit < 1.02 * 0.055**2
    # if nothing fits as well as that, the least damping
    other = LeastSquaresSolver(response, noise_sd_m=1e-4, slip_sd_m="discrepancy").solve(records.reshape(3, 60))
    npt.assert_allclose(other, plain, atol=1e-2)


def test_each_record_has_its_own_damping(small_bank):
    response = small_bank.source_response(DARTS, window_min=45)
    rng = np.random.default_rng(23)
    records = response.to_numpy() @ TRUE_M + np.array([1e-4, 0.1])[:, np.newaxis, np.newaxis] * rng.standard_normal(
        (2, *response.shape[:2])
    )
    solver = LeastSquaresSolver(response, slip_sd_m="gcv")
    together = solver.solve(records)
    npt.assert_allclose(together, [solver.solve(record) for record in records])
    undamped = LeastSquaresSolver(response).solve(records)
    assert np.abs(together[0] - undamped[0]).max() < np.abs(together[1] - undamped[1]).max()


def test_a_rule_that_does_not_exist(small_bank):
    response = small_bank.source_response(DARTS, window_min=45)
    with pytest.raises(InputError, match="slip_sd_m must be metres or one of gcv, discrepancy, got 'lcurve'"):
        LeastSquaresSolver(response, slip_sd_m="lcurve")
