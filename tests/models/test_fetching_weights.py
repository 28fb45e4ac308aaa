"""Fetching weights from a web server: whole files, damaged ones, ones that are there already."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from fer_tune.errors import WeightsError
from fer_tune.models.registry import Backbone, backbone
from fer_tune.models.weights import fetch


class Served(NamedTuple):
    """A weights file on a web server, as a recipe of a backbone."""

    entry: Backbone
    content: bytes
    name: str
    asked: list[str]


@pytest.fixture
def served() -> Iterator[Served]:
    content = b"tensors " * 5000
    asked: list[str] = []
    name = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            sent = content[: len(content) // (2 if self.path.startswith("/cut") else 1)]
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    place = f"http://127.0.0.1:{server.server_port}"
    recipes = {
        "imagenet-v1": SimpleNamespace(url=f"{place}/{name}"),
        "imagenet-v2": SimpleNamespace(url=f"{place}/cut/{name}"),
    }
    yield Served(replace(backbone("resnet18"), recipes=recipes), content, name, asked)  # type: ignore[arg-type]
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetched_weights_are_checked_and_kept(served: Served, tmp_path: Path) -> None:
    for _ in range(2):
        assert fetch(served.entry, "imagenet-v1", tmp_path) == tmp_path / served.name
    assert (tmp_path / served.name).read_bytes() == served.content
    assert len(served.asked) == 1


@pytest.mark.parametrize("junk", [b"", b"<html>no such file</html>", b"tensors " * 4999])
def test_a_damaged_file_is_downloaded_again(served: Served, tmp_path: Path, junk: bytes) -> None:
    (tmp_path / served.name).write_bytes(junk)
    fetch(served.entry, "imagenet-v1", tmp_path)
    assert (tmp_path / served.name).read_bytes() == served.content
    assert [path.name for path in tmp_path.iterdir()] == [served.name]


def test_a_download_that_is_cut_short_does_not_count(served: Served, tmp_path: Path) -> None:
    (tmp_path / served.name).write_bytes(b"junk")
    with pytest.raises(WeightsError, match="invalid hash value"):
        fetch(served.entry, "imagenet-v2", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {served.name: b"junk"}


def test_what_is_in_the_place_of_a_weights_file(served: Served, tmp_path: Path) -> None:
    target, elsewhere = tmp_path / served.name, tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    target.symlink_to(elsewhere)  # the link is replaced, not what it leads to
    fetch(served.entry, "imagenet-v1", tmp_path)
    assert elsewhere.read_bytes() == b"mine" and not target.is_symlink()

    target.rename(elsewhere)
    target.symlink_to(elsewhere)  # a link to the right file is fine
    fetch(served.entry, "imagenet-v1", tmp_path)
    assert target.is_symlink() and len(served.asked) == 1

    for occupy in (Path.mkdir, os.mkfifo):
        target.unlink(missing_ok=True)
        occupy(target)
        with pytest.raises(WeightsError, match="is not a file"):
            fetch(served.entry, "imagenet-v1", tmp_path)
        if target.is_dir():
            target.rmdir()
