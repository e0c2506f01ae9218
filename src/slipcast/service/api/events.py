"""Routes of events: creation, samples, results, streams and exports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi import Path as InPath
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from slipcast.errors import InputError
from slipcast.realtime.nowcast import Nowcast
from slipcast.service.api.exports import EXPORTS, forecast_geojson, netcdf_bytes, slip_geojson, to_180
from slipcast.service.api.regions import PROBLEMS
from slipcast.service.api.schemas import (
    FIRST_S,
    LAST_S,
    Accepted,
    Event,
    EventIn,
    EventList,
    Problem,
    RecordList,
    Result,
    ResultList,
    SamplesIn,
    Series,
)
from slipcast.service.api.stream import EventStream, stream
from slipcast.service.storage.series import unpack_series
from slipcast.service.storage.store import EventRow, NewSample, StoredResult, now_text
from slipcast.service.watch import CapacityExceeded, Watch

__all__ = ["event_routes"]

EventId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]
Number = Annotated[str, InPath(pattern="^(latest|[1-9][0-9]{0,8})$")]
Wanted = Annotated[str, Query(pattern="^(latest|[1-9][0-9]{0,8})$")]
ExportName = Literal["records.nc", "slip.nc", "forecast.nc", "slip.geojson", "forecast.geojson"]
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is no such thing"}}
_WRITE: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is no JSON"},
    409: {"model": Problem, "description": "No more is kept"},
    413: {"model": Problem, "description": "The body is too long"},
}


def event_routes(nowcasts: Mapping[str, Nowcast]) -> APIRouter:
    """Build the routes."""
    router = APIRouter(prefix="/api/events", responses=PROBLEMS)
    _add_writes(router, nowcasts)
    _add_reads(router)
    _add_results(router, nowcasts)
    return router


def _watch(request: Request) -> Watch:
    """Return the watch of the application."""
    return request.app.state.watch


async def _state(request: Request, id_: str) -> Any:
    """Return an event; 404 if there is none, or none whose region is served."""
    watch = _watch(request)
    state = await watch.state(id_)
    if state is None or state.event.region not in watch.nowcasts:
        raise HTTPException(404, "no such event")
    return state


async def _result(request: Request, state: Any, number: str) -> StoredResult:
    """Return a result; 404 if there is none."""
    latest = state.latest
    if number == "latest" or (latest is not None and latest.number == int(number)):
        found = latest
    else:
        found = await _watch(request).read(_watch(request).store.result, state.event.row, int(number))
    if found is None:
        raise HTTPException(404, "no such result")
    return found


def _event(event: EventRow, n_samples: int, latest: StoredResult | None) -> dict[str, Any]:
    """Describe an event."""
    return {
        "id": event.id,
        "region": event.region,
        "name": event.name,
        "origin_time": event.origin_time,
        "longitude": event.longitude,
        "latitude": event.latitude,
        "magnitude": event.magnitude,
        "simulation": event.simulation,
        "created": event.created,
        "n_samples": n_samples,
        "n_results": 0 if latest is None else latest.number,
        "latest": None if latest is None else latest.summary,
    }


def _text(moment: datetime) -> str:
    """Write a moment, UTC, ISO 8601, to the second or finer where it is."""
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _add_writes(router: APIRouter, nowcasts: Mapping[str, Nowcast]) -> None:
    """Add what changes events."""
    gauges = {name: set(nowcast.region.gauge_names()) for name, nowcast in nowcasts.items()}

    @router.post("", response_model=Event, status_code=201, responses=_WRITE)
    async def create(request: Request, about: EventIn) -> Response:
        if about.region not in nowcasts:
            raise HTTPException(422, f"region: must be one of {', '.join(nowcasts)}")
        try:
            nowcasts[about.region].check_epicentre(about.longitude, about.latitude)
        except InputError as error:
            raise HTTPException(422, str(error)) from None
        content = about.model_dump() | {
            "origin_time": _text(about.origin_time),
            "longitude": float(to_180(about.longitude)),
        }
        try:
            event = await _watch(request).add_event(content)
        except CapacityExceeded as error:
            raise HTTPException(409, str(error)) from None
        return JSONResponse(_event(event, 0, None), 201)

    @router.post("/{id}/samples", response_model=Accepted, responses=_NOT_FOUND | _WRITE)
    async def post_samples(request: Request, id: EventId, batch: SamplesIn) -> Response:
        state, watch = await _state(request, id), _watch(request)
        rows = _rows(batch, state.event.origin_time, gauges[state.event.region])
        received = now_text() if batch.received is None else _text(batch.received)
        try:
            receipt = await watch.accept(id, rows, received)
        except CapacityExceeded as error:
            raise HTTPException(409, str(error)) from None
        number = await watch.answered(id, receipt.upto) if receipt.new or receipt.corrected else _latest(state)
        content = {"new": receipt.new, "same": receipt.same, "corrected": receipt.corrected, "result": number}
        return JSONResponse(content)


def _json(content: dict[str, Any]) -> bytes:
    """Write an object as JSON."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _latest(state: Any) -> int | None:
    """Return the number of the last result."""
    return None if state.latest is None else state.latest.number


