"""Slip of an event, held against what its records and its first magnitude allow: the one way of every command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from slipcast.errors import InputError, check_kind
from slipcast.forecasting.forecast import forecast, wave_source
from slipcast.forecasting.wave_fit import explained_shares
from slipcast.inversion.candidates import reached_sources, source_middles
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.inversion.invert import N_SAMPLES, NoGaugeLeft, contradicting_gauges, invert_records, until_windows
from slipcast.inversion.inverter import Inverter, SourceInverter, WaveInverter, longest_window_min
from slipcast.inversion.surface_estimate import SurfaceEstimate, invert_surface
from slipcast.inversion.surface_posterior import SurfacePosterior
from slipcast.learning.inverters import open_inverter
from slipcast.physics.ruptures import RuptureSettings
from slipcast.realtime.waves_seen import waves_seen_in
from slipcast.records import Records
from slipcast.records.level_checks import examined

if TYPE_CHECKING:
    from slipcast.greens.responses import SourceResponses
    from slipcast.learning.checkpoint import Checkpoint

__all__ = ["EXPLAINED", "UNLIKE", "EventSlip", "invert", "on_sources", "slip_of_event", "sources_in_reach"]

EXPLAINED = 0.5
"""A slip explains a record of which it makes this share, or more."""

UNLIKE = "the records are unlike any rupture near the epicentre:"
"""How an estimate's note begins to say that no rupture explains the waves."""

_LOWEST_MW = RuptureSettings().magnitude[0]
_DRAWS = 5  # times as many as are kept, where they are weighed by the first magnitude


@dataclass(frozen=True)
class EventSlip:
    """What was found from the records of an event.

    Attributes
    ----------
    slip : SlipEstimate
        With what qualifies it: ``slip.explained`` and ``slip.note`` say the same as here.
    put_aside : dict of str to float
        Gauges that were left out, and by how many standard deviations each contradicts the others, or what slip can
        make (:class:`~slipcast.inversion.consistency.Consistency`).
    explained : dict of str to float
        By gauge with a sample: the share of its record in the window that the slip explains, at most 1; NaN where it
        has seen no wave. Those that were put aside are among them. Empty if the method knows no waves.
    wave_seen : bool
        Whether a wave has been seen at a gauge that was used.
    note : str
        How it stands to the first magnitude, and whether the records are like any rupture, in words; empty if that
        says nothing.
    """

    slip: SlipEstimate
    put_aside: dict[str, float]
    explained: dict[str, float]
    wave_seen: bool
    note: str = ""


def sources_in_reach(inverter: Inverter, records: Records, magnitude: float | None) -> list[str]:
    """Return the unit sources of a method that may have broken.

    Parameters
    ----------
    inverter : Inverter
        The method.
    records : Records
        Of one event; they may name its epicentre.
    magnitude : float or None
        Mw as first reported.

    Returns
    -------
    sources : list of str
        All without an epicentre or a magnitude, and for a method that cannot be kept to some of them; else those in
        reach (:func:`~slipcast.inversion.candidates.reached_sources`); none where none is.
    """
    everywhere = list(inverter.sources)
    if not isinstance(inverter, SourceInverter) or magnitude is None or "epicentre" not in records.dataset.attrs:
        return everywhere
    lon, lat = (float(degrees) for degrees in records.dataset.attrs["epicentre"])
    try:
        return reached_sources(everywhere, (lon, lat), magnitude)
    except InputError:  # none is near enough
        return []


def on_sources(inverter: Inverter, sources: Sequence[str]) -> Inverter:
    """Return a method on some of its unit sources; on all of them where it learned from earthquakes on all."""
    if not isinstance(inverter, SourceInverter) or list(sources) == list(inverter.sources):
        return inverter
    try:
        return inverter.with_sources(sources)
    except InputError:
        return inverter


