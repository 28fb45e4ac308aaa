"""A cluster that `ray up` brings up on the machines of machines.py, and what its user does."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from fer_tune.records import Results
from fer_tune.tuning.log.events import EVENTS_FILE, History
from tests.integration.machines import SHARED, Machines
from tests.integration.recorded_machines import EPOCHS, HELD

ROOT = Path(__file__).resolve().parents[2]
MACHINES = 3
#: ``fer-tune`` with recorded runs: three trainings on two cores would take most of the time here.
MODULE = "tests.integration.recorded_machines"
#: Ray's own settings on the machines: it looks for workers to start more often, and takes some 20 s
#: instead of a minute to find that a machine does not answer.
PACE = {
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "4",
    # The head forks a server for every client, which gRPC's handlers of forks can crash.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
}
# No trial depends on the results of another one: in whatever order and wherever they end, the
# search is the same.
SPACE = """
name: tiny
purpose: Two small backbones on few faces.
compare: {arms: [densenet121, resnet18]}
parameters:
  unfreeze_depth: 1
  crop_size: 32
  lr_head: {type: float, low: 1e-4, high: 1e-2, log: true}
  batch_size: 16
cohorts: {random: 1.0}
budget: {trials: 6, max_epochs: 8}
scheduler: {kind: none}
stopper: {enabled: false}
resources: {cpu: 1}
weights: none
precision: float32
confirm: {seeds: 2}
"""


class Cluster:
    """What a user at the laptop does, and what happens to the machines."""

    def __init__(self, machines: Machines, file: Path, token: str) -> None:
        self.machines, self.file = machines, file
        self.environment = machines.laptop_environment(
            RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token, AUTOSCALER_NODE_START_WAIT_S="30"
        )

    def ray(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """``ray WORDS`` at the laptop."""
        return subprocess.run(
            self.machines.at_laptop("ray", *words),
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=timeout,
        )

    def up(self) -> None:
        """``ray up``, and waits until every machine has joined."""
        for _ in range(3):
            before = self.late_agents()
            done = self.ray("up", "-y", "--no-config-cache", str(self.file))
            assert done.returncode == 0, done.stdout + done.stderr
            deadline = time.monotonic() + 300
            while (here := self.nodes()) != MACHINES and self.late_agents() == before:
                assert time.monotonic() < deadline, f"{here} nodes instead of {MACHINES}"
                time.sleep(1)
            if here == MACHINES:
                return
        raise AssertionError("the machines are too slow for Ray's own limit of 15 s")

    def late_agents(self) -> int:
        """Raylets that gave up as they started, because a process of theirs took more than 15 s.

        Nothing sets that limit, and nothing starts such a raylet again, but another `ray up`.
        """
        logs = self.machines.state.glob("m*/tmp/ray/session_2*/logs/raylet.err")
        return sum("Timed out waiting for file" in log.read_text() for log in logs)

    def nodes(self) -> int:
        """Nodes that are alive, as the head sees them; 0 when it does not answer."""
        # The dashboard answers without an interpreter that imports Ray for every question.
        url = "http://127.0.0.1:8265/nodes?view=summary"
        header = '"Authorization: Bearer $(cat ~/.ray/auth_token)"'
        done = self.machines.ssh(0, f"curl -s -m 10 -H {header} '{url}'", check=False)
        if done.returncode != 0:
            return 0
        nodes = json.loads(done.stdout)["data"]["summary"]
        return sum(node["raylet"].get("state") == "ALIVE" for node in nodes)

    def fer_tune(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts ``fer-tune WORDS`` at the head, as a user who is logged in there."""
        command = shlex.join(["python", "-m", MODULE, *words, "--address", "auto"])
        with (self.machines.state / "output.txt").open("wb") as out:
            return subprocess.Popen(
                self.machines.ssh_line(0, command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def search(self, name: str) -> subprocess.Popen[bytes]:
        """Starts a search that trains a run on every machine, past its first epoch, and holds."""
        self.hold()
        words = ["search", f"{SHARED}/tiny.yaml", "--data", f"{SHARED}/faces"]
        # Power is lost at once: what has been reported must have been saved.
        every = ("--checkpoint-interval", "0")
        process = self.fer_tune(*words, "--results", f"{SHARED}/{name}", *every)
        self.until(name, lambda history: len(waiting(history)) == MACHINES)
        return process

    def hold(self) -> None:
        """Runs on every machine wait after ``EPOCHS`` epochs."""
        folder = self.machines.shared / HELD
        folder.mkdir(exist_ok=True)
        for number in range(MACHINES):
            (folder / self.machines.name(number)).touch()

    def release(self, *numbers: int) -> None:
        """Runs on these machines continue."""
        for number in numbers:
            (self.machines.shared / HELD / self.machines.name(number)).unlink()

    def results(self, name: str) -> Results:
        return Results(self.machines.shared / name)

    def until(self, name: str, reached: Callable[[History], bool], within_s: float = 300) -> None:
        """Waits until the log of a search says what is waited for."""
        folder, deadline = self.machines.shared / name, time.monotonic() + within_s
        while not ((folder / EVENTS_FILE).exists() and reached(History.read(folder))):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def ended(self, process: subprocess.Popen[bytes], within_s: float = 900) -> None:
        assert process.wait(within_s) == 0, self.said()

    def port_answers(self, port: int) -> bool:
        """Whether something listens there for the network, on the head."""
        probe = f"exec 3<>/dev/tcp/{self.machines.address(0)}/{port}"
        asked = self.machines.at_laptop("timeout", "5", "bash", "-c", probe)
        return subprocess.run(asked, capture_output=True).returncode == 0

    def said(self) -> str:
        return (self.machines.state / "output.txt").read_text()


def cluster_file(machines: Machines, token: str) -> Path:
    """The shipped file with what its owner changes, less what is there already or not to be had."""
    saved = machines.state / "token"
    saved.write_text(token)
    saved.chmod(0o600)
    shipped = (ROOT / "cluster/on-prem.yaml").read_text()
    # The machines share /var/tmp, and each is to have a bank of its own.
    text = shipped.replace("/var/tmp/fer_tune-bank", "/tmp/fer_tune-bank")
    text = text.replace("ray start ", "ray start --num-cpus=1 --object-store-memory=100000000 ")
    content = yaml.safe_load(text)
    content["cluster_name"] = f"tests-{os.getpid()}"
    content["provider"] |= {
        "head_ip": machines.address(0),
        "worker_ips": [machines.address(n) for n in range(1, MACHINES)],
    }
    content["auth"] = {"ssh_user": "root", "ssh_private_key": str(machines.key)}
    content["file_mounts"] = {"~/.ray/auth_token": str(saved)}
    fetching = ("uv", "git clone", "weights fetch")
    content["setup_commands"] = [
        command
        for command in content["setup_commands"]
        if not any(word in command for word in fetching)
    ]
    assert len(content["setup_commands"]) == 4, content["setup_commands"]
    file = machines.state / "cluster.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def running(history: History) -> dict[int, float]:
    """When each run that has reported an epoch and has not ended took its first step."""
    running = {n: run for n, run in history.runs.items() if run.epochs and not run.ended}
    return {number: run.last["started"] for number, run in running.items()}


def waiting(history: History) -> list[int]:
    """Runs that have trained as many epochs as machines that are held allow."""
    return [n for n, run in history.runs.items() if run.epochs == EPOCHS and not run.ended]
