"""Trials are asked for by what an autoscaler may add, so that machines come at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.kuberay import node_provider

from benchmarks.processes import descendants, send
from fer_tune.cluster.shipped import find
from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.concurrency import pending_limit
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune import autoscaler
from fer_tune.tuning.raytune.autoscaler import Growth, from_kubernetes
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun
from fer_tune.tuning.raytune.runtime import RayConnection
from fer_tune.tuning.settings import WorkerSettings
from tests.tuning.apart import apart
from tests.tuning.conftest import make_space
from tests.tuning.recorded_stage import play_runs


def kind(cpus: int, gpus: int, count: int) -> dict[str, Any]:
    return {"resources": {"CPU": cpus, "GPU": gpus}, "max_workers": count}


def config(limit: int, **kinds: dict[str, Any]) -> dict[str, Any]:
    head = {"resources": {"CPU": 0}, "node_config": {}}
    return {
        "max_workers": limit,
        "head_node_type": "head",
        "available_node_types": {"head": head, **kinds},
    }


def asked(have: dict[str, float], growth: Growth, joined: bool = True, **resources: Any) -> int:
    space = make_space(
        budget={"trials": 40, "max_epochs": 9}, resources={"cpu": 2, "gpu": 0, **resources}
    )
    return pending_limit(
        RayConnection(dashboard=None, have=have, growth=growth, joined=joined), space
    )


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        (Growth(), 0),
        (Growth(config=config(8, a=kind(8, 1, 3))), 6),
        (Growth(config=config(2, a=kind(8, 1, 3))), 4),  # the cluster's own limit
        (Growth(config=config(3, a=kind(8, 1, 9), b=kind(16, 4, 2))), 18),  # the largest first
        (Growth(config=config(8, a=kind(1, 1, 8))), 0),  # too few CPUs for a trial
        (Growth(config={"available_node_types": {"a": {"resources": {}, "max_workers": 2}}}), 0),
        (Growth(most={"CPU": 16, "GPU": 3}), 6),
        (Growth(most={"CPU": sys.maxsize, "GPU": 1}, config=config(8, a=kind(8, 2, 1))), 4),
    ],
)
def test_slots_that_may_come(growth: Growth, expected: int) -> None:
    assert growth.slots(cpu=2, gpu=0.5) == expected


def test_twice_what_may_come_is_asked_for_within_the_budget() -> None:
    ten, none = Growth(config=config(10, a=kind(2, 0, 10))), Growth()
    assert asked({"CPU": 8}, none) == 8
    assert asked({}, ten) == 20, "a head alone, without CPUs"
    assert asked({"CPU": 30}, ten) == 30, "more is there than the file knows"
    assert asked({}, Growth(config=config(90, a=kind(2, 0, 90)))) == 40, "all trials"
    assert asked({}, ten, max_concurrent=3) == 3
    assert asked({}, Growth(config=config(1, a=kind(2, 0, 10)))) == 1


def test_of_an_autoscaler_that_nothing_is_known_of_the_user_knows() -> None:
    assert asked({}, Growth(), max_concurrent=4) == 4
    with pytest.raises(EnvironmentFault, match=r"set resources\.max_concurrent"):
        asked({}, Growth())
    with pytest.raises(EnvironmentFault) as caught:
        asked({}, Growth(), joined=False, max_concurrent=4)
    assert "max_concurrent" not in str(caught.value), "no autoscaler adds to one machine"


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not here to make a certificate")
def test_on_kubernetes_the_cluster_is_asked_how_far_it_may_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ray's own client, at a server that speaks for Kubernetes."""
    manifest = yaml.safe_load(find("raycluster").read_text(encoding="utf-8"))
    manifest["metadata"]["namespace"] = "faces"
    paths = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(manifest).encode())

        def log_message(self, *args: Any) -> None:
            pass

    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    assert from_kubernetes() is None, "not here"
    namespace = tmp_path / "namespace"
    namespace.write_text("faces\n")
    monkeypatch.setattr(autoscaler, "NAMESPACE", namespace)
    monkeypatch.setenv("RAY_CLUSTER_NAME", "fer-tune")
    # What Ray has read of its environment as it was imported.
    for name, value in (
        ("CA_CERT", certificate),
        ("CLIENT_CERT", certificate),
        ("CLIENT_KEY", key),
    ):
        monkeypatch.setattr(node_provider, f"KUBERAY_{name}_PATH", value)
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"localhost:{server.server_port}"
        monkeypatch.setattr(node_provider.url_from_resource, "__defaults__", ("v1", host))
        try:
            growth = Growth(config=from_kubernetes())
            manifest["spec"]["enableInTreeAutoscaling"] = False
            assert from_kubernetes() is None, "it does not grow"
        finally:
            server.shutdown()
    assert set(paths) == {"/apis/ray.io/v1/namespaces/faces/rayclusters/fer-tune"}
    assert growth.slots(cpu=1, gpu=0.25) == 32, "eight machines of four CPUs and a GPU"
    assert from_kubernetes() is None, "nothing answers any more"


