"""Routes of health, metrics, regions and coasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from fastapi import Path as InPath
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipcast.io.identity import package_version
from slipcast.realtime.nowcast import Nowcast
from slipcast.service.api.exports import coast_geojson, near_bounds, ring_of, to_180
from slipcast.service.api.schemas import Health, Problem, RegionAbout
from slipcast.service.metrics import Metrics

__all__ = ["PROBLEMS", "about_routes"]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "A token is needed"},
    421: {"model": Problem, "description": "Asked for under another name"},
    422: {"model": Problem, "description": "Something breaks its rule"},
    429: {"model": Problem, "description": "Too many requests"},
}
_DAY = {"cache-control": "private, max-age=86400"}


def about_routes(nowcasts: Mapping[str, Nowcast], metrics: Metrics) -> APIRouter:
    """Build the routes."""
    router = APIRouter(responses=PROBLEMS)
    regions = [_about(nowcast) for nowcast in nowcasts.values()]
    coasts: dict[str, bytes] = {}

    @router.get("/health", response_model=Health, responses={503: {"model": Problem}})
    async def health(request: Request) -> Response:
        watch = request.app.state.watch
        try:
            await watch.read(watch.store.ping)
        except SQLAlchemyError:
            return JSONResponse({"detail": "the database does not answer"}, 503)
        about = {"status": "ok", "version": package_version(), "database": "ok", "regions": list(nowcasts)}
        return JSONResponse(about)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus(request: Request) -> Response:
        metrics.streams.set(len(request.app.state.watch.broker))
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.get("/api/regions", response_model=list[RegionAbout])
    async def all_regions() -> Response:
        return JSONResponse(regions)

    @router.get(
        "/api/regions/{region}/coast",
        response_class=Response,
        responses={200: {"content": {"application/geo+json": {}}}, 404: {"model": Problem}},
    )
    async def coast(request: Request, region: Annotated[str, InPath(pattern=r"^[a-z0-9_-]{1,64}$")]) -> Response:
        if region not in nowcasts:
            raise HTTPException(404, "no such region")
        if region not in coasts:
            coasts[region] = await request.app.state.watch.read(coast_geojson, nowcasts[region].region)
        return Response(coasts[region], media_type="application/geo+json", headers=_DAY)

    return router


def _about(nowcast: Nowcast) -> dict[str, Any]:
    """Describe a region."""
    region = nowcast.region
    return {
        "name": region.name,
        "title": region.title,
        "model": nowcast.model_id,
        "bank": nowcast.bank_id,
        "method": nowcast.inverter.method,
        "window_min": list(nowcast.window_range_min),
        "bounds": list(near_bounds(region)),
        "gauges": [
            {"name": gauge.name, "kind": gauge.kind, "lon": float(to_180(gauge.lon)), "lat": gauge.lat}
            for gauge in region.gauges
        ],
        "sources": [{"name": name, "polygon": ring_of(name)} for name in nowcast.sources],
    }
