"""`fer-tune serve --address`: on a Ray that was there before, and stays."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks.processes import descendants, title
from fer_tune.serving.service import running
from fer_tune.serving.service.settings import ServiceSettings
from tests.cluster.ray_head import RayHead, ray_head
from tests.models.kept_files import make_model
from tests.serving.service.fakes import png
from tests.serving.service.test_service_command import ROOT, Running


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("kept") / "resnet18")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    """A Ray that believes that it has a GPU."""
    with ray_head(tmp_path_factory.mktemp("head") / "home", "--num-gpus=1") as found:
        yield found


def variables(head: RayHead) -> dict[str, str]:
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(head.token)}


def of_serve(head: RayHead) -> list[str]:
    """Titles of Ray Serve's actors on the head; the dashboard has a ServeHead in any case."""
    return [
        words
        for one in descendants(head.pid)
        if (words := title(one)).startswith("ray::") and "Serve" in words
    ]


def wait_for_the_end(head: RayHead) -> None:
    """Until nothing of Serve runs."""
    end = time.monotonic() + 30
    while left := of_serve(head):
        assert time.monotonic() < end, left
        time.sleep(0.2)


@pytest.mark.ray
@pytest.mark.slow
def test_a_service_joins_a_cluster_and_leaves_it_as_it_was(
    model: Path, head: RayHead, tmp_path: Path
) -> None:
    words = ["--address", head.gcs, "--faces", "never"]
    service = Running(tmp_path, str(model), *words, **variables(head))
    try:
        assert any("ServeReplica" in one for one in of_serve(head))
        assert not any("raylet" in title(one) for one in descendants(service.process.pid))
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        status, content = service.predict(connection, png())
        assert status == 200 and b"probabilities" in content
        connection.close()
    finally:
        code = service.end()
    assert code == 0 and "ended" in service.text.splitlines()
    assert "Traceback" not in service.text
    wait_for_the_end(head)
    assert any("raylet" in title(one) for one in descendants(head.pid))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize(
    ("gpus", "message"),
    [("1", "no GPU that torch can use"), ("2", "there is room for 0 with 1 CPUs and 2 GPUs each")],
)
def test_a_gpu_that_is_not_there_is_one_message(
    model: Path, head: RayHead, gpus: str, message: str
) -> None:
    words = ["serve", str(model), "--address", head.gcs, "--gpus", gpus, "--port", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "fer_tune", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables(head)},
        timeout=240,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = [one for one in done.stderr.splitlines() if one.strip()]
    assert line.startswith("fer-tune: ") and message in line
    wait_for_the_end(head)


def test_a_wait_for_room_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, where Serve says that it could not place a replica."""
    messages = ["", "has 1 replicas that have taken more than 30s to be scheduled."]
    looked = threading.Event()

    def status() -> SimpleNamespace:
        message = messages.pop(0) if len(messages) > 1 else messages[0]
        looked.set() if not message else None
        model = SimpleNamespace(message=message)
        return SimpleNamespace(applications={"own": SimpleNamespace(deployments={"m": model})})

    monkeypatch.setattr(running, "_LOOK_S", 0.01)
    monkeypatch.setattr(running.serve, "status", status)
    said: list[str] = []
    heard = threading.Event()

    def report(text: str) -> None:
        said.append(text)
        heard.set()

    settings = ServiceSettings(model="m", cpus=2, gpus=1)
    with running._watched("own", settings, report):
        assert looked.wait(5) and heard.wait(5)
    assert said == ["waiting for a machine with 2 CPUs and 1 GPUs that no other work occupies"]
    with running._watched("other", settings, report):
        threading.Event().wait(0.1)
    assert len(said) == 1
