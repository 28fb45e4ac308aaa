"""The HTTP server on a real socket: what clients that misbehave get, and what they cost."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from fer_tune.errors import EnvironmentFault
from fer_tune.serving.service import server as module
from fer_tune.serving.service.limits import Limits
from fer_tune.serving.service.server import Server, listening_socket
from tests.serving.service.fakes import Service

LIMITS = Limits(body_bytes=100_000, body_seconds=0.5, connections=20)
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HEAD_S", 1.0)


@contextmanager
def served(limits: Limits = LIMITS) -> Iterator[tuple[int, Service, Server]]:
    """A service on a free port."""
    service = Service(limits)
    listener = listening_socket("127.0.0.1", 0)
    server = Server(service.gateway, limits)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield listener.getsockname()[1], service, server
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def port() -> Iterator[int]:
    with served() as (port, _, _):
        yield port


def request(port: int, body: object, **headers: str) -> tuple[int, str]:
    """Sends the whole body before it looks for an answer, as simple clients do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/predict", body, {"Content-Type": "image/png", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("error")
    finally:
        connection.close()


def everything(sock: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    found = b""
    while piece := sock.recv(65_536):
        found += piece
    return found


def test_fifty_megabytes_get_their_answer_and_cost_nothing() -> None:
    with served() as (port, service, _):
        status, error = request(port, bytes(50_000_000))
        assert status == 413 and "larger than" in error
        pieces = iter([bytes(100_000)] * 500)  # of unknown length
        assert request(port, pieces)[0] == 413
        assert service.load.bodies.peak <= LIMITS.body_bytes and service.load.bodies.used == 0
        assert request(port, b"x") == (200, None)


def test_a_connection_is_used_again_after_a_refusal(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for _ in range(2):
        connection.request("POST", "/predict", bytes(200_000), {"Content-Type": "image/png"})
        answer = connection.getresponse()
        assert answer.status == 413 and answer.read()
    connection.close()


@pytest.mark.parametrize("sent", [b"", b"POST /pre", HEAD])
def test_a_slow_head_ends_the_connection(port: int, sent: bytes) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(sent)
        assert everything(sock) == b"" and 0.5 < time.monotonic() - began < 10


def test_a_head_that_trickles_has_no_more_time(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        began = time.monotonic()
        with pytest.raises(OSError):  # the connection is closed meanwhile
            while time.monotonic() - began < 10:
                sock.sendall(b"X")
                time.sleep(0.1)
        assert time.monotonic() - began < 5


def test_a_slow_body_gets_an_answer_and_the_connection_ends(port: int) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(HEAD + b"Content-Length: 500\r\n\r\nhalf")
        answer = everything(sock)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"within 0.5 seconds" in answer
    assert time.monotonic() - began < 10


def test_a_body_that_nobody_reads_any_more_does_not_last_for_ever(port: int) -> None:
    """After 413 the rest is thrown away, so that the client sees the answer; for a while."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n")
        assert sock.recv(65_536).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(OSError):
            while time.monotonic() - began < 15:
                sock.sendall(b"x")
                time.sleep(0.1)
    assert time.monotonic() - began < 10


def test_a_head_without_end_is_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(b"POST /predict HTTP/1.1\r\nX: " + b"x" * 100_000)
        assert b" 400 " in everything(sock)[:20]


def test_what_is_no_http_is_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00hello\r\n\r\n")
        assert everything(sock).startswith(b"HTTP/1.1 400 ")


def test_connections_that_do_nothing_are_bounded() -> None:
    with served() as (port, _, server), ExitStack() as stack:
        idle = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(40)]
        for sock in idle:
            stack.callback(sock.close)
        answers = [sock.recv(65_536) for sock in idle[20:]]
        assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
        head, _, text = answers[0].partition(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % len(text) in head + b"\r\n"
        assert "too many connections" in json.loads(text)["error"]
        end = time.monotonic() + 10
        while len(server.server_state.connections) > LIMITS.connections:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_what_was_accepted_is_answered_before_the_end() -> None:
    with served(replace(LIMITS, connections=50)) as (port, service, server):
        service.backend.open.clear()
        found: list[int] = []
        asking = [
            threading.Thread(target=lambda: found.append(request(port, b"x")[0])) for _ in range(5)
        ]
        for thread in asking:
            thread.start()
        end = time.monotonic() + 10
        while service.load.waiting.used < 5 and time.monotonic() < end:
            time.sleep(0.01)
        server.stop()
        time.sleep(0.3)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=2)
        service.backend.open._loop.call_soon_threadsafe(service.backend.open.set)
        for thread in asking:
            thread.join(10)
        assert found == [200] * 5


def test_accepted_requests_have_as_long_after_a_stop_as_before_it() -> None:
    for seconds in (0.5, 120.0, 300.0):
        limits = replace(LIMITS, answer_seconds=seconds)
        grace = Server(Service(limits).gateway, limits).config.timeout_graceful_shutdown
        assert grace is not None and grace >= limits.body_seconds + seconds
    limits = replace(LIMITS, answer_seconds=0.5)
    with served(limits) as (port, service, _):
        service.backend.open.clear()  # an answer that never comes
        asking = threading.Thread(target=asking_in_vain, args=(port,))
        asking.start()
        wait_for(lambda: service.load.waiting.used == 1)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    asking.join(10)


def asking_in_vain(port: int) -> None:
    with suppress(OSError, http.client.HTTPException, ValueError):
        request(port, b"x")


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def lazy_client(port: int) -> socket.socket:
    """Asks again and again, and reads nothing, until the server reads no more of it either."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(0.2)
    sock.connect(("127.0.0.1", port))
    with suppress(OSError):
        while True:
            sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
    return sock


def test_clients_that_take_no_answers_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """They need no token, and must not hold every connection for ever."""
    monkeypatch.setattr(module, "TAKE_S", 1.0)
    with served(replace(LIMITS, connections=3)) as (port, _, server), ExitStack() as stack:
        for _ in range(3):
            stack.callback(lazy_client(port).close)
        wait_for(lambda: not server.server_state.connections)
        assert request(port, b"x") == (200, None)


def test_a_client_that_leaves_the_end_of_an_answer_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Little is left then, and no further answer waits for it."""
    monkeypatch.setattr(module, "TAKE_S", 1.0)
    with served() as (port, _, server), socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", port))
        left = 0
        while left == 0:
            sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.002)
            left = sum(one.transport.get_write_buffer_size() for one in connections(server))
        assert left < 65_536
        wait_for(lambda: not connections(server))


def connections(server: Server) -> list[Any]:
    return list(server.server_state.connections)


def test_a_slow_client_gets_all_that_it_takes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAKE_S", 1.0)
    with served() as (port, _, _), socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", port))
        count = 100
        one = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sock.sendall(one * (count - 1) + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        found = b""
        while piece := sock.recv(8192):
            found += piece
            time.sleep(0.01)
    assert found.count(b"HTTP/1.1 200 ") == count


def test_an_error_of_the_service_is_in_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the answer says: with its traceback, and without control characters of a client."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as outside of tests
    with served() as (port, service, _):
        service.backend.error = RuntimeError("wrong shape \x1b[2J")
        assert request(port, b"x") == (500, "an error of the service, which its log describes")
        service.backend.error = None
        assert request(port, b"x") == (200, None)
    shown = capsys.readouterr().err
    assert "Traceback" in shown and "RuntimeError: wrong shape \\x1b[2J" in shown
    assert "\x1b" not in shown


def test_a_port_in_use_is_one_message() -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault) as caught:
            listening_socket("127.0.0.1", port)
    assert "another program uses this port" in str(caught.value) and str(port) in str(caught.value)


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_one_message(host: str) -> None:
    with pytest.raises(EnvironmentFault, match="--host"):
        listening_socket(host, 0)
