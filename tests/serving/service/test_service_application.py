"""The application of a Serve config file, behind Serve's own proxy, as a RayService runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fer_tune.errors import EnvironmentFault, UserError
from tests.models.kept_files import make_model
from tests.serving.service.fakes import TOKEN, png

ROOT = Path(__file__).resolve().parents[3]

#: Runs in a process of its own: Ray reads its settings once.
DEPLOYED = """
import http.client, json, os, sys, threading, time
from pathlib import Path
from ray import serve
from fer_tune.serving.service.application import build
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import ray_connection
from tests.serving.service.test_service_command import below, command_of

model, picture, port = sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3])
token = os.environ["FER_TUNE_TOKEN"]
found = {"statuses": []}


def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, content


def predict(body=picture, kind="image/png"):
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
    return ask("POST", "/predict", body, **headers)


def client():
    while not done.is_set():
        found["statuses"].append(predict()[0])


with ray_connection(SearchOptions(cpus=2, dashboard=False)):
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    args = {"model": model, "cpus": 0.5, "replicas": 2, "faces": "never", "batch": 4}
    serve.run(build(args), name="fer_tune")
    found["healthz"] = ask("GET", "/healthz")
    found["no token"] = ask("POST", "/predict", picture)[0]
    found["answer"] = predict()
    found["large"] = predict(bytes(30_000_000))
    found["type"] = predict(b"{}", "application/json")
    done = threading.Event()
    clients = [threading.Thread(target=client) for _ in range(4)]
    for one in clients:
        one.start()
    time.sleep(1)
    (victim, *_) = [one for one in below(os.getpid()) if b"fer_tune:Model" in command_of(one)]
    os.kill(victim, 9)
    time.sleep(3)
    done.set()
    for one in clients:
        one.join()
print(json.dumps(found))
"""


@pytest.mark.ray
def test_the_application_of_a_config_file(tmp_path: Path) -> None:
    """Tokens, limits and killed replicas as in a local service."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(png())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [str(make_model(tmp_path / "model")), str(picture), str(port)]
    done = subprocess.run(
        [sys.executable, "-c", DEPLOYED, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FER_TUNE_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["healthz"] == [200, '{"status":"ok","replicas":2}']
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
