"""Join labelled arrays exactly: by name, never by position, and nothing dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from slipcast.errors import InputError, check_kind, unknown_name

__all__ = ["align", "check_names", "one_event", "positions_of", "reasons_in", "window_samples", "with_reasons"]


def align(array: xr.DataArray, dim: str, names: Sequence[str], *, what: str) -> xr.DataArray:
    """Reorder an array by names, all of which it must have and no other.

    Parameters
    ----------
    array : xarray.DataArray
        With a coordinate of names along ``dim``.
    dim : str
        ``"gauge"`` or ``"source"``.
    names : sequence of str
        The names wanted, in order.
    what : str
        What the array is, for messages, e.g. ``"slip"``.

    Returns
    -------
    array : xarray.DataArray
        In the order wanted.

    Raises
    ------
    InputError
        If a name is missing, unknown or there twice; the message names the first.

    Examples
    --------
    >>> slip = xr.DataArray([1.0, 2.0], coords={"source": ["acsza55", "acsza54"]}, dims="source")
    >>> align(slip, "source", ["acsza54", "acsza55"], what="slip").to_numpy().tolist()
    [2.0, 1.0]
    """
    have = [str(name) for name in array[dim].to_numpy()]
    if unknown := [name for name in have if name not in set(names)]:
        raise unknown_name(dim, unknown[0], names, where=f"in {what}")
    if len(set(have)) < len(have):
        raise InputError(f"{what} has {dim} {next(name for name in have if have.count(name) > 1)} twice")
    if missing := [name for name in names if name not in set(have)]:
        raise InputError(f"{what} lacks {dim} {missing[0]}" + _and_more(missing))
    return array.isel({dim: [have.index(name) for name in names]})


def check_names(names: Iterable[str], argument: str) -> list[str]:
    """Return names as a list; InputError if they are not a sequence of text.

    Parameters
    ----------
    names : iterable of str
        Names of gauges, unit sources or the like.
    argument : str
        Name of the argument, for the message.

    Returns
    -------
    names : list of str

    Raises
    ------
    InputError
        If ``names`` is a text or no iterable, or one of its items is no text.

    Examples
    --------
    >>> check_names("46404", "gauges")
    Traceback (most recent call last):
    slipcast.errors.InputError: gauges must be a list of names, got '46404' (str)
    """
    # a text is an iterable, too, of its letters
    check_kind(names, list if isinstance(names, str) else Iterable, argument, "a list of names")
    found = list(names)
    for name in found:
        check_kind(name, str, argument, "a list of names")
    return found


def positions_of(wanted: Iterable[str] | None, known: Sequence[str], *, dim: str, where: str) -> list[int]:
    """Find the positions of some names among known ones.

    Parameters
    ----------
    wanted : iterable of str or None
        Names; None for all.
    known : sequence of str
        Names that exist, in order.
    dim, where : str
        For the message, e.g. ``"gauge"`` and ``"in bank cascadia"``.

    Returns
    -------
    positions : list of int
        In the order wanted.

    Raises
    ------
    InputError
        If a name is unknown; the nearest are offered.
    """
    if wanted is None:
        return list(range(len(known)))
    place = {name: i for i, name in enumerate(known)}
    positions = []
    for name in wanted:
        if name not in place:
            raise unknown_name(dim, name, known, where=where)
        positions.append(place[name])
    return positions


def window_samples(time_s: np.ndarray, window_min: float, *, available_s: float, where: str) -> np.ndarray:
    """Find the samples of a window: later than the origin and not later than its end.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    window_min : float
        Window, minutes after the origin.
    available_s : float
        How far the samples are valid, s.
    where : str
        For the message, e.g. ``"bank cascadia at gauge 46404"``.

    Returns
    -------
    samples : array of bool, shape (n_times,)

    Raises
    ------
    InputError
        If the window is not positive, holds no sample, or is longer than what is available.
    """
    if not window_min > 0:
        raise InputError(f"window must be > 0 minutes, got {window_min:g}")
    if 60 * window_min > available_s + 1e-6:
        raise InputError(f"window of {window_min:g} min is longer than the {available_s / 60:g} min of {where}")
    samples = (time_s > 0) & (time_s <= 60 * window_min + 1e-6)
    if not samples.any():
        raise InputError(f"window of {window_min:g} min holds no sample of {where}")
    return samples


def one_event(dataset: xr.Dataset, *, what: str) -> xr.Dataset:
    """Return the only event of a dataset that may hold several.

    Parameters
    ----------
    dataset : xarray.Dataset
        With or without a dimension ``event``.
    what : str
        What it is, for the message.

    Returns
    -------
    dataset : xarray.Dataset
        Without the dimension.

    Raises
    ------
    InputError
        If there are several events.
    """
    if "event" not in dataset.dims:
        return dataset
    if dataset.sizes["event"] != 1:
        raise InputError(f"{what} must hold one event, got {dataset.sizes['event']}")
    return dataset.isel(event=0)


def _and_more(names: Sequence[str]) -> str:
    """Count the rest of a list of which the first was named."""
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def with_reasons(dataset: xr.Dataset, reasons: Mapping[str, str]) -> xr.Dataset:
    """Return a dataset that says which gauges are left out, and why, beside those that it says already.

    Parameters
    ----------
    dataset : xarray.Dataset
        Records, or what comes of them.
    reasons : mapping of str to str
        By name of the gauge, or of the file where that is not known.

    Returns
    -------
    dataset : xarray.Dataset
        With the attribute ``gauges_left_out``, JSON, if there is any.

    Examples
    --------
    >>> reasons_in(with_reasons(xr.Dataset(), {"21418": "no sample"}))
    {'21418': 'no sample'}
    """
    found = reasons_in(dataset) | dict(reasons)
    return dataset.assign_attrs(gauges_left_out=json.dumps(found)) if found else dataset


def reasons_in(dataset: xr.Dataset) -> dict[str, str]:
    """Return which gauges a dataset says are left out, and why; InputError if it says it in another form."""
    text = dataset.attrs.get("gauges_left_out", "{}")
    try:
        return {str(name): str(reason) for name, reason in json.loads(text).items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"gauges_left_out must be reasons by gauge as JSON, got {str(text)[:60]!r}") from error