# -- a cluster that grows ----------------------------------------------------------------------


#: What Ray wants to find in a cluster file all the same.
UNUSED = """
auth: {}
docker: {}
file_mounts: {}
file_mounts_sync_continuously: false
cluster_synced_files: []
rsync_exclude: []
rsync_filter: []
initialization_commands: []
setup_commands: []
head_setup_commands: []
worker_setup_commands: []
head_start_ray_commands: []
worker_start_ray_commands: []
"""


def slow(run: Assignment) -> Recording:
    return Recording(values=[0.1, 0.2, 0.3], seconds=1.0)


class First(DriverCallback):
    """Notes when the first trial ended."""

    def __init__(self, at: list[float]) -> None:
        self._at = at

    def on_trial_complete(self, **info: Any) -> None:
        self._at.append(time.monotonic())


class SlowRun(ReplayedRun):
    def __init__(self, settings: WorkerSettings, assignment: Assignment) -> None:
        super().__init__(slow, settings, assignment)


@contextmanager
def growing_head(folder: Path) -> Iterator[str]:
    """The address of a head without CPUs, whose autoscaler may add two nodes of one CPU.

    What Ray's own AutoscalingCluster does, which however ends every Ray on the machine.
    """
    from ray._private import services

    address = f"{services.get_node_ip_address()}:{free_port()}"
    worker = {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2}
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    file = {
        "cluster_name": "grows",
        "max_workers": 8,
        "provider": {
            "type": "fake_multinode",
            "gcs_address": address,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "head_node_type": "ray.head.default",
        "available_node_types": {"ray.head.default": head, "worker": worker},
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 0.1,
        **yaml.safe_load(UNUSED),
    }
    # Where `ray up` leaves it on the head.
    path = folder / "ray_bootstrap_config.yaml"
    path.write_text(yaml.safe_dump(file))
    ports = {"port": address.split(":")[1], "ray-client-server-port": free_port()}
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    command += ["--num-cpus=0", f"--autoscaling-config={path}", "--object-store-memory=100000000"]
    command += ["--include-dashboard=false"]  # ten processes
    command += [f"--{name}={port}" for name, port in ports.items()]
    pace = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
    with (folder / "head.txt").open("wb") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **pace}, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while "--address" not in (folder / "head.txt").read_text():
            assert process.poll() is None, (folder / "head.txt").read_text()
            assert time.monotonic() < deadline, (folder / "head.txt").read_text()
            time.sleep(0.1)
        yield address
    finally:
        send(signal.SIGKILL, [process.pid, *descendants(process.pid)])
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def grown(folder: Path) -> dict[str, Any]:
    """A search on a head that grows."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "HOME": str(folder)}
    import ray

    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.raytune.runtime import ray_connection

    def workers() -> int:
        return sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())

    found: dict[str, Any] = {}
    first_end: list[float] = []
    counts: list[tuple[float, int]] = []
    over = threading.Event()
    with (
        growing_head(folder) as address,
        ray_connection(SearchOptions(address=address)) as engine,
    ):
        space = make_space(budget={"trials": 8, "max_epochs": 3}, resources={"cpu": 1, "gpu": 0})
        found["workers before"] = workers()
        found["asked"] = pending_limit(engine, space)

        def watch() -> None:
            while not over.wait(0.2):
                counts.append((time.monotonic(), workers()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            results = play_runs(
                space, folder / "r", 8, SlowRun, asked=found["asked"], callbacks=[First(first_end)]
            )
            found["states"] = results.read("trials")["state"].tolist()
            deadline = time.monotonic() + 90
            while workers() and time.monotonic() < deadline:
                time.sleep(0.5)
        finally:
            over.set()
            watcher.join()
        found["workers after"] = workers()
    found["most"] = max(count for _, count in counts)
    found["at first end"] = max(count for at, count in counts if at <= first_end[0])
    return found


@pytest.mark.ray
@pytest.mark.slow
def test_machines_come_at_once_and_go_when_idle(tmp_path: Path) -> None:
    found = apart(grown, tmp_path, within_s=280.0)
    assert found["workers before"] == 0 and found["asked"] == 4
    assert found["states"] == ["complete"] * 8
    assert found["most"] == found["at first end"] == 2, "both before the first trial had ended"
    assert found["workers after"] == 0
