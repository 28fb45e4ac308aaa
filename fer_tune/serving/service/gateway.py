"""Checks of a request before any of it reaches the application.

In this order, so that what costs least is refused first: the name that a browser used, the token,
the amount of work that waits, the kind and declared size of the body; then the body itself, read
within bounds of bytes and seconds. Everything behind the gateway gets whole, bounded bodies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_tune.serving.service.access import is_local_name, is_right
from fer_tune.serving.service.answers import RefusedError, busy
from fer_tune.serving.service.limits import Bounded, Limits

PREDICT, MODEL, HEALTH, METRICS, SCHEMA = (
    *("/predict", "/model", "/healthz", "/metrics", "/openapi.json"),
)
#: What needs no token: probes have none, and the schema is the same for every service.
_OPEN = (HEALTH, SCHEMA)
#: Status of a request whose client left before it was answered, as nginx counts it.
_LEFT = 499
_SEND = "Send one picture with Content-Type: image/jpeg, or several as multipart/form-data"

Observe = Callable[[str, int, float], None]


class _LeftError(Exception):
    """The client closed the connection before its body was complete."""


@dataclass(kw_only=True)
class Load:
    """What a service is doing: requests that wait for their answer, and bodies in memory."""

    waiting: Bounded
    bodies: Bounded

    @classmethod
    def within(cls, limits: Limits) -> Load:
        return cls(
            waiting=Bounded(limit=limits.waiting), bodies=Bounded(limit=limits.all_bodies_bytes)
        )


def _unobserved(path: str, status: int, seconds: float) -> None:
    """Records nothing."""


@dataclass(kw_only=True)
class Gateway:
    """ASGI middleware.

    Args:
        token: that requests must have; None for none.
        local: whether only names of the loopback are accepted in ``Host``.
        observe: called after every request with its path, status and seconds.
    """

    app: ASGIApp
    limits: Limits
    load: Load
    token: str | None = None
    local: bool = False
    observe: Observe = field(default=_unobserved)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began = _LEFT, time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._enter(scope, receive, noting)
        except _LeftError:
            status = _LEFT
        except RefusedError as refused:
            answer = JSONResponse({"error": refused.message}, refused.status, refused.headers)
            await answer(scope, receive, noting)
        finally:
            path = route_of(scope)
            known = path in (PREDICT, MODEL, HEALTH, METRICS)
            self.observe(path if known else "other", status, time.monotonic() - began)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, path = Headers(scope=scope), route_of(scope)
        self._check_client(path, headers)
        if path != PREDICT:
            await self.app(scope, receive, send)
            return
        if scope["method"] != "POST":
            raise RefusedError(405, f"{PREDICT} takes POST. {_SEND}", "method")
        if self.load.waiting.is_full:
            raise busy("the service has as many requests as it may have")
        self._check_head(headers)
        body = await self._body(receive)
        try:
            await self.app(scope, _replayed(body, receive), send)
        finally:
            self.load.bodies.give(len(body))

    def _check_client(self, path: str, headers: Headers) -> None:
        if self.local and not is_local_name(headers.get("host")):
            raise RefusedError(
                403, "this service is for this machine: use http://127.0.0.1 or localhost", "host"
            )
        if self.token is None or path in _OPEN:
            return
        if not is_right(self.token, headers.get("authorization")):
            raise RefusedError(
                401, "missing or wrong token. Send the header Authorization: Bearer TOKEN", "token"
            )

    def _check_head(self, headers: Headers) -> None:
        encoding = headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise RefusedError(
                415, f"Content-Encoding is not accepted. {_SEND}, not compressed again", "type"
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
        if not (kind.startswith("image/") or kind == "multipart/form-data"):
            raise RefusedError(415, f"the body must be pictures. {_SEND}", "type")
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self.limits.body_bytes:
            raise self._too_large()

    async def _body(self, receive: Receive) -> bytes:
        """The body, whose size is taken of the bound on all bodies."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _LeftError
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    if size + len(chunk) > self.limits.body_bytes:
                        raise self._too_large()
                    if not self.load.bodies.take(len(chunk)):
                        raise busy("the service is receiving as much as it may")
                    size += len(chunk)
                    chunks.append(chunk)
        except BaseException as error:
            self.load.bodies.give(size)
            if isinstance(error, TimeoutError):
                seconds = f"{self.limits.body_seconds:g}"
                raise RefusedError(
                    408, f"the body did not arrive within {seconds} seconds: send it faster", "slow"
                ) from None
            raise
        return b"".join(chunks)

    def _too_large(self) -> RefusedError:
        most = self.limits.body_bytes / 2**20
        return RefusedError(
            413, f"the body is larger than {most:g} MiB: send fewer or smaller pictures", "size"
        )


def route_of(scope: Scope) -> str:
    """The path within the application, as its routes see it: below a prefix of Serve's proxy."""
    path, prefix = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A body that has been read, for the application; then what the client does."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
