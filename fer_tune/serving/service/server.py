"""The HTTP server: uvicorn, with a bound on whatever a connection may take."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from fer_tune.errors import EnvironmentFault, because
from fer_tune.escaping import lines
from fer_tune.serving.service.limits import Limits

logger = logging.getLogger(__name__)

#: Seconds for the head of a request, and between two requests of a connection.
_HEAD_S = 10.0
#: Seconds in which a client has to take a part of an answer.
TAKE_S = 30.0
#: Longest head of a request, in bytes.
_HEAD_BYTES = 32 * 1024
_WAITING_CONNECTIONS = 1024
_FULL_TEXT = b'{"error":"too many connections at once: try again in a second"}'
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
) % (len(_FULL_TEXT), _FULL_TEXT)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at ``host``; port 0 takes a free one.

    Raises:
        EnvironmentFault: the port is in use, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise EnvironmentFault(
            f"no such address: {because(error)}",
            where="--host",
            value=host,
            remedy="Use 127.0.0.1, or an address of this machine",
        ) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # A port whose last connections are still ending may be taken, one in use not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_WAITING_CONNECTIONS)
    except OSError as error:
        listener.close()
        where, value, remedy = "--host", host, "Use 127.0.0.1, or an address of this machine"
        what = f"cannot be listened at: {because(error)}"
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            where, value = "--port", str(port)
            remedy = "Use another one, such as --port 0 for any that is free"
            in_use = error.errno == errno.EADDRINUSE
            what = "another program uses this port" if in_use else "needs more rights"
        raise EnvironmentFault(what, where=where, value=value, remedy=remedy) from None
    listener.setblocking(False)
    return listener


class Server(uvicorn.Server):
    """Serves ``app`` until :meth:`stop`; signals are the caller's."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        super().__init__(
            uvicorn.Config(
                _logged(app),
                http=_protocol(limits),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=int(_HEAD_S),
                # What was accepted is answered, however long that may take.
                timeout_graceful_shutdown=math.ceil(limits.body_seconds + limits.answer_seconds),
                h11_max_incomplete_event_size=_HEAD_BYTES,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Accepts nothing more, and ends when what was accepted is answered; at the second call
        immediately."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _logged(app: ASGIApp) -> ASGIApp:
    """``app`` whose errors go to the log with their traceback; uvicorn's own log is off, as it
    has a line for every client that misbehaves."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception:
            # What a client sent may be part of it.
            logger.error("a request failed:\n%s", lines(traceback.format_exc()))
            raise

    return logged


def _protocol(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol with the bounds that it lacks: on connections, on the time until a
    request has arrived, its head as well as a body that nobody reads any more, and on the time
    until a client has taken what was sent."""
    whole = limits.body_seconds + _HEAD_S

    class Bounded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _taking: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            # Writing pauses with the first byte that the client's side does not take.
            transport.set_write_buffer_limits(high=0)
            if len(self.connections) > limits.connections:
                transport.write(_FULL)
                transport.close()
                return
            self._expect(_HEAD_S)

        def connection_lost(self, exc: Exception | None) -> None:
            self._expect(None)
            self._taken()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            # Closing would wait for the client to take the rest.
            self._taking = self.loop.call_later(TAKE_S, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._taken()

        def _taken(self) -> None:
            if self._taking is not None:
                self._taking.cancel()
                self._taking = None

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            state = self.conn.their_state
            if state is h11.IDLE:
                # Part of a head, or the end of a body that was answered before it was complete.
                if self._deadline is None or self.cycle is not before:
                    self._expect(_HEAD_S)
            elif state is h11.SEND_BODY:
                if self._deadline is None or self.cycle is not before:
                    self._expect(whole)
            else:
                self._expect(None)

        def _expect(self, seconds: float | None) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            if seconds is not None:
                self._deadline = self.loop.call_later(seconds, self._expired)

        def _expired(self) -> None:
            self._deadline = None
            if not self.transport.is_closing():
                self.transport.close()

    return Bounded
