"""Identity of data and files: versions, digests, and the attribute ``slipcast`` that says what a file holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError

__all__ = ["FILE_KINDS", "checked_kind", "fingerprint", "labelled", "package_version", "require"]

FILE_KINDS = {
    "bank": "a bank of Green's functions",
    "surface bank": "a bank of humps of the sea surface",
    "surface": "an estimate of the initial sea surface",
    "scenarios": "a scenario set",
    "records": "records",
    "slip": "a slip estimate",
    "forecast": "a forecast",
    "replay": "a replay",
    "judgement": "what a method makes of scenarios",
    "response": "the response at one gauge",
}
"""Kinds of files, in words."""


def package_version() -> str:
    """Return the installed version of slipcast, or ``"unknown"`` where it is run uninstalled."""
    try:
        return version("slipcast")
    except PackageNotFoundError:
        return "unknown"


def fingerprint(*parts: Any) -> str:
    """Hash arrays, numbers and text into 16 hexadecimal digits.

    Parameters
    ----------
    *parts : array, or anything that JSON can hold
        Hashed in order; an array by its type, shape and bytes.

    Returns
    -------
    digest : str
        The first 16 digits of a SHA-256.

    Examples
    --------
    >>> fingerprint("cascadia", 2.0) == fingerprint("cascadia", 2.0)
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def labelled(dataset: xr.Dataset, kind: str) -> xr.Dataset:
    """Return the dataset with the attributes that identify the file; the version is that of the computation."""
    about = {"slipcast_version": package_version(), "Conventions": "CF-1.11"}
    return dataset.assign_attrs(about | dataset.attrs | {"slipcast": kind})


def checked_kind(dataset: xr.Dataset, path: Path, kind: str) -> xr.Dataset:
    """Return the dataset if its label is the kind wanted."""
    found = dataset.attrs.get("slipcast")
    if found != kind:
        what = FILE_KINDS.get(found or "", "no slipcast file")
        raise InputError(f"{path} holds {what}, not {FILE_KINDS[kind]}")
    return dataset


def require(dataset: xr.Dataset, variables: Collection[str], attributes: Collection[str], what: str) -> None:
    """Refuse a dataset that lacks variables or attributes; InputError with ``what`` and the names that are missing."""
    lost = set(variables) - {str(name) for name in dataset.variables}
    if missing := sorted(lost) + sorted(set(attributes) - set(dataset.attrs)):
        raise InputError(f"{what}: it lacks {', '.join(missing)}")
