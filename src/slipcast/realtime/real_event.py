"""Inversion of a real event: candidate unit sources, windows by gauge, travel-time corrections."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipcast.errors import InputError, SlipcastWarning, check_kind
from slipcast.greens.bank import GreensBank
from slipcast.inversion.candidates import reached_sources, source_middles
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.inversion.inverter import Inverter
from slipcast.inversion.least_squares import LeastSquares, run_min
from slipcast.inversion.methods import DEFAULT_METHOD, method_named
from slipcast.inversion.timing import Timing, check_half_duration, fit_timing
from slipcast.io.labels import positions_of, with_reasons
from slipcast.realtime.event_slip import slip_of_event
from slipcast.realtime.waves_seen import waves_seen_in
from slipcast.records import Records
from slipcast.records.first_wave import first_wave_ends
from slipcast.records.level_checks import examined, notes_on_samples

__all__ = ["FIRST_WAVE", "EventInversion", "invert_event"]

FIRST_WAVE = "first-wave"
"""A window that ends with the first wave at each gauge."""


@dataclass(frozen=True)
class EventInversion:
    """Slip of a real event, with the records and the method it is from.

    Attributes
    ----------
    slip : SlipEstimate
        What was found; a forecast from it puts the delays back. It says which share of each record it explains.
    records : Records
        The records with the delays taken out.
    inverter : Inverter
        The method, on the unit sources that can have broken.
    windows_min : float or dict of str to float
        Window of all gauges, or of each, minutes after the origin.
    gauges : list of str or None
        Gauges that were asked for.
    timing : Timing or None
        Delays of the waves, where there are any or they were looked for.
    """

    slip: SlipEstimate
    records: Records
    inverter: Inverter
    windows_min: float | Mapping[str, float]
    gauges: list[str] | None = None
    timing: Timing | None = None


def invert_event(
    records: Records,
    bank: GreensBank,
    *,
    method: str = DEFAULT_METHOD,
    window_min: float | str | Mapping[str, float] = FIRST_WAVE,
    gauges: Sequence[str] | None = None,
    epicentre: tuple[float, float] | None = None,
    magnitude: float | None = None,
    hold_first: bool = True,
    half_duration_s: float = 0.0,
    stretch: bool = False,
    shifts: bool = False,
    put_aside: bool = True,
    **options: Any,
) -> EventInversion:
    """Find the slip of a real event.

    Parameters
    ----------
    records : Records
        Of one event, as :func:`~slipcast.records.read_records` leaves them.
    bank : GreensBank
        Responses of unit sources.
    method : {"mixture", "tikhonov", "nnls", "linear", "gaussian", "bayes"}, optional
        As :func:`~slipcast.inversion.methods.method_named` takes it.
    window_min : float, "first-wave", or mapping of gauge to float, optional
        Minutes after the origin; by default to the end of the first wave at each gauge, as far as the bank goes there
        (:func:`~slipcast.records.first_wave.first_wave_ends`).
    gauges : sequence of str, optional
        Gauges used; by default those of the records that the bank has, but for those without a sample in the window or,
        with ``"first-wave"``, without a wave; these are left out and named (``slip.gauges_left_out``), if others have.
    epicentre : (float, float), optional
        Longitude and latitude, degrees; by default that of the records.
    magnitude : float, optional
        Mw of the first bulletin, by default that of the records (:attr:`Records.first_magnitude`): slip is then looked
        for on those unit sources alone that an earthquake as large can reach from the epicentre
        (:func:`~slipcast.inversion.candidates.candidate_sources`); without one on all of the bank. Method "mixture"
        weighs sizes about it, on all of the bank.
    hold_first : bool, optional
        Hold the result against that magnitude (:class:`~slipcast.inversion.first_magnitude.FirstMagnitude`), as the
        service does.
    half_duration_s : float, optional
        By how much waves are later because the rupture takes time, s (what is usual:
        :func:`~slipcast.physics.moment.usual_half_duration`); by default slip is at once. Not for methods "linear"
        and "mixture", whose ruptures take time themselves.
    stretch, shifts : bool, optional
        Find by how much real waves are slower (0 to 2 %), and a delay at each gauge within three minutes
        (:func:`~slipcast.inversion.timing.fit_timing`).
    put_aside : bool, optional
        Leave out gauges whose record no slip explains, as :func:`~slipcast.realtime.event_slip.slip_of_event`.
    **options
        ``start_min``, ``noise_sd_m``, ``slip_sd_m``, ``scenarios``, ``ruptures``, ``joint_tide``, ``model_error``, as
        :func:`~slipcast.inversion.methods.method_named` takes them.

    Returns
    -------
    found : EventInversion

    Raises
    ------
    InputError
        If an argument is of a wrong kind or out of range, a name is unknown, no unit source is near enough, or a gauge
        that was named, or every gauge, recorded no wave.

    Warns
    -----
    SlipcastWarning
        If a gauge is left out.
    """
    check_kind(records, Records, "records", "Records (sc.read_records, sc.Records.open)")
    check_kind(bank, GreensBank, "bank", "a GreensBank")
    records = records.one_event()
    records = records.with_event(epicentre=epicentre, magnitude=magnitude)
    placed = "epicentre" in records.dataset.attrs
    if magnitude is not None and not placed:
        raise InputError("magnitude chooses unit sources around an epicentre, and the records name none")
    magnitude = records.first_magnitude
    if epicentre is not None and magnitude is None:
        raise InputError("epicentre chooses unit sources with a magnitude, got none")
    as_sent, middles = records, source_middles(tuple(bank.sources))
    if put_aside:
        records = examined(as_sent, float(bank.time_s[-1]), middles)
    names = None if gauges is None else list(gauges)
    positions_of(names, records.gauges, dim="gauge", where="in records")
    positions_of(names, bank.gauges, dim="gauge", where=f"in bank {bank.region.name}")
    used = [name for name in records.gauges if name in bank.gauges] if names is None else names
    if isinstance(window_min, str) and window_min != FIRST_WAVE:
        raise InputError(f"window_min must be minutes, {FIRST_WAVE!r}, or minutes by gauge, got {window_min!r}")
    windows: Any = window_min
    if window_min == FIRST_WAVE:
        ends = first_wave_ends(records, used, skip_missing=names is None)
        windows = {name: min(end, run_min(bank, [name])) for name, end in ends.items()}
    times_s = bank.time_s[bank.time_s > 60 * options.get("start_min", 0.0)]
    silent = _silent(records, used, windows, times_s, waves=window_min == FIRST_WAVE)
    if names is None:
        used, records = _recorded(records, used, silent)
    else:
        for name, why in silent.items():
            raise InputError(f"gauge {name} has {why}")
    near = bank
    if magnitude is not None and placed:
        lon, lat = (float(degrees) for degrees in records.dataset.attrs["epicentre"])
        near = bank.with_sources(reached_sources(bank.sources, (lon, lat), magnitude))
    longest = max(windows.values(), default=0.0) if isinstance(windows, Mapping) else windows
    until = records
    if put_aside:  # as a service would, which has no later samples
        until = Records(with_reasons(examined(as_sent, 60.0 * longest, middles).dataset, records.gauges_left_out))
    # a mixture weighs how far ruptures reach, itself
    responses = bank if method == "mixture" else near
    inverter = method_named(method, responses, window_min=longest, gauges=used, **options)
    check_half_duration(half_duration_s)
    if half_duration_s and method in ("linear", "mixture"):
        raise InputError(
            f"half_duration_s is for methods of slip at once; ruptures of method {method} take time themselves"
        )
    timing = Timing(half_duration_s=half_duration_s) if half_duration_s else None
    if stretch or shifts:
        timing = fit_timing(
            records,
            near,
            window_min=windows,
            gauges=used,
            stretch=stretch,
            shifts=shifts,
            half_duration_s=half_duration_s,
        )
    ends_s = {name: 60.0 * (windows.get(name, longest) if isinstance(windows, Mapping) else windows) for name in used}
    seen = waves_seen_in(until, used, middles, ends_s)
    if timing is not None:
        records, until = timing.applied(records), timing.applied(until)
    found = slip_of_event(
        until,
        inverter,
        # a fault of a sensor is what no slip on any source explains
        whole=LeastSquares(bank, longest, gauges=used, start_min=options.get("start_min", 0.0)),
        waves=bank,
        window_min=windows,
        gauges=used,
        waves_seen=seen,
        first=FirstMagnitude(magnitude) if hold_first and magnitude is not None else None,
        put_aside=put_aside,
    )
    slip = found.slip if timing is None else timing.noted(found.slip)
    return EventInversion(slip, records, inverter, windows, names, timing)


def _silent(
    records: Records, names: list[str], windows: float | Mapping[str, float], times_s: np.ndarray, *, waves: bool
) -> dict[str, str]:
    """Find gauges without a sample in their windows, or, with ``waves``, without a window: no wave was found."""
    reasons = {name: "no wave was found" for name in names if waves and name not in dict(windows)}  # type: ignore[arg-type]
    ends = windows if isinstance(windows, Mapping) else dict.fromkeys(names, windows)
    for name in names:
        end = ends.get(name, max(ends.values(), default=0.0))
        sampled = records.resample(times_s[times_s <= 60 * end], [name])
        if name not in reasons and not np.isfinite(sampled.to_numpy()).any():
            why = notes_on_samples(records, 60.0 * end).get(name, "")
            reasons[name] = ": ".join(filter(None, (f"no sample in the window of {end:g} min", why)))
    return reasons


def _recorded(records: Records, names: list[str], silent: Mapping[str, str]) -> tuple[list[str], Records]:
    """Leave out silent gauges, but not all of them, and say so; the records have the reasons, too."""
    if len(silent) == len(names):
        return names, records
    if silent:
        told = "; ".join(f"gauge {name} is left out: {why}" for name, why in silent.items())
        warnings.warn(told, SlipcastWarning, stacklevel=3)
    return [name for name in names if name not in silent], Records(with_reasons(records.dataset, silent))
