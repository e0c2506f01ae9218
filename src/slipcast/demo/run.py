"""Steps of the demonstration; existing valid results are used again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from slipcast import plots
from slipcast.demo.figures import demo_figures
from slipcast.demo.page import write_page
from slipcast.demo.results import CHILE_MAGNITUDE, CHILE_WINDOW_MIN, DARTS, CascadiaResult, ChileResult, DemoPlan
from slipcast.errors import InputError
from slipcast.evaluation.evaluation import evaluate
from slipcast.forecasting.forecast import forecast
from slipcast.forecasting.wave_fit import fit_waves
from slipcast.greens.bank import GreensBank
from slipcast.inversion import GaussianPosterior, Inverter, LeastSquares, SlipEstimate, Timing
from slipcast.io.atomic import check_target, write_json
from slipcast.io.identity import package_version
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.config import TrainConfig
from slipcast.learning.inverters import Network
from slipcast.learning.train import train
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.ruptures import RuptureSettings
from slipcast.realtime.event_slip import invert
from slipcast.realtime.real_event import invert_event
from slipcast.records import packaged_records, simulated_records
from slipcast.regions.region import Region
from slipcast.scenarios.scenario_set import ScenarioSet, scenario_set_id

__all__ = ["run_demo"]

_CHILE_NOISE_SD_M = 0.02  # what the bank gets wrong of that wave, rather than what the instrument does
_CHILE_SLIP_SD_M = 5.0
_CHILE_MODEL_ERROR = 0.1
_EXAMPLE_MAGNITUDE = 9.0

Shown = Progress | bool | None


def run_demo(out: str | os.PathLike, *, quick: bool = False, progress: Shown = None) -> Path:
    """Run the demonstration, reusing what is there and valid.

    Parameters
    ----------
    out : path
        Folder for all results, made if need be.
    quick : bool, optional
        The same with coarser grids, fewer scenarios and epochs.
    progress : callable or bool, optional
        Called in each step with what is done of it, its total and a note; ``True`` shows a bar for each on the error
        stream.

    Returns
    -------
    report : Path
        ``report.html`` in the folder; beside it ``metrics.json``, the banks, records, slip and forecasts (netCDF),
        the scenarios (Zarr), the checkpoint and the figures (PNG).
    """
    folder = Path(out)
    check_target(folder / "report.html")
    plan = DemoPlan.quick() if quick else DemoPlan.full()
    cascadia = _cascadia(folder / "cascadia", plan, progress)
    chile = _chile(folder / "chile", plan, progress)
    with shown_progress(progress, "Figures and report") as advance:
        metrics = _metrics(plan, cascadia, chile)
        write_json(folder / "metrics.json", metrics)
        figures = demo_figures(cascadia, chile)
        for done, (name, draw) in enumerate(figures.items()):
            plots.save_figure(draw(), folder / "figures" / f"{name}.png")
            advance(done + 1, len(figures) + 1, name)
        report = folder / "report.html"
        write_page(report, metrics, cascadia, chile)
        advance(len(figures) + 1, len(figures) + 1, "report.html")
    return report


def _cascadia(folder: Path, plan: DemoPlan, progress: Shown) -> CascadiaResult:
    """Go the whole way on simulated events: bank, scenarios, training, comparison, one event in detail."""
    region = Region.open("cascadia").with_grids(spacing_arcmin=plan.spacing_arcmin)
    bank = _bank(region, folder / "bank.nc", progress, "Cascadia: Green's functions")
    scenarios = _scenarios(bank, folder / "scenarios.zarr", plan, progress)
    checkpoint = _train(scenarios, folder / "model", plan, progress)
    methods: dict[str, Inverter] = {
        "network": Network(checkpoint),
        "least squares 45 min": LeastSquares(scenarios, plan.window_min, gauges=DARTS),
        "least squares 4 h": LeastSquares(scenarios, plan.long_window_min, gauges=DARTS),
    }
    with shown_progress(progress, "Cascadia: comparison on the test part") as advance:
        evaluation = evaluate(scenarios, methods, split="test", noise_sd_m=checkpoint.config.noise_sd_m)
        advance(1, 1, "")
    test = scenarios.indices("test")
    magnitude = scenarios.dataset["magnitude"].to_numpy()
    example = int(test[np.argmin(np.abs(magnitude[test] - _EXAMPLE_MAGNITUDE))])
    records = simulated_records(
        scenarios, example, DARTS, window_min=plan.long_window_min, noise_sd_m=checkpoint.config.noise_sd_m
    )
    truth = SlipEstimate.from_slip(
        scenarios.load_weights([example]).to_numpy()[0],
        scenarios.sources,
        method="truth",
        window_min=0,
        region=region.name,
        bank=bank.id,
    )
    slip = {
        "truth": truth,
        "network": invert(records, checkpoint),
        "least squares 45 min": invert(records, LeastSquares(bank, plan.window_min)),
        "least squares 4 h": invert(records, LeastSquares(bank, plan.long_window_min)),
    }
    forecasts = {name: forecast(estimate, bank) for name, estimate in slip.items()}
    records.save(folder / "records.nc")
    slip["network"].save(folder / "slip.nc")
    forecasts["network"].save(folder / "forecast.nc")
    return CascadiaResult(bank, scenarios, checkpoint, evaluation, example, records, slip, forecasts)


def _chile(folder: Path, plan: DemoPlan, progress: Shown) -> ChileResult:
    """Invert the real record of DART 32412 in 2010."""
    region = (
        Region.open("chile")
        .with_gauges(["32412"])
        .with_grids(spacing_arcmin={"pacific": plan.chile_spacing_arcmin}, hours={"pacific": 7.0})
    )
    bank = _bank(region, folder / "bank.nc", progress, "Chile: Green's functions")
    records = packaged_records("chile2010")
    found = invert_event(
        records,
        bank,
        method="tikhonov",
        window_min=CHILE_WINDOW_MIN,
        magnitude=CHILE_MAGNITUDE,
        stretch=True,
        start_min=60.0,
        noise_sd_m=_CHILE_NOISE_SD_M,
        slip_sd_m=_CHILE_SLIP_SD_M,
    )
    slip, timing = found.slip, found.timing or Timing()
    posterior = GaussianPosterior.from_bank(
        bank.with_sources(slip.sources),
        CHILE_WINDOW_MIN,
        gauges=records.gauges,
        noise_sd_m=_CHILE_NOISE_SD_M,
        model_error=_CHILE_MODEL_ERROR,
    )
    uncertain = invert(found.records, posterior, hold_first=False)  # what the records alone say
    made = forecast(slip, bank)
    (fit,) = fit_waves(records, made, used=["32412"])
    low, *_, high = uncertain.dataset["magnitude_quantile"].to_numpy().tolist()
    scores = {
        "magnitude": round(slip.magnitude, 4),
        "gaussian_magnitude": round(uncertain.magnitude, 3),
        "gaussian_magnitude_interval_90": [round(low, 3), round(high, 3)],
        "stretch": timing.stretch,
        "explained_variance_first_wave": fit.explained_variance,
        "first_wave_start_min": fit.start_s / 60,
        "first_wave_end_min": fit.end_s / 60,
        "observed_maximum_m": fit.observed_m,
        "modelled_maximum_m": fit.modelled_m,
        "unit_sources": len(slip.sources),
    }
    records.save(folder / "records.nc")
    slip.save(folder / "slip.nc")
    made.save(folder / "forecast.nc")
    return ChileResult(bank, records, slip, made, fit, timing, scores)


def _bank(region: Region, path: Path, progress: Shown, label: str) -> GreensBank:
    """Open a bank if it is whole and of this region, grids and sea floor; else build it."""
    if path.exists():
        try:
            bank = GreensBank.open(path)
            bank.check()
            same = (
                bank.region == region
                and bank.dataset.attrs["bathymetry_digest"] == Bathymetry.etopo1().digest
                and bank.dataset.attrs["slipcast_version"] == package_version()
            )
        except InputError:
            same = False
        if same:
            with shown_progress(progress, f"{label}, found") as advance:
                advance(1, 1, "")
            return bank
    with shown_progress(progress, label) as advance:
        return GreensBank.build(region, save_to=path, progress=advance)


def _scenarios(bank: GreensBank, path: Path, plan: DemoPlan, progress: Shown) -> ScenarioSet:
    """Open the scenarios if they are those of the bank and plan; else build them."""
    if path.exists():
        try:
            scenarios = ScenarioSet.open(path)
            same = scenarios.id == scenario_set_id(bank, plan.seed, plan.scenarios, RuptureSettings())
        except InputError:
            same = False
        if same:
            with shown_progress(progress, "Cascadia: scenarios, found") as advance:
                advance(1, 1, "")
            return scenarios
    with shown_progress(progress, "Cascadia: scenarios") as advance:
        return ScenarioSet.build(bank, count=plan.scenarios, seed=plan.seed, save_to=path, progress=advance)


def _train(scenarios: ScenarioSet, folder: Path, plan: DemoPlan, progress: Shown) -> Checkpoint:
    """Open the checkpoint if it was trained so on these scenarios; else train, or resume a stopped training."""
    config = TrainConfig(window_min=plan.window_min, gauges=DARTS, epochs=plan.epochs, seed=plan.seed)
    begun = folder.exists()
    with shown_progress(progress, "Cascadia: training") as advance:
        try:
            checkpoint = train(scenarios, folder, config=config, resume=begun, progress=advance)
        except InputError:
            if not begun:
                raise
            # what is there is of another recipe or set, or damaged
            checkpoint = train(scenarios, folder, config=config, progress=advance)
        advance(config.epochs, config.epochs, "")
    return checkpoint


def _metrics(plan: DemoPlan, cascadia: CascadiaResult, chile: ChileResult) -> dict:
    """Put all scores into one structure for JSON."""
    history = cascadia.checkpoint.history
    return {
        "slipcast_version": package_version(),
        "cascadia": {
            "near_spacing_arcmin": plan.spacing_arcmin["near"],
            "scenarios": plan.scenarios,
            "test_scenarios": int(cascadia.scenarios.indices("test").size),
            "darts": list(DARTS),
            "noise_sd_m": cascadia.checkpoint.config.noise_sd_m,
            "training": {
                "epochs": plan.epochs,
                "train_loss_m2": history[-1]["train_loss_m2"],
                "validation_loss_m2": history[-1]["validation_loss_m2"],
                "best_validation_epoch": cascadia.checkpoint.best_epoch,
            },
            "methods": cascadia.evaluation.scores,
        },
        "chile2010": chile.scores,
    }
