"""The command line's verb ``serve``: the watch floor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import say, write_line
from slipcast.errors import InputError

__all__ = ["serve"]


def serve(
    region: Annotated[list[str] | None, typer.Option(help="A region to serve; repeatable.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A trained network: a folder, or cascadia; repeatable, one per region.")
    ] = None,
    bank: Annotated[list[Path] | None, typer.Option(help="A bank; repeatable, one per region.")] = None,
    method: Annotated[
        str | None, typer.Option(help="Without a model: tikhonov (by default), nnls; or mixture, slower.")
    ] = None,
    records_alone: Annotated[
        bool, typer.Option("--records-alone", help="Do not hold results against the first magnitude.")
    ] = False,
    database: Annotated[
        str | None, typer.Option(help="sqlite:///FILE or postgresql+psycopg://...; by default a file of yours.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; by default this machine's own alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token for writes; else SLIPCAST_TOKEN, else one is made.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Reads need the token, too.")] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name under which the service may be asked for; repeatable.")
    ] = None,
    proxy: Annotated[
        str | None, typer.Option(help="Address of a reverse proxy that is trusted to name its clients.")
    ] = None,
    poll: Annotated[bool, typer.Option("--poll", help="Fetch the samples of current events from NDBC.")] = False,
    ndbc_url: Annotated[str, typer.Option(help="Where NDBC's files are.")] = "https://www.ndbc.noaa.gov",
    poll_seconds: Annotated[float, typer.Option(help="How often they are asked for.", min=1)] = 60.0,
) -> None:
    """Serve events: samples in, slip and forecasts out, kept current, with a page to watch them.

    Example: slipcast serve --port 8000

    Or: slipcast serve --region cascadia --bank chile.nc --database postgresql+psycopg://slipcast@localhost/slipcast
    """
    try:
        from slipcast.service.running import Serving, load_nowcasts, one_memory_pool, run
        from slipcast.service.settings import is_loopback
    except ModuleNotFoundError as error:
        raise InputError(f"slipcast serve needs the package {error.name}: pip install 'slipcast[serve]'") from error

    one_memory_pool()
    models = model or ([] if region or bank else ["cascadia"])
    nowcasts = load_nowcasts(region or [], models, bank or [], method, hold_first=not records_alone)
    serving = Serving.at(
        host,
        port,
        database=database,
        token_file=token_file,
        private=private,
        hosts=allowed_host or [],
        proxy=proxy,
        ndbc_url=ndbc_url if poll else None,
        poll_s=poll_seconds,
    )
    say(f"token for writes: {serving.token_source}")
    if not is_loopback(host):
        say("other machines can reach it; --private asks reads for the token, too")
    if not serving.settings.hosts:
        say("it is answered under any name; --allowed-host says under which")
    run(serving, nowcasts, ready=lambda address: write_line(f"serving {', '.join(nowcasts)} at {address}"))
