"""The command line's verbs ``invert`` and ``forecast``: from records to slip, and from slip to sea level."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from slipcast.cli.console import print_json, say, write_line
from slipcast.cli.options import Epicentre, Json, Model, Out, parse_names
from slipcast.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from slipcast.forecasting.forecast import Forecast
    from slipcast.greens.bank import GreensBank
    from slipcast.inversion import Inverter, SlipEstimate
    from slipcast.inversion.least_squares import Damping
    from slipcast.records import Records

__all__ = ["chosen_inverter", "forecast", "invert", "parse_damping", "parse_windows", "write_forecast"]


def invert(
    records: Annotated[str, typer.Argument(help="Records (netCDF), chile2010 or cascadia-simulation.")],
    bank: Annotated[Path | None, typer.Option(help="A bank, from 'slipcast bank build'; a method needs one.")] = None,
    out: Out = Path("slip.nc"),
    model: Model = None,
    method: Annotated[
        str | None, typer.Option(help="mixture (by default), nnls, tikhonov, linear, gaussian or bayes.")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(help="Minutes after the origin, or first-wave, or GAUGE=either,...; a method needs it."),
    ] = None,
    start: Annotated[float, typer.Option(help="Use samples after this minute only.")] = 0.0,
    gauges: Annotated[str | None, typer.Option(help="DARTs, comma-separated.")] = None,
    noise: Annotated[
        float | None,
        typer.Option(help="All methods but nnls: standard deviation of a sample, m, by default 0.005."),
    ] = None,
    slip_sd: Annotated[
        str | None,
        typer.Option(help="For tikhonov: standard deviation of slip, m (by default 5), gcv or discrepancy."),
    ] = None,
    scenarios: Annotated[
        Path | None, typer.Option(help="For linear, gaussian, bayes: the set to train on; else ruptures are drawn.")
    ] = None,
    epicentre: Epicentre = None,
    magnitude: Annotated[
        float | None,
        typer.Option(help="Mw as first reported: slip is held against it, and a --method looks near the epicentre."),
    ] = None,
    records_alone: Annotated[
        bool, typer.Option("--records-alone", help="Do not hold the slip against the first magnitude.")
    ] = False,
    half_duration: Annotated[
        float, typer.Option(help="For a bank: half the time that the rupture took, s; waves are later by it.")
    ] = 0.0,
    joint_tide: Annotated[
        bool | None,
        typer.Option(
            "--joint-tide/--no-joint-tide",
            help="Fit the uncertain part of the tide jointly with the slip; by default where the records say it.",
        ),
    ] = None,
    model_error: Annotated[
        float,
        typer.Option(help="For a method: error of modelled waves, as a share of the largest level."),
    ] = 0.0,
    stretch: Annotated[
        bool, typer.Option("--stretch", help="Find by how much real waves are slower, 0 to 2 %.")
    ] = False,
    shifts: Annotated[bool, typer.Option("--shifts", help="Find a delay at each gauge, within 3 min.")] = False,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Use gauges whose record contradicts the others, and bad samples, too.")
    ] = False,
    one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Predict each DART from the others, too; writes nothing of that.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Invert records for slip.

    Example: slipcast invert records.nc --model cascadia --window 20 --out slip.nc

    Or: slipcast invert chile2010 --bank chile.nc --method tikhonov --window 240 --epicentre -72.9 -36.1 --magnitude 8.8
    """
    from slipcast.forecasting.wave_fit import leave_one_out
    from slipcast.greens.bank import GreensBank
    from slipcast.realtime.event_slip import invert as run
    from slipcast.realtime.real_event import invert_event
    from slipcast.records import PACKAGED, Records, packaged_records
    from slipcast.scenarios.scenario_set import ScenarioSet

    damping = parse_damping(slip_sd)
    if one_out and (bank is None or model is not None):
        raise InputError("--leave-one-out needs --bank, and no --model")
    method = _method_of(model, method, bank)
    observed = packaged_records(records) if records in PACKAGED else Records.open(records)
    names = parse_names(gauges)
    windows: Any = None if window is None else parse_windows(window, observed, names, by_method=method is not None)
    responses = None if bank is None else GreensBank.open(bank)
    if model is None and epicentre is not None and magnitude is None and observed.first_magnitude is None:
        raise InputError("--epicentre needs a --magnitude, which the records do not name")
    if (stretch or shifts) and (responses is None or windows is None):
        raise InputError("--stretch and --shifts need --bank and --window")
    if half_duration and responses is None:
        raise InputError("--half-duration is for the waves of a bank; give --bank")
    if model is not None and (stretch or shifts or half_duration):
        raise InputError("--half-duration, --stretch and --shifts are for a --method, got --model")
    options: dict[str, Any] = {
        "start_min": start,
        "noise_sd_m": noise,
        "slip_sd_m": damping,
        "scenarios": None if scenarios is None else ScenarioSet.open(scenarios),
        "joint_tide": joint_tide,
        "model_error": model_error,
    }
    timing, predicted = None, {}
    if model is not None:
        _refuse_options(options)
        slip = run(
            observed.with_event(epicentre=epicentre),
            model,
            window_min=windows,
            gauges=names,
            magnitude=magnitude,
            hold_first=not records_alone,
            put_aside=not keep_all,
        )
    elif responses is None:
        raise InputError(f"method {method} needs a bank")
    elif windows is None:
        raise InputError(f"method {method} needs a window, minutes after the origin")
    else:
        found = invert_event(
            observed,
            responses,
            method=str(method),
            window_min=windows,
            gauges=names,
            epicentre=epicentre,
            magnitude=magnitude,
            hold_first=not records_alone,
            half_duration_s=half_duration,
            stretch=stretch,
            shifts=shifts,
            put_aside=not keep_all,
            **options,
        )
        slip, timing = found.slip, found.timing
        if one_out:
            others = leave_one_out(found.records, found.inverter, responses, window_min=found.windows_min, gauges=names)
            predicted = {name: fit for name, (_, fit) in others.items()}
    slip.save(out)
    if slip.slip.ndim > 1:
        write_line(f"{out}: {slip.slip.shape[0]} events")
        return
    shares = {name: None if isnan(share) else round(share, 3) for name, share in slip.explained.items()}
    if as_json:
        more: dict[str, Any] = {"predicted": {name: vars(fit) for name, fit in predicted.items()}} if one_out else {}
        more |= {"samples_left_out": slip.samples_left_out}
        print_json(_summary(slip) | {"put_aside": slip.put_aside, "explained": shares} | more)
        return
    write_line(f"{out}: {_in_words(slip)}")
    for name, why in slip.gauges_left_out.items():
        say(f"{name}: left out: {why}")
    for name, note in slip.samples_left_out.items():
        say(f"{name}: {note}")
    if slip.note:
        say(slip.note)
    told = [f"{name} {share:.0%}" for name, share in shares.items() if share is not None]
    if calm := [name for name, share in shares.items() if share is None]:
        write_line(f"no wave seen at {', '.join(calm)}")
    if told:
        write_line(f"explained: {', '.join(told)} of the record in the window")
    if timing is not None and timing.half_duration_s:
        write_line(f"waves are later by {timing.half_duration_s:.0f} s, half the time that the rupture took")
    if timing is not None and (stretch or shifts):
        shifted = "".join(f", {name} {shift:+.0f} s" for name, shift in timing.shift_s.items())
        write_line(
            f"real waves are slower by {100 * timing.stretch:.2f} %{shifted}; unexplained with it "
            f"{100 * timing.misfit_after:.1f} % of the variance, without {100 * timing.misfit_before:.1f} %"
        )
    for name, fit in predicted.items():
        later_min = (fit.modelled_arrival_s - fit.observed_arrival_s) / 60
        write_line(
            f"{name} from the others: explained variance {fit.explained_variance:.2f}, highest {fit.modelled_m:.2f} m "
            f"(recorded {fit.observed_m:.2f}), arrival {later_min:+.0f} min"
        )