def slip_of_event(
    records: Records,
    inverter: Inverter,
    *,
    whole: Inverter | None = None,
    waves: SourceResponses | WaveInverter | None = None,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    waves_seen: Mapping[str, bool] | None = None,
    first: FirstMagnitude | None = None,
    put_aside: bool = True,
    or_still: bool = False,
    seed: int = 0,
) -> EventSlip:
    """Find the slip of an event: bad samples left out, bad sensors put aside, held against the first magnitude.

    Parameters
    ----------
    records : Records
        Of one event, tide removed.
    inverter : Inverter
        The method, on the unit sources that can have broken.
    whole : Inverter, optional
        The same on all unit sources: says which records no slip explains. By default the method.
    waves : GreensBank, ScenarioSet or WaveInverter, optional
        What waves are made with; by default those that the method knows.
    window_min, gauges, put_aside, seed
        As :func:`~slipcast.inversion.invert.invert_records` takes them.
    waves_seen : mapping of str to bool, optional
        Where a tsunami has been seen, or not; by default it is looked for
        (:func:`~slipcast.realtime.waves_seen.waves_seen_in`).
    first : FirstMagnitude, optional
        What the result is held against; also decides between two gauges that contradict.
    or_still : bool, optional
        Where no gauge is left, find slip from a sea that is still at minute one, in place of an error.

    Returns
    -------
    found : EventSlip

    Raises
    ------
    InputError
        As :func:`~slipcast.inversion.invert.invert_records`.
    """
    whole = inverter if whole is None else whole
    waves = _known_waves(inverter) if waves is None else waves
    middles = source_middles(tuple(whole.sources))
    if gauges is not None and not isinstance(gauges, str):
        gauges = list(dict.fromkeys(gauges))
    ends_min = window_min if isinstance(window_min, Mapping) else {}
    records, window_min = until_windows(records, window_min)
    until_min = longest_window_min(inverter) if window_min is None else window_min
    # as a service has them: what came later is not there, not even to lead to the last sample
    records = records.windowed(dict.fromkeys(records.gauges, (-np.inf, until_min)))
    records = examined(records, 60.0 * until_min, middles) if put_aside else records
    options: dict[str, Any] = {"window_min": window_min, "gauges": gauges}
    aside: dict[str, float] = {}
    if put_aside:
        # a first magnitude may be too small: what any of the sources can make
        largest_m = np.inf if first is None else first.largest_size_m(whole.sources)
        aside = contradicting_gauges(records, whole, largest_m=largest_m, **options)
    options |= {"seed": seed, "count": N_SAMPLES if first is None else _DRAWS * N_SAMPLES}
    try:
        slip = invert_records(records, inverter, put_aside=put_aside and aside, **options)
    except NoGaugeLeft:
        if not or_still:
            raise
        slip = invert_records(_still(records, inverter), inverter, put_aside=False, **options)
        told_aside = " ".join(f"{name}={by:.1f}" for name, by in aside.items())
        slip = SlipEstimate(slip.dataset.assign_attrs(gauges="", put_aside=told_aside))
    used = str(slip.dataset.attrs["gauges"]).split()
    names = list(gauges) if gauges is not None else [*used, *(name for name in aside if name not in used)]
    until_s = {name: 60.0 * ends_min.get(name, until_min) for name in names}
    seen = waves_seen_in(records, names, middles, until_s) if waves_seen is None else waves_seen
    wave_seen, note = any(seen[name] for name in names if name not in aside), ""
    if first is not None:
        shares = _explained(slip, waves, records, names, until_min, seen)
        agreed = [name for name, share in shares.items() if share >= EXPLAINED and name not in aside]
        slip, note = first.hold_against(
            slip,
            N_SAMPLES,
            np.random.default_rng(seed),
            wave_seen=wave_seen,
            supported=waves is None or len(agreed) > 1,
            lowest=_LOWEST_MW,
        )
    shares = _explained(slip, waves, records, names, until_min, seen)
    note = "; ".join(filter(None, (note, _unlike(slip, [share for name, share in shares.items() if name in used]))))
    told = {name: round(share, 4) if np.isfinite(share) else None for name, share in shares.items()}
    said = {"explained": json.dumps(told)} | ({"note": note} if note else {})
    slip = SlipEstimate(slip.dataset.assign_attrs(said))
    return EventSlip(slip, aside, shares, wave_seen, note)


@overload
def invert(
    records: Records,
    inverter: SurfacePosterior,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    put_aside: bool = True,
    seed: int = 0,
) -> SurfaceEstimate: ...


@overload
def invert(
    records: Records,
    inverter: Inverter | Checkpoint | str | os.PathLike,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    magnitude: float | None = None,
    hold_first: bool = True,
    put_aside: bool = True,
    seed: int = 0,
) -> SlipEstimate: ...


