"""Application of the service: nowcasts, routes and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from slipcast.io.identity import package_version
from slipcast.realtime.nowcast import Nowcast
from slipcast.service.api.events import event_routes
from slipcast.service.api.regions import about_routes
from slipcast.service.metrics import Metrics
from slipcast.service.poller import Poller
from slipcast.service.security import Guard
from slipcast.service.settings import Settings
from slipcast.service.storage.store import Store
from slipcast.service.watch import Watch

__all__ = ["create_app"]

_ABOUT = (
    "Keeps the slip and the tsunami forecast of every event current. Heights are indices offshore; nothing of this is "
    "an official warning."
)


def create_app(
    settings: Settings, nowcasts: Mapping[str, Nowcast], *, poller: Poller | None = None, store: Store | None = None
) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    settings : Settings
        Database, token, limits.
    nowcasts : mapping of str to Nowcast
        By the name of their region; loaded once.
    poller : Poller, optional
        Asks NDBC for what the buoys of current events have sent.
    store : Store, optional
        An open database; by default that of the settings.

    Returns
    -------
    app : fastapi.FastAPI
        Its ``state.watch`` is there while it runs.

    Raises
    ------
    InputError
        If the database cannot be opened.
    """
    metrics = Metrics()
    opened = Store(settings.database) if store is None else store

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = Watch(opened, nowcasts, settings, metrics)
        app.state.watch = watch
        await watch.start()
        if poller is not None:
            poller.start(watch)
        try:
            yield
        finally:
            if poller is not None:
                await poller.stop()
            await watch.stop()
            opened.close()

    app = FastAPI(
        title="slipcast",
        version=package_version(),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(about_routes(nowcasts, metrics))
    app.include_router(event_routes(nowcasts))
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)
    app.add_exception_handler(HTTPException, _say_status)
    _add_page(app)
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    return app


def _add_page(app: FastAPI) -> None:
    """Serve the page and its files."""
    folder = Path(str(files("slipcast.service").joinpath("page")))

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        index = folder / "index.html"
        if not index.is_file():
            return JSONResponse({"detail": "this installation has no page"}, 404)
        return FileResponse(index, headers={"cache-control": "no-cache"})

    app.mount("/page", StaticFiles(directory=folder, check_dir=False, follow_symlink=False), name="page")


async def _say_what_is_wrong(_request: Request, error: Exception) -> Response:
    """Name the first thing that is wrong with a request, and what the rule is; nothing of what was sent."""
    problems: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    if not problems:
        return JSONResponse({"detail": "the request is malformed"}, 422)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")[:100]
    where = where if where.isascii() and where.isprintable() else "a key"
    rule = str(first["msg"]).removeprefix("Value error, ")[:200]
    if first["type"] == "extra_forbidden":
        rule = "is not known"
    return JSONResponse({"detail": " ".join(f"{where}: {rule}".split())}, 422)


async def _say_status(_request: Request, error: Exception) -> Response:
    """Answer with the line of an HTTP error."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"detail": str(error.detail)}, error.status_code, headers=error.headers)
