"""The application of a Serve config file, behind Serve's own proxy, as a RayService runs it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import descendants, title
from fer_tune.errors import EnvironmentFault, UserError
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import ray_connection
from tests.lean_ray import lean_ray
from tests.models.kept_files import make_model
from tests.serving.service.fakes import TOKEN, png
from tests.tuning.apart import apart

ROOT = Path(__file__).resolve().parents[3]


@lean_ray()
def deployed(model: Path, port: int) -> dict[str, Any]:
    """What the application answers, also while a replica is killed."""
    from ray import serve

    from fer_tune.serving.service.application import build

    picture = png()
    statuses: list[int] = []
    done = threading.Event()

    def ask(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, content

    def predict(body: bytes = picture, kind: str = "image/png") -> tuple[int, str]:
        headers = {"Content-Type": kind, "Authorization": f"Bearer {TOKEN}"}
        return ask("POST", "/predict", body, **headers)

    def client() -> None:
        while not done.is_set():
            statuses.append(predict()[0])

    with ray_connection(SearchOptions(cpus=2, dashboard=False)):
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        args = {"model": str(model), "cpus": 0.5, "replicas": 2, "faces": "never", "batch": 4}
        serve.run(build(args), name="fer_tune")
        found: dict[str, Any] = {
            "healthz": ask("GET", "/healthz"),
            "no token": ask("POST", "/predict", picture)[0],
            "answer": predict(),
            "large": predict(bytes(30_000_000)),
            "type": predict(b"{}", "application/json"),
        }
        clients = [threading.Thread(target=client) for _ in range(4)]
        for one in clients:
            one.start()
        time.sleep(1)
        (victim, *_) = [one for one in descendants(os.getpid()) if "fer_tune:Model" in title(one)]
        os.kill(victim, signal.SIGKILL)
        time.sleep(3)
        done.set()
        for one in clients:
            one.join()
    return {**found, "statuses": statuses}


@pytest.mark.ray
def test_the_application_of_a_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens, limits and killed replicas as in a local service."""
    monkeypatch.setenv("FER_TUNE_TOKEN", TOKEN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = apart(deployed, make_model(tmp_path / "model"), port, within_s=600.0)
    assert found["healthz"] == (200, '{"status":"ok","replicas":2}')
    assert found["no token"] == 401 and found["answer"][0] == 200
    assert json.loads(found["answer"][1])["pictures"][0]["faces"]
    assert found["large"][0] == 413 and "20 MiB" in found["large"][1]
    assert found["type"][0] == 415
    assert set(found["statuses"]) == {200} and len(found["statuses"]) > 10


def test_without_a_token_nothing_is_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_tune.serving.service.application import build

    monkeypatch.delenv("FER_TUNE_TOKEN", raising=False)
    with pytest.raises(EnvironmentFault, match="FER_TUNE_TOKEN: the service needs a token"):
        build({"model": str(make_model(tmp_path / "model"))})


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({}, "args of the Serve config: model"),
        ({"model": "x", "replica": 2}, "args of the Serve config: replica"),
        ({"model": "x", "batch": 0}, "args of the Serve config: batch"),
        ({"model": "/no/such"}, "/no/such: no such folder"),
    ],
)
def test_wrong_settings_are_one_message(
    args: dict[str, object], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_tune.serving.service.application import build

    monkeypatch.setenv("FER_TUNE_TOKEN", TOKEN)
    with pytest.raises(UserError, match=sentence):
        build(args)
