"""What tests ask of figures."""

from __future__ import annotations

from typing import Any


def texts(ax: Any) -> list[str]:
    """Return all that is written on axes, their title last."""
    return [item.get_text() for item in (*ax.texts, ax.title)]