def parse_damping(text: str | None) -> Damping | float | None:
    """Read metres, ``gcv`` or ``discrepancy``."""
    from slipcast.inversion.least_squares import DAMPINGS

    try:
        return cast("Damping", text) if text is None or text in DAMPINGS else float(text)
    except ValueError:
        raise InputError(f"--slip-sd must be metres or one of {', '.join(DAMPINGS)}, got {text!r}") from None


def chosen_inverter(
    model: str | None,
    method: str | None,
    bank: GreensBank | None,
    records: Records,
    gauges: list[str] | None,
    window_min: float,
    options: dict[str, Any],
) -> Inverter:
    """Return the method of a model, or the one that is named, for windows up to one, or as long as the bank has."""
    from slipcast.inversion.least_squares import run_min
    from slipcast.inversion.methods import method_named
    from slipcast.learning.inverters import open_inverter

    method = _method_of(model, method, bank)
    if model is not None:
        _refuse_options(options)
        return open_inverter(model)
    if bank is None:
        raise InputError(f"method {method} needs a bank")
    names = [name for name in records.gauges if name in bank.gauges] if gauges is None else gauges
    if known := [name for name in names if name in bank.gauges]:
        window_min = min(window_min, run_min(bank, known))
    return method_named(str(method), bank, window_min=window_min, gauges=names or None, **options)


