"""Access control: tokens, rates, sizes, and headers of responses."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import time
from collections import OrderedDict

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slipcast.service.metrics import Metrics
from slipcast.service.settings import Settings

__all__ = ["CONTENT_POLICY", "Guard", "Rates"]

_log = logging.getLogger("slipcast.service")

CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a browser may load and run on the page."""

_HEADERS = (
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "geolocation=(), camera=(), microphone=()"),
)
_MOST_CLIENTS = 4096
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_OPEN_PATHS = ("/", "/health")  # asked for before there is a token; the files of the page, too


class Rates:
    """A bucket of tokens for each client: so many a second in the long run, so many at once.

    Parameters
    ----------
    per_s, at_once : float
        Rate and burst.
    """

    def __init__(self, per_s: float, at_once: float):
        self._per_s, self._at_once = per_s, at_once
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now_s: float) -> float:
        """Take one.

        Parameters
        ----------
        client : str
            Whose.
        now_s : float
            By a clock that does not go back.

        Returns
        -------
        wait_s : float
            0 if there was one, else how long until there is.

        Examples
        --------
        >>> rates = Rates(2.0, 1.0)
        >>> [rates.take("a", now_s) for now_s in (0.0, 0.1, 0.6)]
        [0.0, 0.4, 0.0]
        """
        left, last_s = self._left.get(client, (self._at_once, now_s))
        left = min(self._at_once, left + self._per_s * (now_s - last_s))
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._left[client] = (left - 1 if left >= 1 else left, now_s)
        self._left.move_to_end(client)
        while len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return wait_s


class Guard:
    """Middleware that checks every request first.

    Parameters
    ----------
    app : ASGI application
        What answers.
    settings : Settings
        The rules.
    metrics : Metrics
        What is counted.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics):
        self._app, self._settings, self._metrics = app, settings, metrics
        limits = settings.limits
        self._reads = Rates(limits.reads_per_s, limits.reads_at_once)
        self._writes = Rates(limits.writes_per_s, limits.writes_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, started = time.perf_counter(), False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"server"]
                there = {name.lower() for name, _ in kept}
                more = [(name.encode(), value.encode()) for name, value in _HEADERS if name.encode() not in there]
                if b"cache-control" not in there:
                    more.append((b"cache-control", b"no-store"))
                message["headers"] = kept + more
                method = scope["method"] if scope["method"] in (*_WRITES, "GET", "HEAD") else "other"
                self._metrics.requests.labels(method, f"{message['status'] // 100}xx").inc()
                self._metrics.request_seconds.observe(time.perf_counter() - begun)
            await send(message)

        if (refused := self._refusal(scope)) is not None:
            status, detail, headers = refused
            await _answer(send_guarded, status, detail, headers)
            return
        try:
            await self._app(scope, self._counted(receive), send_guarded)
        except Exception:  # (the last door: a client is told a number, the log all of it)
            name = secrets.token_hex(4)
            _log.exception("fault %s in %s %r", name, scope["method"], scope["path"])
            if started:
                raise
            await _answer(send_guarded, 500, f"a fault of the service; its log has it as {name}", {})

    @property
    def _too_large(self) -> str:
        """What is said of a body that is too long."""
        return f"a request may have at most {self._settings.limits.body_bytes} bytes"

    def _refusal(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        """Say why a request is not let through; None if it is."""
        headers, settings = Headers(scope=scope), self._settings
        client = str((scope.get("client") or ("?",))[0])
        is_write = scope["method"] in _WRITES
        wait_s = (self._writes if is_write else self._reads).take(client, time.monotonic())
        if wait_s > 0:
            return 429, "too many requests", {"retry-after": str(int(wait_s) + 1)}
        if settings.hosts and _host(headers.get("host", "")) not in settings.hosts:
            return 421, "this service is not known by that name", {}
        length = headers.get("content-length", "")
        if length and (not length.isascii() or not length.isdigit() or len(length) > 12):
            return 400, "content-length must be a number", {}
        if length and int(length) > settings.limits.body_bytes:
            return 413, self._too_large, {"connection": "close"}
        needed = is_write or (settings.private and not _is_open(scope["path"]))
        if needed and not self._has_token(headers.get("authorization", "")):
            return 401, "a token is needed: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"}
        return None

    def _has_token(self, given: str) -> bool:
        """Compare a token in a time that tells nothing of it."""
        scheme, _, token = given.partition(" ")
        same = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._settings.token.encode())
        return same and scheme.lower() == "bearer"

    def _counted(self, receive: Receive) -> Receive:
        """Count the bytes of a body as they come."""
        taken = 0

        async def receive_counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > self._settings.limits.body_bytes:
                    raise HTTPException(413, self._too_large, {"connection": "close"})
            return message

        return receive_counted


def _is_open(path: str) -> bool:
    """Tell whether a path needs no token even where reads do: it holds nothing of any event."""
    return path in _OPEN_PATHS or path.startswith("/page/")


def _host(text: str) -> str:
    """Take the port off the name of a host."""
    name, colon, port = text.lower().rpartition(":")
    return name if colon and port.isdigit() else text.lower()


async def _answer(send: Send, status: int, detail: str, headers: dict[str, str]) -> None:
    """Answer with a problem."""
    body = json.dumps({"detail": detail}).encode()
    about = {"content-type": "application/json", "content-length": str(len(body))} | headers
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in about.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
