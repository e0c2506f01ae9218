"""Times of origin."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from slipcast.errors import InputError

__all__ = ["parse_origin"]


def parse_origin(text: str, *, what: str = "origin") -> np.datetime64:
    """Read a time of origin.

    Parameters
    ----------
    text : str
        ISO 8601; UTC unless it has an offset.
    what : str, optional
        What to call it in messages.

    Returns
    -------
    origin : datetime64[s]
        UTC.

    Raises
    ------
    InputError
        If it is no time.

    Examples
    --------
    >>> print(parse_origin("2011-03-11T14:46:24+09:00"))
    2011-03-11T05:46:24
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise InputError(f"{what} must be a time such as 2011-03-11T05:46:24Z, got {text!r}") from None
    return np.datetime64(moment.replace(microsecond=0), "s")