def _method_of(model: str | None, method: str | None, bank: Path | GreensBank | None) -> str | None:
    """Return the method that was named, with a bank alone the default one, and none with a model."""
    from slipcast.inversion.methods import DEFAULT_METHOD, METHODS

    if model is None and method is None and bank is not None:
        return DEFAULT_METHOD
    if (model is None) == (method is None):
        raise InputError(f"give either --model or a --bank (and --method: {', '.join(METHODS)})")
    return method


def _refuse_options(options: dict[str, Any]) -> None:
    """Refuse options of methods where there is a model."""
    for name, value in options.items():
        if value or (name == "joint_tide" and value is not None):
            raise InputError(f"{name} is for a method; a model uses what it was trained for")


def parse_windows(
    text: str, records: Records, gauges: list[str] | None, *, by_method: bool
) -> float | str | dict[str, float]:
    """Read ``45``, ``first-wave`` (which methods find themselves) or ``21418=45,21401=first-wave``."""
    from slipcast.realtime.real_event import FIRST_WAVE
    from slipcast.records.first_wave import first_wave_ends

    if text == FIRST_WAVE and by_method:
        return text
    found: dict[str, float] = {}
    parts = [part.rpartition("=") for part in parse_names(text) or [""]]
    named = [gauge for gauge, _, _ in parts]
    if len(parts) > 1 and ("" in named or len(set(named)) < len(named)):
        raise InputError(f"--window must be one for all gauges, or one GAUGE=... for each, got {text!r}")
    for gauge, equals, window in parts:
        if window == FIRST_WAVE:
            found |= first_wave_ends(records, [gauge] if gauge else gauges, skip_missing=not gauge and gauges is None)
            continue
        try:
            found[gauge] = float(window)
        except ValueError:
            got = f"{gauge}{equals}{window}"
            raise InputError(f"--window must be minutes, first-wave or GAUGE=either, got {got!r}") from None
    return found.get("", found)


def _summary(slip: SlipEstimate) -> dict[str, Any]:
    """Put slip and its magnitude into a structure for JSON."""
    quantiles = {}
    if slip.samples is not None:
        quantiles["magnitude_quantiles"] = _by_probability(slip.dataset["magnitude_quantile"].to_numpy())
    about = {key: getattr(value, "tolist", lambda value=value: value)() for key, value in slip.dataset.attrs.items()}
    return {
        "magnitude": round(slip.magnitude, 3) if slip.slip.any() else None,
        **quantiles,
        "slip_m": dict(zip(slip.sources, slip.slip.to_numpy().round(4).tolist())),
        **about,
        "gauges_left_out": slip.gauges_left_out,
    }


