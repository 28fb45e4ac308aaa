"""The page from a local server: files alone, read when they are asked for; nothing is stored."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import mimetypes
import signal
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from fastapi import FastAPI, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_tune.serving.service.access import is_local_name, is_right
from fer_tune.serving.service.limits import Limits
from fer_tune.serving.service.server import Server
from fer_tune.serving.web.contents import HEADERS, Content

#: Connections at the same time; a page opens six.
CONNECTIONS = 96
#: Requests of one address at once, and per second after that. A page has thirty files.
BURST, PER_SECOND = 240, 30.0
#: Addresses whose requests are counted; those that were quiet longest are forgotten first.
_ADDRESSES = 1024
_COOKIE = "fer_tune_token"
#: What follows the page's address when it is opened for the first time.
HOW_TO_OPEN = "?token=TOKEN, where % & # of the token are written %25 %26 %23"
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}


def page_app(
    contents: Mapping[str, Content], *, token: str | None = None, local: bool = True
) -> ASGIApp:
    """The application.

    Args:
        contents: see :func:`fer_tune.serving.web.contents.page_contents`.
        token: that requests need, in a cookie, a header or once as ``?token=``; None for none.
        local: whether only names of the loopback are accepted in ``Host``.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def health() -> Response:
        return PlainTextResponse("ok")

    @app.api_route("/{name:path}", methods=["GET", "HEAD"])
    async def file(name: str, request: Request) -> Response:
        return _file(contents, name or "index.html", request.headers.get("if-none-match"))

    return _Guard(app=app, token=token, local=local)


def _file(contents: Mapping[str, Content], name: str, known: str | None) -> Response:
    content = contents.get(name)
    if content is None:
        return PlainTextResponse("There is no such file on this page.", 404)
    kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain"
    if isinstance(content, bytes):
        return Response(content, media_type=kind)
    try:
        found = content.stat()
        content.open("rb").close()
    except OSError:
        text = "This file was deleted since the page was started: start `fer-tune camera` again."
        return PlainTextResponse(text, 410)
    etag = f'"{found.st_size:x}-{found.st_mtime_ns:x}"'
    if known == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return FileResponse(content, media_type=kind, stat_result=found, headers={"ETag": etag})


@dataclass(kw_only=True)
class _Buckets:
    """Requests that each address has left: a bucket that fills again."""

    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, address: str) -> bool:
        """Whether this address may make a request now."""
        now = self.clock()
        left, before = self._left.pop(address, (float(BURST), now))
        left = min(float(BURST), left + (now - before) * PER_SECOND)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        while len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return allowed


@dataclass(kw_only=True)
class _Guard:
    """ASGI middleware: who may ask for what, how often, and with which headers it is answered."""

    app: ASGIApp
    token: str | None
    local: bool
    buckets: _Buckets = field(default_factory=_Buckets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Cache-Control"] = "no-cache"
            await send(message)

        await (self._refused(scope) or self.app)(scope, receive, protected)

    def _refused(self, scope: Scope) -> Response | None:
        """The answer to a request that is denied, or None."""
        headers = Headers(scope=scope)
        if self.local and not is_local_name(headers.get("host")):
            return _no(403, "This page is for this machine: use http://localhost.")
        address = (scope.get("client") or ("",))[0]
        if not self.buckets.take(address):
            return _no(429, "Too many requests from this address.", {"Retry-After": "2"})
        if scope["method"] not in ("GET", "HEAD"):
            return _no(405, "This server sends the page and takes nothing.", {"Allow": "GET, HEAD"})
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return _no(413, "This server takes no bodies: pictures stay in the browser.")
        return None if self.token is None else self._denied(scope, headers, self.token)

    def _denied(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        if is_right(token, headers.get("authorization")):
            return None
        if hmac.compare_digest(_cookie(headers).encode(), _kept(token).encode()):
            return None
        given = _in_query(scope["query_string"].decode("latin-1"))
        if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            return _no(401, f"Missing or wrong token: open this address with {HOW_TO_OPEN}.")
        # Into a cookie, so that it is neither in the address bar nor in the history.
        # Two slashes would begin the address of another server.
        answer = RedirectResponse("/" + scope["path"].lstrip("/"), 303)
        answer.set_cookie(_COOKIE, _kept(token), httponly=True, samesite="strict")
        return answer


def _no(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    # What may still follow of the request is not read.
    return PlainTextResponse(text, status, {"Connection": "close", **(headers or {})})


def _kept(token: str) -> str:
    """What the cookie holds: a token may have characters that no cookie can have."""
    return hashlib.sha256(token.encode()).hexdigest()


def _in_query(query: str) -> str:
    """The token in a query; a plus is one, as no token has spaces."""
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == "token":
            return unquote(value)
    return ""


def _cookie(headers: Headers) -> str:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == _COOKIE:
            return value
    return ""


def serve_page(app: ASGIApp, listener: socket.socket) -> None:
    """Serves until SIGINT, SIGTERM or SIGHUP."""
    server = Server(app, Limits(connections=CONNECTIONS))
    # What is being sent may be sent again: nobody waits for it.
    server.config.timeout_graceful_shutdown = 1

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                loop.add_signal_handler(number, server.stop)
        await server.serve([listener])

    asyncio.run(run())
