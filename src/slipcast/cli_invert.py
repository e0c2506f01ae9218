"""The command line's verbs ``invert`` and ``forecast``: from records to slip, and from slip to what is to come."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from slipcast.console import names_of, print_json, write_line
from slipcast.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from slipcast.nonnegative import Damping

__all__ = ["forecast", "invert"]

Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str | None, typer.Option(help="A trained network: a folder, or cascadia, which is in the package.")]


def invert(
    records: Annotated[str, typer.Argument(help="Records (netCDF), or chile2010 for the packaged one.")],
    bank: Annotated[Path | None, typer.Option(help="A bank, from 'slipcast bank build'; a method needs one.")] = None,
    out: Out = Path("slip.nc"),
    model: Model = None,
    method: Annotated[str | None, typer.Option(help="nnls, tikhonov, linear, gaussian or bayes.")] = None,
    window: Annotated[float | None, typer.Option(help="Minutes after the origin; a method needs it.")] = None,
    start: Annotated[float, typer.Option(help="Use samples after this minute only.")] = 0.0,
    gauges: Annotated[str | None, typer.Option(help="DARTs, between commas.")] = None,
    noise: Annotated[
        float | None,
        typer.Option(help="All methods but nnls: standard deviation of a sample, m, by default 0.005."),
    ] = None,
    slip_sd: Annotated[
        str | None,
        typer.Option(help="For tikhonov: standard deviation of slip, m (by default 5), gcv or discrepancy."),
    ] = None,
    scenarios: Annotated[
        Path | None, typer.Option(help="For linear, gaussian, bayes: a set to learn from; else ruptures are drawn.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the slip that made records.

    Example: slipcast invert records.nc --model cascadia --window 20 --out slip.nc

    Or: slipcast invert chile2010 --bank chile.nc --method tikhonov --start 60 --window 225 --out slip.nc
    """
    import numpy as np

    from slipcast.greens import GreensBank
    from slipcast.inversion import invert as run
    from slipcast.nonnegative import DAMPINGS
    from slipcast.records import PACKAGED, Records, packaged_records
    from slipcast.scenarios import ScenarioSet

    try:
        damping = cast("Damping", slip_sd) if slip_sd is None or slip_sd in DAMPINGS else float(slip_sd)
    except ValueError:
        raise InputError(f"--slip-sd must be metres or one of {', '.join(DAMPINGS)}, got {slip_sd!r}") from None

    if model is not None:
        from slipcast.inversion.network import open_model

        network = open_model(model)
    slip = run(
        packaged_records(records) if records in PACKAGED else Records.open(records),
        None if bank is None else GreensBank.open(bank),
        model=None if model is None else network,
        method=method,
        window_min=window,
        start_min=start,
        gauges=names_of(gauges),
        noise_sd_m=noise,
        slip_sd_m=damping,
        scenarios=None if scenarios is None else ScenarioSet.open(scenarios),
    )
    slip.save(out)
    if slip.slip.ndim > 1:
        write_line(f"{out}: {slip.slip.shape[0]} events")
        return
    spread = slip.dataset["magnitude_quantile"].to_numpy() if slip.samples is not None else None
    if as_json:
        found = dict(zip(slip.sources, slip.slip.to_numpy().round(4).tolist()))
        magnitude = round(slip.magnitude, 3) if slip.slip.any() else None
        quantiles = {} if spread is None else {"magnitude_quantiles": _by_probability(spread)}
        print_json({"magnitude": magnitude, **quantiles, "slip_m": found, **slip.dataset.attrs})
    elif not slip.slip.any():
        write_line(f"{out}: no slip")
    else:
        interval = ""
        if spread is not None:
            low = f"{spread[0]:.2f}" if np.isfinite(spread[0]) else "no slip"
            interval = f" (90 %: {low} to {spread[-1]:.2f})"
        write_line(f"{out}: Mw {slip.magnitude:.2f}{interval}, largest slip {float(slip.slip.max()):.1f} m")


def _by_probability(quantiles: np.ndarray) -> dict[str, float | None]:
    """Name quantiles by their probability; what is not finite (a magnitude without slip) is None."""
    from slipcast.inversion import QUANTILES

    return {
        f"{probability:g}": round(value, 4) if abs(value) < float("inf") else None
        for probability, value in zip(QUANTILES, quantiles.tolist(), strict=True)
    }


def forecast(
    slip: Path,
    bank: Annotated[Path | None, typer.Option(help="A bank, from 'slipcast bank build'.")] = None,
    model: Model = None,
    out: Out = Path("forecast.nc"),
    as_json: Json = False,
) -> None:
    """Forecast sea level at every gauge of a bank, or of the model that found the slip.

    Example: slipcast forecast slip.nc --model cascadia --out forecast.nc

    Or: slipcast forecast slip.nc --bank bank.nc --out forecast.nc
    """
    from slipcast.forecast import forecast as run
    from slipcast.greens import GreensBank
    from slipcast.inversion import SlipEstimate

    if bank is not None and model is None:
        made = run(SlipEstimate.open(slip), GreensBank.open(bank))
    elif model is not None and bank is None:
        from slipcast.inversion.network import open_sampler

        made = run(SlipEstimate.open(slip), open_sampler(model))
    else:
        raise InputError("a forecast needs either --bank or --model")
    made.save(out)
    if made.max_amplitude.ndim > 1:
        write_line(f"{out}: {made.max_amplitude.shape[0]} events")
        return
    rows: list[dict[str, Any]] = [
        {
            "gauge": gauge,
            "max_amplitude_m": round(height, 4),
            "arrival_min": round(arrival, 1) if arrival >= 0 else None,
        }
        for gauge, height, arrival in zip(
            made.gauges,
            made.max_amplitude.to_numpy().tolist(),
            (made.arrival_time.to_numpy() / 60).tolist(),
            strict=True,
        )
    ]
    uncertain = "max_amplitude_quantile" in made.dataset
    if uncertain:
        for row, quantiles in zip(rows, made.dataset["max_amplitude_quantile"].to_numpy().T, strict=True):
            row["max_amplitude_quantiles_m"] = _by_probability(quantiles)
    if as_json:
        print_json(rows)
        return
    for row in sorted(rows, key=lambda row: -row["max_amplitude_m"]):
        arrives = "no wave" if row["arrival_min"] is None else f"arrives after {row['arrival_min']:.0f} min"
        interval = ""
        if uncertain:
            low, *_, high = row["max_amplitude_quantiles_m"].values()
            interval = f" (90 %: {low:.2f} to {high:.2f})"
        write_line(f"{row['gauge']:<14} {row['max_amplitude_m']:6.2f} m{interval}  {arrives}")
