"""Zarr store that compares files with their checksums."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore

from slipcast.errors import InputError
from slipcast.io.seal import Checksum, checksum

__all__ = ["CheckedStore"]


class CheckedStore(LocalStore):
    """A folder whose files are compared with their checksums as they are read, before they are unpacked."""

    def __init__(self, root: Path, *, read_only: bool = True, checksums: Mapping[str, Checksum]):
        super().__init__(root, read_only=read_only)
        self.checksums = checksums

    def with_read_only(self, read_only: bool = False) -> CheckedStore:
        """Return the same, read-only or not."""
        return type(self)(self.root, read_only=read_only, checksums=self.checksums)

    async def get(self, key, prototype=None, byte_range=None):
        """Read a file; InputError if it is not as it was written."""
        whole = await super().get(key, prototype or default_buffer_prototype(), byte_range)
        return self._checked(key, whole, byte_range)

    def get_sync(self, key, *, prototype=None, byte_range=None):
        """Read a file, as :meth:`get`."""
        whole = super().get_sync(key, prototype=prototype or default_buffer_prototype(), byte_range=byte_range)
        return self._checked(key, whole, byte_range)

    def _checked(self, key: str, content: Any, byte_range: Any) -> Any:
        """Return the content of a file if it is what was written; parts of files are read of none of ours."""
        if content is None or byte_range is not None or not self.checksums or key not in self.checksums:
            return content
        if checksum(content.to_bytes()) != self.checksums[key]:
            raise InputError(f"{self.root} is damaged: {key} does not match its checksum")
        return content