def _in_words(slip: SlipEstimate) -> str:
    """Word magnitude and largest slip."""
    from slipcast.inversion.estimate import magnitude_words

    words = magnitude_words(slip.dataset)
    return f"{words}, largest slip {float(slip.slip.max()):.1f} m" if slip.slip.any() else words


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
    from slipcast.forecasting.forecast import forecast as run
    from slipcast.greens.bank import GreensBank
    from slipcast.inversion import SlipEstimate

    if (bank is None) == (model is None):
        raise InputError("a forecast needs either --bank or --model")
    waves: Any = model if bank is None else GreensBank.open(bank)
    write_forecast(run(SlipEstimate.open(slip), waves), out, as_json=as_json)


def write_forecast(made: Forecast, out: Path, *, as_json: bool) -> None:
    """Write a forecast to a file, and print what it says of each gauge."""
    made.save(out)
    if made.max_amplitude.ndim > 1:
        write_line(f"{out}: {made.max_amplitude.shape[0]} events")
        return
    rows: list[dict[str, Any]] = [
        {
            "gauge": gauge,
            "max_amplitude_m": round(height, 4),
            "arrival_min": round(arrival, 1) if arrival >= 0 else None,
            "highest_min": round(highest, 1) if highest >= 0 else None,
        }
        for gauge, height, arrival, highest in zip(
            made.gauges,
            made.max_amplitude.to_numpy().tolist(),
            (made.arrival_time.to_numpy() / 60).tolist(),
            (made.dataset["max_time"].to_numpy() / 60).tolist(),
            strict=True,
        )
    ]
    uncertain = "max_amplitude_quantile" in made.dataset
    for place, row in enumerate(rows):
        here = made.dataset.isel(gauge=place)
        at_coast = float(here["coast_height"])
        row["coast_height_m"] = round(at_coast, 4) if at_coast >= 0 else None
        if uncertain:
            row["max_amplitude_quantiles_m"] = _by_probability(here["max_amplitude_quantile"].to_numpy())
            if row["coast_height_m"] is not None:
                row["coast_height_quantiles_m"] = _by_probability(here["coast_height_quantile"].to_numpy())
    if as_json:
        print_json(rows)
        return
    for row in sorted(rows, key=lambda row: -row["max_amplitude_m"]):
        arrives = _arrival_words(row["arrival_min"], row["highest_min"])
        height = f"{row['max_amplitude_m']:6.2f} m{_interval_words(row.get('max_amplitude_quantiles_m'))}"
        if row["coast_height_m"] is not None:
            interval = _interval_words(row.get("coast_height_quantiles_m"))
            height += f", at the coast {row['coast_height_m']:.2f} m{interval}"
        write_line(f"{row['gauge']:<14} {height}  {arrives}")


def _interval_words(quantiles_m: dict[str, float] | None) -> str:
    """Word the 90 % interval of a height, where there is one."""
    if quantiles_m is None:
        return ""
    low, *_, high = quantiles_m.values()
    return f" (90 %: {low:.2f} to {high:.2f})"


def _arrival_words(arrival_min: float | None, highest_min: float | None) -> str:
    """Word when a wave arrives, and when it is highest."""
    if arrival_min is None:
        return "no wave"
    if arrival_min >= 1 and highest_min is not None and highest_min < arrival_min:
        return f"inside the source, highest after {highest_min:.0f} min, the wave arrives after {arrival_min:.0f} min"
    begins = "inside the source, at once" if arrival_min < 1 else f"arrives after {arrival_min:.0f} min"
    return begins if highest_min is None else f"{begins}, highest after {highest_min:.0f} min"
