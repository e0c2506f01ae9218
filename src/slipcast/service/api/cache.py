"""Cache of response bodies that never change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress

from cachetools import LRUCache

__all__ = ["ResponseCache"]


class ResponseCache:
    """The bodies asked for most recently.

    Parameters
    ----------
    most_bytes : int
        How much is kept; a body that is larger is not.

    Notes
    -----
    To be used from the thread of the event loop alone.
    """

    def __init__(self, most_bytes: int):
        self._kept: LRUCache[Hashable, bytes] = LRUCache(most_bytes, getsizeof=len)

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return a body, made if it is not kept.

        Parameters
        ----------
        key : hashable
            What it is of.
        make : callable
            Writes it; not called again while it is kept. What it raises is raised, and nothing is kept.

        Returns
        -------
        body : bytes
        """
        if (found := self._kept.get(key)) is not None:
            return found
        body = await make()
        with suppress(ValueError):  # too large to be kept
            self._kept[key] = body
        return body
