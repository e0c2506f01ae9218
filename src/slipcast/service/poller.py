"""Asking NDBC for what the buoys of current events have sent."""

from __future__ import annotations

__all__ = ["Poller"]


class Poller:
    """To come."""

    def __init__(self, address: str, *, every_s: float):
        self._address, self._every_s = address, every_s

    def start(self, watch) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""