def _rows(batch: SamplesIn, origin_time: str, gauges: set[str]) -> list[NewSample]:
    """Turn a batch into rows; 422 names the first sample that cannot be."""
    origin, rows = datetime.fromisoformat(origin_time), []
    for place, sample in enumerate(batch.samples):
        if sample.gauge not in gauges:
            raise HTTPException(422, f"samples.{place}.gauge: is none of the region's gauges")
        seconds = sample.seconds if sample.time is None else (sample.time - origin).total_seconds()
        if seconds is None or not FIRST_S <= seconds <= LAST_S:
            raise HTTPException(
                422, f"samples.{place}.time: must be within a week before and two days after the origin"
            )
        kind, height_m = "sea_level", sample.sea_level_m
        if height_m is None:
            kind, height_m = "water_column", sample.water_column_m
        rows.append(NewSample((sample.gauge, kind, round(1e3 * seconds)), float(height_m or 0.0)))
    return rows


def _add_reads(router: APIRouter) -> None:
    """Add what tells of events."""

    @router.get("", response_model=EventList)
    async def list_events(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        offset: Annotated[int, Query(ge=0, le=10**6)] = 0,
    ) -> Response:
        watch = _watch(request)
        found, total = await watch.read(watch.store.events, limit, offset)
        described = [_event(event, *await watch.brief(event)) for event in found]
        return JSONResponse({"events": described, "total": total})

    @router.get("/{id}", response_model=Event, responses=_NOT_FOUND)
    async def read_event(request: Request, id: EventId) -> Response:
        state = await _state(request, id)
        return JSONResponse(_event(state.event, len(state.heights_m), state.latest))

    @router.get("/{id}/records", response_model=RecordList, responses=_NOT_FOUND)
    async def read_records(request: Request, id: EventId) -> Response:
        return Response(await _watch(request).records(await _state(request, id)), media_type="application/json")

    @router.get(
        "/{id}/stream",
        response_class=StreamingResponse,
        responses=_NOT_FOUND | {200: {"content": {"text/event-stream": {}}}},
    )
    async def follow(request: Request, id: EventId) -> Response:
        watch = _watch(request)
        await _state(request, id)
        client = request.client.host if request.client else "?"
        if not watch.broker.has_room(client):
            raise HTTPException(429, "too many open streams")
        last = request.headers.get("last-event-id", "")
        known = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else None
        return EventStream(stream(watch, id, client, known))


def _add_results(router: APIRouter, nowcasts: Mapping[str, Nowcast]) -> None:
    """Add what tells of answers."""

    @router.get("/{id}/results", response_model=ResultList, responses=_NOT_FOUND)
    async def list_results(request: Request, id: EventId) -> Response:
        state, watch = await _state(request, id), _watch(request)

        async def write() -> bytes:
            found = await watch.read(watch.store.summaries, state.event.row)
            return f'{{"results":[{",".join(found)}]}}'.encode()

        # the history of a long event is not worth reading again each time
        key = ("results", state.event.id, _latest(state))
        return Response(await watch.bodies.get(key, write), media_type="application/json")

    @router.get("/{id}/results/{number}", response_model=Result, responses=_NOT_FOUND)
    async def read_result(request: Request, id: EventId, number: Number) -> Response:
        state = await _state(request, id)
        found = await _result(request, state, number)

        async def write() -> bytes:
            return _json(found.summary | found.detail)

        key = ("result", state.event.id, found.number)
        return Response(await _watch(request).bodies.get(key, write), media_type="application/json")

    @router.get("/{id}/results/{number}/series", response_model=Series, responses=_NOT_FOUND)
    async def read_series(
        request: Request,
        id: EventId,
        number: Number,
        gauge: Annotated[str, Query(pattern=r"^[A-Za-z0-9_-]{1,32}$")],
    ) -> Response:
        state, watch = await _state(request, id), _watch(request)
        found = await _result(request, state, number)

        async def write() -> bytes:
            content = await watch.read(watch.store.series, state.event.row, found.number)
            series = None if content is None else await watch.read(unpack_series, content, gauge)
            if series is None:
                raise HTTPException(404, "no forecast for such a gauge")
            return _json({"gauge": gauge} | series)

        key = ("series", state.event.id, found.number, gauge)
        return Response(await watch.bodies.get(key, write), media_type="application/json")

    @router.get(
        "/{id}/export/{name}",
        response_class=Response,
        responses=_NOT_FOUND | {200: {"content": {kind: {} for kind in EXPORTS.values()}}},
    )
    async def export(request: Request, id: EventId, name: ExportName, result: Wanted = "latest") -> Response:
        state, watch = await _state(request, id), _watch(request)
        found = await _result(request, state, result)
        if name == "slip.geojson":
            content = slip_geojson(found.summary, found.detail["slip"])
        elif name == "forecast.geojson":
            region = nowcasts[state.event.region].region
            content = forecast_geojson(found.summary, found.detail["forecast"], region)
        else:
            content = await _netcdf(watch, state, found, name)
        shown = {"content-disposition": f'attachment; filename="{id}-{found.number}-{name}"'}
        return Response(content, media_type=EXPORTS[name], headers=shown)


async def _netcdf(watch: Watch, state: Any, result: StoredResult, name: str) -> bytes:
    """Write what an answer knew, or found, as netCDF."""
    if name == "records.nc":
        records = await watch.records_of(state, result)
        return await watch.read(netcdf_bytes, records)
    answer = await watch.again(state, result)
    if answer is None:
        raise HTTPException(404, "no such result")
    return await watch.read(netcdf_bytes, answer.slip if name == "slip.nc" else answer.forecast)
