"""The local server: what it sends, to whom, and what it denies, within bounds."""

from __future__ import annotations

import http.client
import socket
import string
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmarks.serving.threaded import running
from fer_tune.serving.service import server as service_server
from fer_tune.serving.web import server as page_server
from fer_tune.serving.web.contents import HEADERS, Content
from fer_tune.serving.web.server import BURST, page_app

TOKEN = "a-token-of-some-length"


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, Content]:
    (tmp_path / "large.onnx").write_bytes(bytes(2**20))
    (tmp_path / "run.mjs").write_text("export {}")
    return {
        "index.html": b"<!DOCTYPE html><title>page</title>",
        "models/large.onnx": tmp_path / "large.onnx",
        "runtime/run.mjs": tmp_path / "run.mjs",
    }


@pytest.fixture
def port(contents: dict[str, Content]) -> Iterator[int]:
    with running(page_app(contents)) as number:
        yield number


def ask(
    port: int, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    words = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, words)
    answer = connection.getresponse()
    found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return found


def test_files_come_with_the_headers_that_threads_need(port: int) -> None:
    status, headers, body = ask(port)
    assert status == 200 and b"<title>page" in body
    assert headers["content-type"].startswith("text/html")
    for name, value in HEADERS.items():
        assert headers[name.lower()] == value
    assert ask(port, "/runtime/run.mjs")[1]["content-type"].startswith("text/javascript")
    assert len(ask(port, "/models/large.onnx")[2]) == 2**20
    assert ask(port, "/healthz")[2] == b"ok"


def test_a_file_that_the_browser_has_is_not_sent_again(port: int) -> None:
    etag = ask(port, "/models/large.onnx")[1]["etag"]
    status, _, body = ask(port, "/models/large.onnx", if_none_match=etag)
    assert (status, body) == (304, b"")


