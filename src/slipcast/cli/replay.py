"""The verb ``replay``: retrospective real-time replay of an event."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipcast.cli.console import print_json, say, write_line
from slipcast.cli.invert import chosen_inverter, parse_damping
from slipcast.cli.options import Epicentre, Json, Model, Out, parse_names, parse_number
from slipcast.cli.play import play_into
from slipcast.errors import InputError

if TYPE_CHECKING:
    from slipcast.realtime.replay import Replay

__all__ = ["replay"]


def replay(
    records: Annotated[str, typer.Argument(help="Records (netCDF), chile2010 or cascadia-simulation.")],
    bank: Annotated[Path | None, typer.Option(help="A bank, from 'slipcast bank build'; a method needs one.")] = None,
    out: Out = Path("replay.nc"),
    page: Annotated[Path | None, typer.Option(help="An interactive page (HTML), too.")] = None,
    figure: Annotated[Path | None, typer.Option(help="A figure (PNG), too.")] = None,
    model: Model = None,
    method: Annotated[
        str | None, typer.Option(help="mixture (by default), nnls, tikhonov, linear, gaussian or bayes.")
    ] = None,
    gauges: Annotated[str | None, typer.Option(help="DARTs used, comma-separated.")] = None,
    until: Annotated[float, typer.Option(help="Last minute after the origin.")] = 120.0,
    every: Annotated[float, typer.Option(help="Minutes from one estimate to the next.")] = 1.0,
    latency: Annotated[
        str, typer.Option(help="Minutes from a sample to its receipt; or GAUGE=MIN,... for some of the gauges.")
    ] = "0",
    noise: Annotated[
        float | None, typer.Option(help="For a method: standard deviation of a sample, m, by default 0.005.")
    ] = None,
    slip_sd: Annotated[
        str | None, typer.Option(help="For tikhonov: standard deviation of slip, m (by default 5), gcv or discrepancy.")
    ] = None,
    model_error: Annotated[
        float, typer.Option(help="For a method: error of modelled waves, as a share of the largest level.")
    ] = 0.0,
    joint_tide: Annotated[
        bool | None,
        typer.Option(
            "--joint-tide/--no-joint-tide",
            help="Fit the uncertain part of the tide jointly with the slip; by default where the records say it.",
        ),
    ] = None,
    reference_magnitude: Annotated[float | None, typer.Option(help="Mw to compare with.")] = None,
    to: Annotated[str | None, typer.Option(help="Address of a running service: play the event into it.")] = None,
    speed: Annotated[float, typer.Option(help="With --to: minutes of the event in a minute.")] = 60.0,
    begin: Annotated[
        float, typer.Option(help="With --to: first minute that is played; what was sent before comes at once.")
    ] = 0.0,
    token_file: Annotated[Path | None, typer.Option(help="With --to: a file with the service's token.")] = None,
    epicentre: Epicentre = None,
    magnitude: Annotated[float | None, typer.Option(help="Mw as first reported; results are held against it.")] = None,
    records_alone: Annotated[
        bool, typer.Option("--records-alone", help="Do not hold results against the first magnitude.")
    ] = False,
    simulation: Annotated[bool, typer.Option("--simulation", help="With --to: mark the event as an exercise.")] = False,
    as_json: Json = False,
) -> None:
    """Replay an event in simulated real time: slip, magnitude and forecasts from the samples received by each minute.

    Example: slipcast replay tohoku.nc --bank japan.nc --method tikhonov --noise 0.02 --out replay.nc --page replay.html

    Or: slipcast replay records.nc --model cascadia --figure replay.png

    Or, into a running service: slipcast replay cascadia-simulation --to http://127.0.0.1:8000 --magnitude 8.5
    """
    import numpy as np

    from slipcast.greens.bank import GreensBank
    from slipcast.io.atomic import check_target
    from slipcast.realtime.replay import FIRST_MIN
    from slipcast.realtime.replay import replay as run
    from slipcast.records import PACKAGED, Records, packaged_records

    for target in (out, page, figure):
        if target is not None:
            check_target(target)
    if not every > 0:
        raise InputError(f"--every must be > 0 min, got {every:g}")
    if not 0 <= begin <= until:
        raise InputError(f"--begin must be between 0 and --until ({until:g} min), got {begin:g}")
    if not until >= FIRST_MIN:
        raise InputError(f"--until must be >= {FIRST_MIN:g} min, got {until:g}")
    latencies = _latency(latency)
    if to is not None:
        if (bank, model, method, page, figure) != (None,) * 5:
            raise InputError(
                "--to plays an event into a service, which has its own model; leave out --model and the like"
            )
        play_into(
            records,
            to,
            speed=speed,
            token_file=token_file,
            begin_min=begin,
            until_min=until,
            latency_min=latencies,
            epicentre=epicentre,
            magnitude=magnitude,
            simulation=simulation,
        )
        return
    observed = packaged_records(records) if records in PACKAGED else Records.open(records)
    observed = observed.with_event(epicentre=epicentre, magnitude=magnitude)
    names = parse_names(gauges)
    responses = None if bank is None else GreensBank.open(bank)
    options = {
        "noise_sd_m": noise,
        "slip_sd_m": parse_damping(slip_sd),
        "joint_tide": joint_tide,
        "model_error": model_error,
    }
    inverter = chosen_inverter(model, method, responses, observed, names, until, options)
    made = run(
        observed,
        inverter,
        bank=responses if model is not None else None,
        minutes=np.arange(FIRST_MIN, until + 1e-9, every),
        latency_min=latencies,
        gauges=names,
        magnitude=magnitude,
        hold_first=not records_alone,
        progress=True,
    )
    made.save(out)
    _show(made, reference_magnitude, out, page, figure, as_json=as_json)


def _latency(text: str) -> float | dict[str, float]:
    """Read ``3`` or ``21418=3,21401=5``."""
    parts = [part.rpartition("=") for part in parse_names(text) or []]
    found = {gauge.strip(): parse_number(number, "--latency") for gauge, _, number in parts}
    if len(parts) == 1 and "" in found:
        return found[""]
    if not found or "" in found:
        raise InputError(f"--latency must be minutes, or GAUGE=MIN for each gauge that has one, got {text!r}")
    return found


def _show(
    made: Replay, reference: float | None, out: Path, page: Path | None, figure: Path | None, *, as_json: bool
) -> None:
    """Write the page and the figure, and say what was found."""
    from slipcast.reports.replay import draw_replay, findings, write_replay_page

    if page is not None:
        write_replay_page(page, made, reference_magnitude=reference)
    if figure is not None:
        from slipcast.plots import save_figure

        save_figure(draw_replay(made, reference_magnitude=reference), figure)
    if as_json:
        print_json(_summary(made, reference))
        return
    write_line(", ".join(str(path) for path in (out, page, figure) if path is not None))
    for line in findings(made, reference_magnitude=reference):
        write_line(line)
    for flag in _last_flags(made):
        say(f"at minute {made.minutes[-1]:g}: {flag}")


def _last_flags(made: Replay) -> list[str]:
    """Return what qualifies the last estimate, in words."""
    return [flag for flag in str(made.dataset["flags"].to_numpy()[-1]).split("; ") if flag]


def _summary(made: Replay, reference: float | None) -> dict[str, Any]:
    """Put what was found into a structure for JSON."""
    from slipcast.realtime.convergence import forecast_convergence_min, magnitude_convergence_min

    last = made.dataset.isel(minute=-1)
    magnitude, recorded = float(last["magnitude"]), made.observed_maximum_m
    return {
        "minute": float(made.minutes[-1]),
        "magnitude": round(magnitude, 3) if abs(magnitude) < float("inf") else None,
        "magnitude_settled_min": magnitude_convergence_min(made),
        "magnitude_near_reference_min": None
        if reference is None
        else magnitude_convergence_min(made, reference=reference),
        "contribution_min": made.contribution_min,
        "flags": _last_flags(made),
        "gauges": {
            name: {
                "used": name in made.gauges_used,
                "forecast_m": round(float(last["max_amplitude"].sel(gauge=name)), 4),
                "settled_min": forecast_convergence_min(made, name, against="last"),
                "recorded_m": round(recorded[name], 4) if name in recorded else None,
                "near_recorded_min": forecast_convergence_min(made, name) if name in recorded else None,
            }
            for name in made.gauges
        },
        **{key: str(value) for key, value in made.dataset.attrs.items()},
    }
