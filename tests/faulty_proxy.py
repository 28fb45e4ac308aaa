"""A proxy in front of an HTTP server on the loopback, which makes of it one that is slow or fails.

It stands between any client and server of these tests: an object store, Ray's job API. Which
requests fail, and how, is a function from request to fault::

    with proxied(store.port, every(3, Status(503))) as proxy:
        file = UrlPath(proxy.url_of(store.url("x")))
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime

_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
#: Headers whose times the server's clock decides.
_CLOCKS = (b"date", b"last-modified")
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Status:
    """The request does not reach the server; the response is an error with this text."""

    code: int
    body: bytes = _SLOW_DOWN


@dataclass(frozen=True)
class Delay:
    """The server gets the request; the first byte of its response comes after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Trickle:
    """The response comes in pieces of so many bytes, with a pause after each."""

    piece: int
    seconds: float


class Lost:
    """A connection that is reset: in the middle of the request, or of the response."""


#: The server never sees the request.
LOST_REQUEST = Lost()
#: The server has done what was asked; the client gets at most half of the response.
LOST_RESPONSE = Lost()

Fault = Status | Delay | Trickle | Lost


@dataclass(frozen=True)
class Request:
    """Number from 1, method and target of a request."""

    number: int
    method: str
    target: str


Faults = Callable[[Request], Fault | None]


def no_faults(request: Request) -> None:
    """Every request passes."""


def every(n: int, *faults: Fault) -> Faults:
    """Every ``n``-th request gets a fault, one after the other in turn."""

    def of(request: Request) -> Fault | None:
        times, rest = divmod(request.number, n)
        return None if rest else faults[times % len(faults)]

    return of


def always(fault: Fault) -> Faults:
    return every(1, fault)


def first(fault: Fault, method: str, part: str = "", times: int = 1) -> Faults:
    """The first ``times`` requests of a method with ``part`` in their target get the fault."""
    left = [times]

    def of(request: Request) -> Fault | None:
        if left[0] and request.method == method and part in request.target:
            left[0] -= 1
            return fault
        return None

    return of


@dataclass
class FaultyProxy:
    """A running proxy.

    Attributes:
        server: port of the server.
        faults: may be replaced while it runs.
        clock_s: seconds by which the server's clock is ahead, in the headers of its responses.
        connect_s: if positive, connections are not looked into, but only begin after so long.
        requests: all requests so far.
        faulty: those that got a fault.
    """

    server: int
    faults: Faults = no_faults
    clock_s: float = 0.0
    connect_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    faulty: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._counting = threading.Lock()
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def url_of(self, url: str) -> str:
        """A URL of the server, with the proxy's port."""
        return url.replace(f"127.0.0.1:{self.server}", f"127.0.0.1:{self.port}")

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(_TIMEOUT_S)
        with client, suppress(OSError):
            if self.connect_s:
                if not self._over.wait(self.connect_s):
                    self._pass_on(client, b"")
                return
            head, body = _read_head(client)
            if not head:
                return
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            with self._counting:
                request = Request(len(self.requests) + 1, method, target)
                self.requests.append(request)
            fault = self.faults(request)
            if fault is not None:
                self.faulty.append(request)
            self._exchange(client, head, body, fault)

    def _exchange(
        self, client: socket.socket, head: bytes, body: bytes, fault: Fault | None
    ) -> None:
        headers = _headers(head)
        if b"upgrade" in headers:
            self._pass_on(client, head + body)
            return
        if b"expect" in headers:
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fault is LOST_REQUEST:
            _read_to(client, body, int(headers.get(b"content-length", b"0")) // 2)
            _reset(client)
            return
        if headers.get(b"transfer-encoding") == b"chunked":
            body = _read_chunks(client, body)
        else:
            body = _read_to(client, body, int(headers.get(b"content-length", b"0")))
        if isinstance(fault, Status):
            text = b"" if head.startswith(b"HEAD ") else fault.body
            client.sendall(
                b"HTTP/1.1 %d Oh\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n"
                b"Connection: close\r\n\r\n%s" % (fault.code, len(text), text)
            )
            return
        response = self._asked(head, body)
        if fault is LOST_RESPONSE:
            start = response.index(b"\r\n\r\n") + 4
            client.sendall(response[: (start + len(response)) // 2] if response[start:] else b"")
            _reset(client)
            return
        if isinstance(fault, Delay) and self._over.wait(fault.seconds):
            return
        piece = fault.piece if isinstance(fault, Trickle) else len(response)
        for begin in range(0, len(response), piece):
            client.sendall(response[begin : begin + piece])
            if isinstance(fault, Trickle):
                time.sleep(fault.seconds)

    def _pass_on(self, client: socket.socket, begun: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.server), _TIMEOUT_S) as server:
            server.sendall(begun)
            _pipe_both_ways(client, server)

    def _asked(self, head: bytes, body: bytes) -> bytes:
        """The server's whole response, with its clock."""
        with socket.create_connection(("127.0.0.1", self.server), _TIMEOUT_S) as server:
            server.sendall(_changed(head, {b"expect": None, b"connection": b"close"}) + body)
            response = b"".join(iter(lambda: server.recv(2**16), b""))
        start = response.index(b"\r\n\r\n") + 4
        changes: dict[bytes, bytes | None] = {b"connection": b"close"}
        for name, value in _headers(response[:start]).items():
            if name in _CLOCKS and self.clock_s:
                moment = parsedate_to_datetime(value.decode()).timestamp() + self.clock_s
                changes[name] = formatdate(moment, usegmt=True).encode()
        return _changed(response[:start], changes) + response[start:]


@contextmanager
def proxied(
    port: int, faults: Faults = no_faults, *, clock_s: float = 0.0, connect_s: float = 0.0
) -> Iterator[FaultyProxy]:
    """A proxy in front of a port of the loopback."""
    proxy = FaultyProxy(port, faults, clock_s, connect_s)
    try:
        yield proxy
    finally:
        proxy.close()


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """Request line and headers with the blank line, and what was read beyond them."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(2**16)
        if not more:
            return b"", b""
        data += more
    end = data.index(b"\r\n\r\n") + 4
    return data[:end], data[end:]


def _read_to(client: socket.socket, body: bytes, length: int) -> bytes:
    pieces = [body]
    left = length - len(body)
    while left > 0:
        piece = client.recv(min(left, 2**16))
        if not piece:
            raise ConnectionResetError
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _read_chunks(client: socket.socket, body: bytes) -> bytes:
    """A body in chunks, as it is sent: each with its size before it, and trailers at the end."""
    start = 0
    while True:
        end = body.find(b"\r\n", start)
        if end < 0:
            body = _read_to(client, body, len(body) + 1)
        elif size := int(body[start:end].partition(b";")[0], 16):
            start = end + 2 + size + 2
            body = _read_to(client, body, start)
        else:
            while b"\r\n\r\n" not in body[start:]:
                body = _read_to(client, body, len(body) + 1)
            return body


def _headers(head: bytes) -> dict[bytes, bytes]:
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:] if line]
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _changed(head: bytes, changes: dict[bytes, bytes | None]) -> bytes:
    """Headers with other values; None removes one."""
    first_line, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in changes]
    added = [name + b": " + value for name, value in changes.items() if value is not None]
    return b"\r\n".join([first_line, *kept, *added]) + b"\r\n\r\n"


def _reset(client: socket.socket) -> None:
    """Ends a connection without the usual farewell."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _pipe_both_ways(one: socket.socket, other: socket.socket) -> None:
    def pipe(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=pipe, args=(other, one), daemon=True)
    back.start()
    pipe(one, other)
    back.join()