def invert(
    records: Records,
    inverter: Inverter | SurfacePosterior | Checkpoint | str | os.PathLike,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    magnitude: float | None = None,
    hold_first: bool = True,
    put_aside: bool = True,
    seed: int = 0,
) -> SlipEstimate | SurfaceEstimate:
    """Find the slip that made records, or the sea surface.

    Parameters
    ----------
    records : Records
        Of one event or several.
    inverter : Inverter, SurfacePosterior, Checkpoint, str or path
        The method with its options, such as ``sc.LeastSquares(bank, window_min=90, damping="gcv")`` or
        ``sc.GaussianPosterior.from_bank(bank, window_min=45)``; ``sc.SurfacePosterior(bank, window_min=60)``, which
        finds the sea surface in place of slip; a trained network; or the name of a model in the package
        (``"cascadia"``) or a folder.
    window_min : float or mapping of gauge to float, optional
        Samples up to it are used, minutes after the origin, for all gauges or, where named, each; by default the
        method's own window.
    gauges : sequence of str, optional
        Gauges used; by default those of the records that the method knows.
    magnitude : float, optional
        Mw as first reported; by default that of the records (:attr:`Records.first_magnitude`). A method with a bank
        then looks for slip near the epicentre of the records alone.
    hold_first : bool, optional
        Hold the result against that magnitude (:class:`~slipcast.inversion.first_magnitude.FirstMagnitude`), as the
        service does. Records of several events are held against nothing, and no gauge of theirs is put aside.
    put_aside : bool, optional
        Leave out gauges whose record no slip explains, alone or beside those of the others
        (:class:`~slipcast.inversion.consistency.Consistency`); ``estimate.put_aside`` names them.
    seed : int, optional
        What posterior samples are drawn from.

    Returns
    -------
    estimate : SlipEstimate or SurfaceEstimate
        With posterior samples and intervals where the method gives them. Of slip of one event, ``estimate.explained``
        says which share of each record it explains, and ``estimate.note`` how it stands to the first magnitude.

    Raises
    ------
    InputError
        If an argument is of a wrong kind or out of range, a name is unknown, the window does not fit the method, more
        samples are missing than the method can do without, or a magnitude comes with records of several events.

    Notes
    -----
    With the samples and the magnitude that a service has, it finds what the service finds.

    Examples
    --------
    >>> import slipcast as sc
    >>> slip = sc.invert(sc.packaged_records("cascadia-simulation"), "cascadia", window_min=45)
    >>> print(f"{slip.magnitude:.1f}")
    8.9
    """
    check_kind(records, Records, "records", "Records (sc.read_records, sc.Records.open)")
    if isinstance(inverter, SurfacePosterior):
        if magnitude is not None:
            raise InputError(f"magnitude is for slip; a sea surface has none, got {magnitude:g}")
        return invert_surface(records, inverter, window_min=window_min, gauges=gauges, examine=put_aside, seed=seed)
    chosen = open_inverter(inverter)
    if records.dataset.sizes.get("event", 1) > 1:
        if magnitude is not None:
            raise InputError(f"magnitude is that of one event, got records of {records.dataset.sizes['event']}")
        return invert_records(records, chosen, window_min=window_min, gauges=gauges, seed=seed, put_aside=put_aside)
    records = records.one_event().with_event(magnitude=magnitude)
    magnitude = records.first_magnitude
    first = FirstMagnitude(magnitude) if hold_first and magnitude is not None else None
    near = on_sources(chosen, sources_in_reach(chosen, records, magnitude) or chosen.sources)
    options: dict[str, Any] = {"window_min": window_min, "gauges": gauges, "seed": seed}
    return slip_of_event(records, near, whole=chosen, first=first, put_aside=put_aside, **options).slip


def _unlike(slip: SlipEstimate, shares: Sequence[float]) -> str:
    """Say where a method that weighs all kinds of ruptures has found none that makes the records; empty elsewhere."""
    known = [share for share in shares if np.isfinite(share)]
    if "wave_error" not in slip.dataset or not known or max(known) >= EXPLAINED:
        return ""
    return f"{UNLIKE} they explain {max(*known, 0.0):.0%} of the wave at the gauge where they do best"


def _explained(
    slip: SlipEstimate,
    waves: SourceResponses | WaveInverter | None,
    records: Records,
    gauges: Sequence[str],
    window_min: float,
    waves_seen: Mapping[str, bool],
) -> dict[str, float]:
    """Return which share of each record the slip explains, NaN where there is no wave; empty if no waves are known."""
    if waves is None:
        return {}
    shares = dict.fromkeys(gauges, float("nan"))
    known = waves.waves if isinstance(waves, WaveInverter) else waves.gauges
    if seen := [name for name in gauges if waves_seen[name] and name in known]:
        shares |= explained_shares(records, forecast(slip, waves, gauges=seen), seen, window_min)
    return shares


def _known_waves(inverter: Inverter) -> SourceResponses | WaveInverter | None:
    """Return what waves of the slip of a method can be made with; None for a method that knows none."""
    try:
        return wave_source(inverter)
    except InputError:
        return None


def _still(records: Records, inverter: Inverter) -> Records:
    """Return records of a sea that is still at the first minute: that no wave can have come needs no sensor."""
    first_s = float(inverter.times_s[0])
    dataset = records.dataset.isel(time=[0]).assign_coords(time=[first_s])
    return Records(dataset.assign(sea_level=dataset["sea_level"].copy(data=np.zeros((len(records.gauges), 1)))))
