"""Playback of an event into a running service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from slipcast.errors import InputError
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.records import Records
from slipcast.service.api.exports import to_180

__all__ = ["PlaybackSummary", "play"]

_TIMEOUT_S = 30.0
_LONGEST_PAUSE_S = 10.0
_TRIES = 10
_BATCH = 2000


@dataclass(frozen=True)
class PlaybackSummary:
    """Summary of a playback.

    Attributes
    ----------
    event : str
        Name of the event in the service.
    n_samples, n_batches : int
        What was sent.
    result : int or None
        Number of the last result that the service spoke of.
    """

    event: str
    n_samples: int
    n_batches: int
    result: int | None


def play(
    records: Records,
    address: str,
    *,
    token: str,
    speed: float = 60.0,
    begin_min: float = 0.0,
    until_min: float = 120.0,
    latency_min: Mapping[str, float] | float = 0.0,
    region: str | None = None,
    name: str | None = None,
    magnitude: float | None = None,
    epicentre: tuple[float, float] | None = None,
    simulation: bool | None = None,
    origin_time: str | None = None,
    progress: Progress | bool | None = None,
    waiting: Callable[[], None] | None = None,
    client: httpx.Client | None = None,
) -> PlaybackSummary:
    """Create an event in a service and send its samples, each at its time.

    Parameters
    ----------
    records : Records
        Of one event, tide removed.
    address : str
        Of the service, http or https.
    token : str
        For writes.
    speed : float, optional
        Minutes of the event in a minute, > 0; infinite for all at once.
    begin_min, until_min : float, optional
        First and last minute after the origin that is played; what was sent before the first comes at once.
    latency_min : float or mapping of gauge to float, optional
        From a sample to its being sent, minutes of the event.
    region : str, optional
        By default that of the service which has most of the records' gauges.
    name, magnitude, epicentre, simulation, origin_time : optional
        By default those of the records; an origin time that they do not have is now.
    progress : callable or bool, optional
        Called with minutes played, their total and an empty note; ``True`` shows a bar on the error stream.
    waiting : callable, optional
        Called once if the service does not answer at once.
    client : httpx.Client, optional
        For tests.

    Returns
    -------
    played : PlaybackSummary

    Raises
    ------
    InputError
        If an argument breaks its rule, the service refuses something, or it cannot be reached for about a minute.
    """
    if not speed > 0:
        raise InputError(f"speed must be > 0, got {speed:g}")
    if not 0 <= begin_min <= until_min:
        raise InputError(f"begin_min must be in [0, {until_min:g}] min, got {begin_min:g}")
    about = records.one_event().dataset.attrs
    if not about.get("tide_removed", 0):
        raise InputError("records must be free of the tide to be played, got tide_removed = 0")
    where = epicentre if epicentre is not None else about.get("epicentre")
    if where is None:
        raise InputError("the records do not say where the earthquake was; give its epicentre")
    connected = client or httpx.Client(base_url=_address(address), timeout=_TIMEOUT_S)
    with connected as opened, shown_progress(progress, "Minutes played") as report:
        service = _Service(opened, token, waiting)
        chosen = region or service.region_with(records.gauges)
        magnitude = records.first_magnitude if magnitude is None else magnitude
        event = service.post(
            "/api/events",
            {
                "region": chosen,
                "origin_time": origin_time or str(about.get("origin_time", "")) or _now(),
                "longitude": float(to_180(float(where[0]))),
                "latitude": float(where[1]),
                "magnitude": magnitude,
                "name": (name if name is not None else str(about.get("title", "")))[:80],
                "simulation": bool(about.get("simulation", 0)) if simulation is None else simulation,
            },
        )["id"]
        service.gauges_of(chosen)
        begun, n_samples, n_batches, result = time.monotonic(), 0, 0, None
        for minute, batch in _batches(records.one_event(), (begin_min, until_min), latency_min, service.known):
            time.sleep(max(0.0, 60 * max(minute - begin_min, 0.0) / speed - (time.monotonic() - begun)))
            for start in range(0, len(batch), _BATCH):
                answer = service.post(f"/api/events/{event}/samples", {"samples": batch[start : start + _BATCH]})
                n_samples, n_batches = n_samples + len(batch[start : start + _BATCH]), n_batches + 1
                result = answer["result"] or result
            report(int(max(minute, 0)), int(until_min), "")
    return PlaybackSummary(event, n_samples, n_batches, result)


def _address(text: str) -> str:
    """Check the address of a service."""
    try:
        parsed = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(f"the service must be an address such as http://127.0.0.1:8000, got {text!r}")
    return text


def _now() -> str:
    """Return the present moment as events have it."""
    return f"{np.datetime64('now', 's')}Z"


def _batches(
    records: Records, span_min: tuple[float, float], latency_min: Mapping[str, float] | float, known: set[str]
) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """Sort samples by the minute at which they are sent; what is from before a span comes at once with its first."""
    begin_min, until_min = span_min
    sent: dict[int, list[dict[str, Any]]] = {}
    for gauge, row in zip(records.gauges, records.sea_level.to_numpy()):
        if gauge not in known:
            continue
        late = latency_min.get(gauge, 0.0) if isinstance(latency_min, Mapping) else latency_min
        for at_s, level_m in zip(records.time_s.tolist(), row.tolist()):
            minute = max(int(begin_min), int(np.ceil(at_s / 60 + late)))
            if np.isfinite(level_m) and minute <= until_min and at_s > -6 * 86400.0:
                sent.setdefault(minute, []).append({"gauge": gauge, "seconds": at_s, "sea_level_m": level_m})
    if not sent:
        raise InputError(f"there is no sample up to minute {until_min:g} of a gauge that the service knows")
    yield from sorted(sent.items())


class _Service:
    """A service that is asked again where it does not answer: samples may come twice."""

    def __init__(self, client: httpx.Client, token: str, waiting: Callable[[], None] | None = None):
        self._client, self._headers = client, {"authorization": f"Bearer {token}"}
        self._waiting = waiting
        self._regions: list[dict[str, Any]] = []
        self.known: set[str] = set()

    def region_with(self, gauges: list[str]) -> str:
        """Return the region that has most of some gauges."""
        self._regions = self._ask("GET", "/api/regions")
        counts = {each["name"]: len({g["name"] for g in each["gauges"]} & {*gauges}) for each in self._regions}
        best = max(counts, key=lambda name: counts[name], default="")
        if not counts.get(best):
            raise InputError(f"the service has no region with a gauge of {', '.join(gauges)}")
        return best

    def gauges_of(self, region: str) -> None:
        """Learn which gauges a region has."""
        self._regions = self._regions or self._ask("GET", "/api/regions")
        self.known = {gauge["name"] for each in self._regions if each["name"] == region for gauge in each["gauges"]}

    def post(self, path: str, content: Any) -> Any:
        """Send something."""
        return self._ask("POST", path, content)

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        """Send a request, again where the service is away or busy."""
        for tried in range(_TRIES):
            try:
                answer = self._client.request(method, path, json=content, headers=self._headers)
            except httpx.TransportError as error:
                if tried == _TRIES - 1:
                    raise InputError(
                        f"no service answers at {self._client.base_url}: {type(error).__name__}"
                    ) from error
                if self._waiting is not None:
                    self._waiting()
                    self._waiting = None
                time.sleep(min(0.25 * 2**tried, _LONGEST_PAUSE_S))
                continue
            if answer.status_code not in (429, 502, 503, 504):
                break
            time.sleep(min(0.25 * 2**tried, _LONGEST_PAUSE_S))
        if answer.is_success:
            return answer.json()
        raise InputError(f"the service answered {answer.status_code}: {_detail(answer)}")


def _detail(answer: httpx.Response) -> str:
    """Return the line that a service answers with."""
    try:
        return str(answer.json()["detail"])[:200]
    except (ValueError, KeyError, TypeError):
        return "no reason given"