PATHS = (
    *("/none", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/models/"),
    *("/docs", "/openapi.json", "/models/large.onnx/", "/\0"),
)


def test_nothing_but_the_page_is_sent(port: int) -> None:
    for path in PATHS:
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"))
        assert connection.recv(999).split()[1] in (b"404", b"400"), path
        connection.close()


def test_a_file_that_disappears_is_named(port: int, tmp_path: Path) -> None:
    (tmp_path / "large.onnx").unlink()
    status, _, body = ask(port, "/models/large.onnx")
    assert status == 410 and b"start `fer-tune camera` again" in body
    assert ask(port)[0] == 200


BODIES = {
    "a picture": ("POST", {"content_type": "image/png"}, 405),
    "any method": ("DELETE", {}, 405),
    "a body of a GET": ("GET", {}, 413),
    "a wrong length": ("GET", {"content_length": "oops"}, 400),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies_are_not_taken(case: str, port: int) -> None:
    method, headers, status = BODIES[case]
    found, answered, _ = ask(port, "/", method, b"x" * 100, **headers)
    assert found == status and answered["connection"] == "close"


def test_fifty_megabytes_are_not_read(port: int) -> None:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {50 * 2**20}\r\n\r\n"
    connection.sendall(head.encode())
    sent = 0
    with pytest.raises(OSError):
        while sent < 50 * 2**20:
            sent += connection.send(bytes(2**16))
    assert sent < 30 * 2**20
    connection.close()


def test_a_page_of_another_site_cannot_use_a_name_for_this_machine(port: int) -> None:
    status, _, body = ask(port, host="evil.example")
    assert status == 403 and b"http://localhost" in body
    assert ask(port, host="[::1]:8080")[0] == 200


def test_a_token_is_asked_for_once(contents: dict[str, Content]) -> None:
    with running(page_app(contents, token=TOKEN, local=False)) as port:
        for path, headers in {
            "/": {},
            "/?token=wrong": {},
            "/?token=%ff": {},
            "/models/large.onnx": {"cookie": "fer_tune_token=wrong"},
            "/healthz": {"authorization": "Bearer wrong"},
        }.items():
            status, _, body = ask(port, path, **headers)
            assert status == 401 and b"?token=TOKEN" in body and TOKEN.encode() not in body
        status, headers, _ = ask(port, f"/?token={TOKEN}")
        assert (status, headers["location"]) == (303, "/")
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert ask(port, cookie=cookie.partition(";")[0])[0] == 200
        assert ask(port, authorization=f"Bearer {TOKEN}")[0] == 200


def test_the_token_leads_to_no_other_server(contents: dict[str, Content]) -> None:
    with running(page_app(contents, token=TOKEN, local=False)) as port:
        for path in ("//evil.example/", "///evil.example", "/\\evil.example/"):
            status, headers, _ = ask(port, f"{path}?token={TOKEN}")
            assert status == 303 and headers["location"][:2] not in ("//", "/\\")


TOKENS = ("0123456789abcde=", f"plus+slash/{'x' * 9}==", string.punctuation)


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_may_have_any_character(token: str, contents: dict[str, Content]) -> None:
    """In the address as it is typed, but for the three that end or begin something there."""
    typed = token.replace("%", "%25").replace("&", "%26").replace("#", "%23")
    with running(page_app(contents, token=token, local=False)) as port:
        for given in (typed, quote(token, safe="")):
            status, headers, _ = ask(port, f"/?a=b&token={given}")
            assert (status, headers["location"]) == (303, "/")
            cookie = headers["set-cookie"].partition(";")[0]
            assert ask(port, cookie=f"other=1; {cookie}")[0] == 200
            assert token not in cookie
        assert ask(port, cookie=f"fer_tune_token={token}")[0] == 401


def test_an_address_that_asks_too_often_waits(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "PER_SECOND", 1.0)  # a busy machine asks slowly
    found = Counter(ask(port, "/healthz")[0] for _ in range(BURST + 60))
    assert found[429] > 0 and found[200] >= BURST
    assert set(found) == {200, 429}
    time.sleep(1.5)
    assert ask(port)[0] == 200


def test_addresses_that_are_counted_are_bounded() -> None:
    buckets = page_server._Buckets(clock=lambda: 0.0)
    assert all(buckets.take(str(number)) for number in range(5000))
    assert len(buckets._left) <= 1024


def test_too_many_connections_are_answered(contents: dict[str, Content]) -> None:
    with running(page_app(contents), connections=3) as port:
        held = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(6)]
        time.sleep(0.5)
        answers = []
        for one in held[3:]:
            answers.append(one.recv(999))
        assert all(b"503" in answer.split(b"\r\n")[0] for answer in answers)
        for one in held:
            one.close()
        time.sleep(0.5)
        assert ask(port)[0] == 200


def test_slow_clients_are_closed(
    contents: dict[str, Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_server, "_HEAD_S", 0.5)
    with running(page_app(contents)) as port:
        slow = socket.create_connection(("127.0.0.1", port), timeout=20)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: local")
        began = time.monotonic()
        assert slow.recv(99) == b""
        assert time.monotonic() - began < 5
        slow.close()


def test_a_client_that_takes_nothing_is_closed(
    contents: dict[str, Content], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_server, "TAKE_S", 0.5)
    (tmp_path / "large.onnx").write_bytes(bytes(64 * 2**20))
    with running(page_app(contents)) as port:
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(20)
        lazy.connect(("127.0.0.1", port))
        lazy.sendall(b"GET /models/large.onnx HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(2)
        taken = 0
        while part := _received(lazy):
            taken += len(part)
        assert taken < 60 * 2**20
        lazy.close()
        assert ask(port)[0] == 200


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(2**16)
    except ConnectionResetError:
        return b""


def test_many_clients_at_once_are_all_answered(port: int) -> None:
    found: Counter[int] = Counter()

    def client() -> None:
        try:
            found[ask(port)[0]] += 1
        except OSError:
            found[0] += 1

    threads = [threading.Thread(target=client) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(found.values()) == 200 and found[200] > 50
    assert set(found) <= {200, 429, 503}
    time.sleep(0.5)
    assert ask(port)[0] == 200
