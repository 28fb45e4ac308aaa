"""Notices of the three clouds, from a server on loopback that speaks as their metadata services."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from fer_tune.cluster import spot

EVENT = {"EventId": "1", "EventType": "Preempt", "NotBefore": "Mon, 19 Sep 2026 18:29:47 GMT"}
#: Per cloud: what is asked with which header, the word for no notice, and that for one.
CLOUDS: dict[str, tuple[str, tuple[str, str], str | None, str]] = {
    "aws": (
        "/latest/meta-data/spot/instance-action",
        ("X-aws-ec2-metadata-token", "t0ken"),
        None,
        '{"action": "terminate", "time": "2026-09-18T08:22:00Z"}',
    ),
    "gcp": (
        "/computeMetadata/v1/instance/preempted",
        ("Metadata-Flavor", "Google"),
        "FALSE",
        "TRUE",
    ),
    "azure": (
        "/metadata/scheduledevents?api-version=2020-07-01",
        ("Metadata", "true"),
        json.dumps({"DocumentIncarnation": 1, "Events": [EVENT | {"EventType": "Reboot"}]}),
        json.dumps({"DocumentIncarnation": 2, "Events": [EVENT]}),
    ),
}


class Cloud:
    """A metadata service. ``quiet``: requests that it answers before it gives notice."""

    def __init__(self, name: str, quiet: int) -> None:
        self.path, self.header, self.silence, self.notice = CLOUDS[name]
        self.quiet, self.asked = quiet, 0
        self.address = ""

    def answer(self, method: str, path: str, headers: Any) -> tuple[int, str]:
        if method == "PUT":
            known = headers["X-aws-ec2-metadata-token-ttl-seconds"] and path == "/latest/api/token"
            return (200, "t0ken") if known else (400, "")
        if path != self.path or headers[self.header[0]] != self.header[1]:
            return 403, ""
        self.asked += 1
        if self.asked > self.quiet:
            return 200, self.notice
        return (404, "") if self.silence is None else (200, self.silence)


@contextmanager
def served(cloud: Cloud) -> Iterator[Cloud]:
    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            code, body = cloud.answer(self.command, self.path, self.headers)
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = _reply

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    cloud.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("name", CLOUDS)
def test_a_notice_drains_the_node_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drained: list[int] = []
    monkeypatch.setattr(spot, "drain", drained.append)
    with served(Cloud(name, quiet=3)) as cloud:
        spot.main([name, "--metadata", cloud.address, "--every", "0.01"])
    assert cloud.asked == 4
    assert len(drained) == 1 and drained[0] >= spot.metadata(name).seconds - 1


def test_a_ray_that_refuses_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(seconds: int) -> None:
        asked.append(seconds)
        if len(asked) < 3:
            raise RuntimeError("not now")

    monkeypatch.setattr(spot, "drain", refuse)
    with served(Cloud("gcp", quiet=0)) as cloud:
        spot.watch(spot.metadata("gcp", cloud.address), interval_s=0.01)
    assert len(asked) == 3


@pytest.mark.parametrize("name", CLOUDS)
def test_a_service_that_is_not_there_gives_no_notice(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with served(Cloud(name, quiet=0)) as cloud:
        gone = cloud.address
    assert not spot.metadata(name, gone).notice()
    assert "is unavailable" in caplog.text


def test_what_speaks_no_http_gives_no_notice(caplog: pytest.LogCaptureFixture) -> None:
    """The listener outlives it."""

    class Nonsense(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"no such service\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Nonsense) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            port = server.server_address[1]
            assert not spot.metadata("gcp", f"http://127.0.0.1:{port}").notice()
        finally:
            server.shutdown()
            thread.join()
    assert "is unavailable" in caplog.text


def test_an_answer_that_is_none_gives_no_notice() -> None:
    events = ([], None, [1], 2)
    for text in ("", "<html>", "[]", *(json.dumps({"Events": value}) for value in events)):
        assert not spot.metadata("azure").is_notice(text)


def test_what_ray_says_when_it_refuses_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Never the real one: it would drain whatever Ray runs on this machine.
    ray = tmp_path / "ray"
    ray.write_text('#!/bin/sh\necho "$@" >&2; exit 1\n')
    ray.chmod(0o755)
    monkeypatch.setattr(spot.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(RuntimeError, match="drain-node --reason DRAIN_NODE_REASON_PREEMPTION"):
        spot.drain(5)
    # One that hangs, as it may when the head is unavailable, leaves time for another try.
    ray.write_text("#!/bin/sh\nexec sleep 10\n")
    monkeypatch.setattr(spot, "_DRAIN_S", 0.2, raising=False)
    with pytest.raises(RuntimeError, match="did not end within"):
        spot.drain(5)
