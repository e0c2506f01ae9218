"""Seals of files: a digest of everything in a file, kept at its end or, in JSON, as a key.

A netCDF file gets one line after the end that its own header tells, which the netCDF library and other programs pass
over. A file whose bytes are others is refused before that library reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipcast.errors import InputError

__all__ = ["SEAL", "Checksum", "check_json", "checksum", "is_sealed", "seal_file", "sealed_json"]

SEAL = "seal"
"""Key of the seal of JSON."""

Checksum = list[int]
"""Size in bytes, and CRC-32, of a small part of something large."""

_MARK = b"\nslipcast sha256 "
_LENGTH = len(_MARK) + 64 + 1
_HDF5 = b"\x89HDF\r\n\x1a\n"
# the versions of HDF5's superblock that netCDF writes have the end of the file at byte 28, and a checksum
_VERSIONS, _END = (2, 3), slice(28, 36)
_BLOCK = 1 << 20


def seal_file(path: Path) -> None:
    """Add the seal to a file that is complete."""
    with path.open("r+b") as file:
        seal = _seal_of(file, os.fstat(file.fileno()).st_size)
        file.seek(0, os.SEEK_END)
        file.write(seal)


def is_sealed(path: Path) -> bool:
    """Tell whether a file has a seal, after checking it.

    Parameters
    ----------
    path : path
        A file.

    Returns
    -------
    sealed : bool
        Whether its bytes are those that were written; False if it has no seal.

    Raises
    ------
    InputError
        If the bytes are others than those that were sealed, or HDF5's header tells another length.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = file.read(48)
        file.seek(max(0, size - _LENGTH))
        last = file.read(_LENGTH)
        marked = last.startswith(_MARK)
        known = len(header) == 48 and header[:8] == _HDF5 and header[8] in _VERSIONS
        end = int.from_bytes(header[_END], "little") if known else size - _LENGTH * marked
        if size == end:
            return False
        if size < end + _LENGTH:
            raise InputError(f"{path} cannot be read as netCDF: it is truncated or of another format")
        if size > end + _LENGTH or not marked:
            raise InputError(f"{path} is damaged: it has {size} bytes, its header tells of {end}")
        if _seal_of(file, end) != last:
            raise InputError(f"{path} is damaged: its bytes do not match its seal")
    return True


def _seal_of(file: Any, end: int) -> bytes:
    """Compute the seal of the bytes of a file up to its end."""
    digest = hashlib.sha256()
    file.seek(0)
    while end > 0 and (block := file.read(min(_BLOCK, end))):
        digest.update(block)
        end -= len(block)
    return _MARK + digest.hexdigest().encode("ascii") + b"\n"


def checksum(content: bytes) -> Checksum:
    """Return the size and the CRC-32 of a part.

    Examples
    --------
    >>> checksum(b"tsunami")
    [7, 1327421095]
    """
    return [len(content), zlib.crc32(content)]


def sealed_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes into JSON with its seal: a digest of all other keys.

    Parameters
    ----------
    content : mapping
        Of what JSON can hold.

    Returns
    -------
    sealed : dict
        With the key :data:`SEAL`.

    Examples
    --------
    >>> sealed_json({"a": 1})["seal"][:16]
    '015abd7f5cc57a2d'
    """
    kept = {key: value for key, value in content.items() if key != SEAL}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return kept | {SEAL: hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def check_json(content: Mapping[str, Any], path: Path) -> None:
    """Refuse JSON that breaks its seal; one without a seal passes.

    Raises
    ------
    InputError
        If the seal is not that of the content.
    """
    if SEAL in content and sealed_json(content)[SEAL] != content[SEAL]:
        raise InputError(f"{path} is damaged: it does not match its seal (to change it by hand, take out {SEAL})")
