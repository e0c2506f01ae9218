"""Cache of response bodies that never change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

__all__ = ["ResponseCache"]


class ResponseCache:
    """The bodies asked for most recently.

    Parameters
    ----------
    most_bytes : int
        How much is kept.

    Notes
    -----
    To be used from the thread of the event loop alone.
    """

    def __init__(self, most_bytes: int):
        self._most_bytes, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

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
            self._kept.move_to_end(key)
            return found
        body = await make()
        if key not in self._kept:
            self._kept[key] = body
            self._bytes += len(body)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return body
