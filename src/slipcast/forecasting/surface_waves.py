"""Waves of the posterior samples of a sea surface, at the gauges of a bank of its humps."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from slipcast.errors import InputError, check_kind
from slipcast.forecasting.carrying import Level, respond, with_errors
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.inversion.surface_estimate import SurfaceEstimate

__all__ = ["surface_waves"]


def surface_waves(
    surface: SurfaceEstimate, bank: Any, names: list[str] | None
) -> tuple[np.ndarray, list[Level], np.ndarray, list[str], str, np.ndarray]:
    """Return what a forecast of a sea surface is made of.

    Parameters
    ----------
    surface : SurfaceEstimate
        With its samples.
    bank : SurfaceBank
        Of the same humps, at any gauges.
    names : list of str or None
        Gauges wanted; None for all.

    Returns
    -------
    draws : array, shape (n_draws, n_humps)
        Elevations, m.
    levels : list of callable
        At each gauge, from draws to waves, with the error of modelled waves.
    time_s : array, shape (n_times,)
        s since the origin.
    names : list of str
        Gauges.
    origin : str
        Identity of the bank.
    displacement : array, shape (n_humps, n_gauges)
        What the gauges sense at time zero, m per m.

    Raises
    ------
    InputError
        If it is no such bank, or of other humps.
    """
    check_kind(bank, SurfaceBank, "waves", "a SurfaceBank, since the source is a sea surface")
    own, other = ([str(name) for name in dataset["hump"].to_numpy()] for dataset in (surface.dataset, bank.dataset))
    widths = [np.asarray(dataset.attrs["half_widths"]) for dataset in (surface.dataset, bank.dataset)]
    if own != other or not np.allclose(widths[0], widths[1]):
        raise InputError(f"the sea surface is of other humps than bank {bank.id}; give the bank that it was found with")
    response = bank.hump_response(names)
    about = [surface.dataset["wave_error"].to_numpy(), np.ones(len(surface.samples)), np.zeros(len(surface.samples))]
    found = [str(name) for name in response["gauge"].to_numpy()]
    levels: list[Level] = []
    for name, one in zip(found, response.to_numpy(), strict=True):
        level = partial(respond, response=one[np.isfinite(one[:, 0])])
        levels.append(partial(with_errors, level=level, gauge=name, about=about))
    at_zero = response.to_numpy()[:, 0].T
    return surface.samples.to_numpy(), levels, response["time"].to_numpy(), found, bank.id, at_zero
