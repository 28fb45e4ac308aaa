"""`fer-tune camera` and `export --format web`: what they print and write, and how they refuse."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fer_tune.serving.web.networks import _MOST_FILES, chosen_models
from fer_tune.serving.web.runtime import FILES
from tests.command_line import Run
from tests.serving.small_models import write_small

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "resnet18"
    write_small(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's cache folder, of all tests here: a model is converted once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def ort(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    folder = tmp_path / "ort"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(name)
    return folder


def test_a_page_is_exported(run: Run, model: Path, ort: Path, tmp_path: Path) -> None:
    words = ["--format", "web", "--out", tmp_path / "page", "--runtime", ort]
    done = run("export", model, *words)
    assert done.code == 0, done.err
    assert "resnet18 as a page" in done.out and "converting resnet18" in done.err
    assert json.loads((tmp_path / "page/page.json").read_text())["models"][0]["name"] == "resnet18"
    again = run("export", model, *words)
    assert again.code == 2 and "--force" in again.err
    replaced = run("export", model, *words, "--force", "--json")
    found = json.loads(replaced.out)
    assert found["models"][0]["precision"] == "float32" and found["files"] > 20
    assert "converting" not in replaced.err, "what was converted is kept"


def test_the_camera_serves_the_page_until_ctrl_c(
    run: Run, model: Path, ort: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "fer_tune", "camera", str(model), "--runtime", str(ort)]
    process = subprocess.Popen(
        [*words, "--port", "0"], stderr=subprocess.PIPE, bufsize=0, env={**os.environ}
    )
    try:
        port = int(re.search(r"http://localhost:(\d+)/", _line(process, "page: "))[1])  # type: ignore[index]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/page.json")
        assert json.loads(connection.getresponse().read())["models"][0]["name"] == "resnet18"
        connection.close()
        taken = run("camera", model, "--runtime", ort, "--port", port)
        assert taken.code == 2 and "another program uses this port" in taken.err
        assert "Traceback" not in taken.err
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[1].decode()
        assert process.returncode == 0 and rest.strip().endswith("ended")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("token", [None, "0123456789abcdef0123"])
def test_with_a_token_a_server_before_the_page_may_use_its_own_name(
    run: Run, model: Path, ort: Path, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    pages = []
    monkeypatch.setattr(
        "fer_tune.serving.web.server.serve_page", lambda page, listener: pages.append(page)
    )
    monkeypatch.setenv("FER_TUNE_TOKEN", token or "")
    done = run("camera", model, "--runtime", ort, "--port", "0")
    assert done.code == 0, done.err
    assert pages[0].token == token and pages[0].local is (token is None)


def _line(process: subprocess.Popen[bytes], start: str, seconds: float = 120) -> str:
    """The line that a process prints and that begins with ``start``."""
    assert process.stderr is not None
    ends = time.monotonic() + seconds
    seen = []
    while time.monotonic() < ends:
        if select.select([process.stderr], [], [], 1)[0]:
            line = process.stderr.readline().decode()
            seen.append(line)
            if line.startswith(start):
                return line
            if not line:
                break
    raise AssertionError("".join(seen))


REFUSED = {
    "preprocess": (["export", "--format", "web", "--out", "p", "--preprocess", "inside"], "Remove"),
    "int8 without data": (["export", "--format", "web", "--out", "p", "--int8"], "Add --data"),
    "compare of onnx": (
        ["export", "--format", "onnx", "--out", "m.onnx", "--compare", "x"],
        "--compare: needs --format web",
    ),
    "runtime of onnx": (
        ["export", "--format", "onnx", "--out", "m.onnx", "--runtime", "x"],
        "--runtime: needs --format web",
    ),
    "no runtime there": (
        ["export", "--format", "web", "--out", "p", "--runtime", "none"],
        "no onnxruntime-web there",
    ),
    "out of nowhere": (["export", "--format", "web", "--out", "none/p"], "mkdir -p"),
    "camera int8 without data": (["camera", "--int8"], "Add --data"),
    "open to others": (["camera", "--host", "0.0.0.0", "--port", "0"], "needs a token"),
    "address of another machine": (
        ["camera", "--host", "192.0.2.1", "--port", "0"],
        "--host",
    ),
    "a threshold that is no number": (["camera", "--threshold", "nan"], "'--threshold'"),
    "a time that is no number": (["camera", "--smooth", "nan"], "'--smooth'"),
    "compared with nothing else": (["camera", "--port", "0", "--compare", "MODEL"], "no other"),
    "compared with no model": (["camera", "--port", "0", "--compare", "none"], "no such folder"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    words, message = REFUSED[case]
    if case == "address of another machine":
        monkeypatch.setenv("FER_TUNE_TOKEN", "0123456789abcdef0123")
    monkeypatch.chdir(tmp_path)
    given = [str(model) if word == "MODEL" else word for word in words[1:]]
    done = run(words[0], model, *given)
    assert done.code == 2 and message in done.err and "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("library", ["fastapi", "uvicorn"])
def test_a_missing_server_is_named(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    done = run("camera", model)
    assert done.code == 2 and "pip install 'fer-tune[camera]'" in done.err


def test_no_model(run: Run, tmp_path: Path) -> None:
    done = run("camera", tmp_path / "none", "--port", "0")
    assert done.code == 2 and "no such folder" in done.err


def test_models_to_compare_come_once_and_in_the_order_of_their_arms(tmp_path: Path) -> None:
    for name in ("resnet18", "resnet34"):
        write_small(tmp_path / name, name)
    found = chosen_models(str(tmp_path / "resnet34"), str(tmp_path / "resnet18"))
    assert [kept.card.arm for kept in found] == ["resnet18", "resnet34"]


def test_converted_models_that_are_not_used_are_removed(
    run: Run, model: Path, ort: Path, cache: Path, tmp_path: Path
) -> None:
    folder = cache / "fer_tune/web/models"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(_MOST_FILES + 3):
        old = folder / f"{number:032x}.onnx"
        old.touch(mode=0o600)
        os.utime(old, (number, number))
    done = run("export", model, "--format", "web", "--out", tmp_path / "page", "--runtime", ort)
    assert done.code == 0, done.err
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == _MOST_FILES and f"{0:032x}.onnx" not in left
