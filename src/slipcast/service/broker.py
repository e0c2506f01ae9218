"""Notification of streams about new results."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Broker"]


class Broker:
    """Streams that are open, by event.

    Notes
    -----
    A stream that is woken reads for itself what is new, so a slow one costs no memory and misses nothing. To be used
    from the thread of the event loop alone.
    """

    def __init__(self, most: int, most_per_client: int):
        self._most, self._most_per_client = most, most_per_client
        self._by_event: dict[int, set[asyncio.Event]] = {}
        self._by_client: dict[str, int] = {}

    def __len__(self) -> int:
        """Count open streams."""
        return sum(self._by_client.values())

    def has_room(self, client: str) -> bool:
        """Whether a client may open one more stream."""
        return len(self) < self._most and self._by_client.get(client, 0) < self._most_per_client

    @contextmanager
    def listening(self, event_row: int, client: str) -> Iterator[asyncio.Event]:
        """Yield the signal that wakes a stream, for as long as it is open."""
        signal = asyncio.Event()
        self._by_event.setdefault(event_row, set()).add(signal)
        self._by_client[client] = self._by_client.get(client, 0) + 1
        try:
            yield signal
        finally:
            signals = self._by_event[event_row]
            signals.discard(signal)
            if not signals:
                del self._by_event[event_row]
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def wake(self, event_row: int) -> None:
        """Wake the streams of an event up."""
        for signal in self._by_event.get(event_row, ()):
            signal.set()

    def wake_all(self) -> None:
        """Wake all streams up."""
        for event_row in self._by_event:
            self.wake(event_row)
