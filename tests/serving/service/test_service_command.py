"""`fer-tune serve` with a real Ray: replicas that are killed under load, and the end."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.processes import descendants, title
from tests.command_line import Run
from tests.models.kept_files import make_model
from tests.serving.service.fakes import TOKEN, png
from tests.warm import WarmProcess

ROOT = Path(__file__).resolve().parents[3]
TOKEN_HEADER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("kept") / "resnet18")


class Running:
    """A service in a process of its own."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self.log = folder / "log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "FER_TUNE_TOKEN": TOKEN, **variables}
        command = ("serve", *words, "--port", "0")
        self.process = WarmProcess("fer_tune.cli", command, environment, self.log)
        end = time.monotonic() + 240
        while "serving: " not in self.text:
            assert self.process.poll() is None and time.monotonic() < end, self.text
            time.sleep(0.2)
        place = self.text.partition("http://127.0.0.1:")[2]
        self.port = int(place.partition("/")[0])

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def get(self, path: str) -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=TOKEN_HEADER), timeout=30
        ) as answer:
            return answer.read().decode()

    def predict(self, connection: http.client.HTTPConnection, picture: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "image/png", **TOKEN_HEADER}
        connection.request("POST", "/predict", picture, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def replicas(self) -> list[int]:
        """Ids of the processes that predict."""
        return [one for one in descendants(self.process.pid) if "ServeReplica" in title(one)]

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        try:
            return self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture(scope="module")
def running(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two replicas of a model whose folder is gone."""
    folder = tmp_path_factory.mktemp("service")
    shutil.copytree(model, folder / "model")
    options = ["--replicas", "2", "--cpus", "0.5", "--faces", "never", "--batch", "4"]
    service = Running(folder, str(folder / "model"), *options, "--waiting", "12")
    try:
        shutil.rmtree(folder / "model")
        yield service
    finally:
        service.end()


@pytest.mark.ray
def test_killed_replicas_lose_no_accepted_request(running: Running) -> None:
    """Also not where the model's folder disappeared; and what is too much is refused quickly."""
    first = running.replicas()
    assert len(first) == 2
    found: list[tuple[int, float]] = []
    expressions: set[tuple[int, str]] = set()
    stop = time.monotonic() + 7

    def client(number: int) -> None:
        picture = png(seed=number % 2)
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=200)
        while time.monotonic() < stop:
            began = time.monotonic()
            status, content = running.predict(connection, picture)
            found.append((status, time.monotonic() - began))
            if status == 200:
                (face,) = json.loads(content)["pictures"][0]["faces"]
                expressions.add((number % 2, face["expression"]))
            else:
                assert b"try again" in content
                time.sleep(0.1)
        connection.close()

    clients = [threading.Thread(target=client, args=(number,)) for number in range(24)]
    for one in clients:
        one.start()
    for victim in first:
        time.sleep(2)
        os.kill(victim, signal.SIGKILL)
    for one in clients:
        one.join(200)
    counts = Counter(status for status, _ in found)
    assert set(counts) == {200, 503} and counts[200] >= 50, counts
    assert len(expressions) == 2  # whichever replica answered
    refusals = sorted(seconds for status, seconds in found if status == 503)
    assert refusals[len(refusals) // 2] < 1
    end = time.monotonic() + 120
    while json.loads(running.get("/healthz"))["replicas"] < 2:
        assert time.monotonic() < end, running.text
        time.sleep(0.5)
    assert not set(running.replicas()) & set(first)


@pytest.mark.ray
def test_metrics_count_requests_and_batches(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    assert running.predict(connection, png())[0] == 200
    end = time.monotonic() + 60
    wanted = ("ray_fer_tune_requests_total{", "ray_fer_tune_batch_pictures_count{")
    while not all(name in (text := running.get("/metrics")) for name in wanted):
        assert time.monotonic() < end, text[-3000:]
        time.sleep(1)
    assert 'path="/predict"' in text and 'status="200"' in text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}
    assert all(name.startswith(("ray_fer_tune_", "ray_serve_")) for name in names)
    connection.close()


@pytest.mark.ray
def test_ctrl_c_ends_everything(running: Running) -> None:
    left = descendants(running.process.pid)
    assert any("raylet" in title(one) for one in left)
    assert running.end(signal.SIGINT) == 0
    assert "ended" in running.text.splitlines() and "Traceback" not in running.text
    end = time.monotonic() + 30
    while alive := [one for one in left if title(one)]:
        assert time.monotonic() < end, [title(one) for one in alive]
        time.sleep(0.2)
    assert TOKEN not in running.text


# -- before anything starts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--host", "0.0.0.0"], "needs a token"),
        (["--token-file", "none"], "cannot be read"),
        (["--replicas", "0"], "Invalid value for '--replicas'"),
        (["--max-pixels", "0"], "Invalid value for '--max-pixels'"),
        (["--threshold", "nan"], "Invalid value for '--threshold'"),
        (["--cpus", "nan"], "Invalid value for '--cpus'"),
        (["--gpus", "17"], "options: gpus must be at most 16 (got 17.0)"),
        (["--gpus", "1.5"], "options: gpus must be a share of one GPU, or a whole number"),
        (["--batch-wait", "11"], "options: batch_wait must be at most 10"),
    ],
)
def test_a_wrong_option_is_one_message(
    model: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.delenv("FER_TUNE_TOKEN", raising=False)
    outcome = run("serve", model, *words)
    assert outcome.code == 2 and sentence in outcome.err and "Traceback" not in outcome.err


def test_a_port_in_use_ends_before_ray_starts(
    model: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fer_tune.serving.service.server import listening_socket

    monkeypatch.setattr("ray.init", lambda **options: pytest.fail("Ray was started"))
    with listening_socket("127.0.0.1", 0) as taken:
        outcome = run("serve", model, "--port", taken.getsockname()[1])
    assert outcome.code == 2 and "another program uses this port" in outcome.err


def test_a_missing_model_ends_before_ray_starts(
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ray.init", lambda **options: pytest.fail("Ray was started"))
    outcome = run("serve", tmp_path / "none")
    assert outcome.code == 2 and "no such folder" in outcome.err
