"""How the service reads Ray's metrics of its machine; without Ray."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from fer_tune.serving.service import telemetry
from fer_tune.serving.service.backend import UnavailableError

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\nray_fer_tune_requests_total 1\nother_metric 2"


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that gives one answer to whatever asks; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def scraped(port: int, monkeypatch: pytest.MonkeyPatch, node: str = "mine") -> bytes:
    nodes = [{"NodeID": "mine", "NodeManagerAddress": "127.0.0.1", "MetricsExportPort": port}]
    context = SimpleNamespace(get_node_id=lambda: node)
    monkeypatch.setattr(telemetry.ray, "nodes", lambda: nodes)
    monkeypatch.setattr(telemetry.ray, "get_runtime_context", lambda: context)
    return asyncio.run(telemetry.exported())


def test_a_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with answering(GOOD) as port:
        assert scraped(port, monkeypatch) == b"ray_fer_tune_requests_total 1\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\n\r\nray_fer_tune_\xff 1\n",
        b"HTTP/1.1 500 No\r\n\r\n",
        b"",
    ],
)
def test_whatever_answers_is_one_message(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with (
        answering(answer) as port,
        pytest.raises(UnavailableError, match="metrics of Ray cannot be read"),
    ):
        scraped(port, monkeypatch)


def test_a_machine_that_ray_does_not_know_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="metrics of Ray cannot be read"):
        scraped(1, monkeypatch, node="another")
