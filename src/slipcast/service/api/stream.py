"""Server-sent events of an event, from the last one that a client knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from slipcast.service.watch import Watch

__all__ = ["EventStream", "stream"]

_RETRY_MS = 2000


class EventStream(StreamingResponse):
    """Response of a stream, which is closed as soon as its client disconnects."""

    media_type = "text/event-stream"

    def __init__(self, parts: AsyncGenerator[bytes, None]):
        # a proxy is not to hold parts back
        super().__init__(parts, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send parts until the client goes."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._parts.aclose()


async def stream(watch: Watch, id_: str, client: str, last: int | None) -> AsyncGenerator[bytes, None]:
    """Stream the new results of an event.

    Parameters
    ----------
    watch : Watch
        Who knows.
    id_ : str
        Of which event; it is there.
    client : str
        Whose stream.
    last : int or None
        The last result that the client knows; without it the stream begins with the latest one.

    Yields
    ------
    part : bytes
        ``result`` with a summary, its number as id; ``samples`` with the last time of every gauge that has sent, s; a
        comment when nothing has happened for a while.
    """
    state = await watch.state(id_)
    if state is None:
        return
    with watch.broker.listening(state.event.row, client) as signal:
        newest = 0 if state.latest is None else state.latest.number
        sent = max(0, newest - 1) if last is None else min(last, newest)
        seen: dict[str, float] = {}
        yield f"retry: {_RETRY_MS}\n\n".encode()
        while not watch.closing:
            signal.clear()
            state = await watch.state(id_)
            if state is None:
                return
            if state.latest is not None and state.latest.number > sent:
                if state.latest.number == sent + 1:
                    fresh = [state.latest.summary]
                else:
                    fresh = [
                        json.loads(each) for each in await watch.read(watch.store.summaries, state.event.row, sent)
                    ]
                for summary in fresh:
                    yield _part("result", summary, summary["number"])
                    sent = summary["number"]
            levels = await watch.levels(state)
            heard = {name: float(each.time_s[-1]) for name, each in levels.items() if each.time_s.size}
            if heard != seen:
                seen = heard
                yield _part("samples", heard)
            try:
                await asyncio.wait_for(signal.wait(), watch.settings.heartbeat_s)
            except TimeoutError:
                yield b": \n\n"


def _part(name: str, content: Any, id_: int | None = None) -> bytes:
    """Write an event of a stream."""
    of_id = "" if id_ is None else f"id: {id_}\n"
    return f"{of_id}event: {name}\ndata: {json.dumps(content, allow_nan=False)}\n\n".encode()
