"""Consistency checks of a bank: digests, a checksum for each gauge, contents of its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.io.identity import fingerprint

if TYPE_CHECKING:
    from slipcast.greens.bank import GreensBank

__all__ = ["CHECKSUMS", "bank_id", "check_bank", "check_id", "gauge_checksums"]

CHECKSUMS = "gauge_checksums"
"""Attribute of a bank with a checksum for each gauge, in order, separated by blanks."""


def bank_id(dataset: xr.Dataset) -> str:
    """Fingerprint the numbers and labels of a bank, and the region they are of."""
    parts = []
    for name in sorted(str(name) for name in dataset.variables):
        values = dataset[name].to_numpy()
        parts += [name, values if values.dtype.kind in "fiu" else [str(value) for value in values]]
    return fingerprint(dataset.attrs["region_json"], *parts)


def gauge_checksums(dataset: xr.Dataset) -> str:
    """Return the checksums of the responses at the gauges, in order, separated by blanks."""
    return " ".join(fingerprint(values) for values in dataset["response"].to_numpy())


def check_bank(bank: GreensBank) -> None:
    """Verify a bank: labels against its region, finite where it must be, checksums of its gauges, and its fingerprint.

    Raises
    ------
    InputError
        Naming the first thing that is wrong, with its gauge.
    """
    name = f"bank {bank.region.name}"
    if bank.gauges != bank.region.gauge_names():
        raise InputError(f"{name}: its gauges are not those of its region")
    labels = [str(source) for source in bank.dataset["subfault_source"].to_numpy()]
    if labels != [bank.sources[i] for i in bank.subfaults.source_index]:
        raise InputError(f"{name}: its subfaults are not those of its region")
    checksums = str(bank.dataset.attrs.get(CHECKSUMS, "")).split()
    if len(checksums) != len(bank.gauges):
        raise InputError(f"{name}: it has {len(checksums)} checksums for {len(bank.gauges)} gauges")
    hours = bank.dataset["gauge_hours"].to_numpy()
    for index, gauge in enumerate(bank.gauges):
        values = bank.dataset["response"].to_numpy()[index]
        valid = values[bank.time_s <= 3600 * hours[index] + 1e-6]
        if not np.isfinite(valid).all():
            raise InputError(f"{name}: the response at gauge {gauge} is not finite")
        if not np.abs(valid).max() > 0:
            raise InputError(f"{name}: no wave reaches gauge {gauge} in {hours[index]:g} hours")
        if fingerprint(values) != checksums[index]:
            raise InputError(
                f"{name}: the response at gauge {gauge} does not match its checksum {checksums[index]}; "
                "it was changed or damaged"
            )
    if bank_id(bank.dataset) != bank.id:
        raise InputError(f"{name}: its numbers do not match its fingerprint {bank.id}; it was changed or damaged")


def check_id(dataset: xr.Dataset, path: Path) -> None:
    """Refuse a bank from a file without a seal whose numbers are not those of its fingerprint.

    Raises
    ------
    InputError
        Naming the gauges whose responses are others, where there are any.
    """
    if not {"id", "region_json"} <= dataset.attrs.keys() or "gauge_senses" not in dataset.variables:
        return  # incomplete, which is said elsewhere
    if bank_id(dataset) == dataset.attrs["id"]:
        return
    checksums = str(dataset.attrs.get(CHECKSUMS, "")).split()
    names = [str(name) for name in dataset["gauge"].to_numpy()] if {"gauge", "response"} <= {*dataset.variables} else []
    if len(checksums) == len(names) > 0:
        own = gauge_checksums(dataset).split()
        if lost := [name for name, one, other in zip(names, own, checksums, strict=True) if one != other]:
            raise InputError(f"{path} is damaged or was changed: the response at gauge {', '.join(lost)} is another")
    raise InputError(
        f"{path} is damaged or was changed: its numbers do not match its fingerprint {dataset.attrs['id']}"
    )
