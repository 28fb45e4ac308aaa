"""A cluster of three machines, brought up with `ray up`: searches that lose machines.

The machines are namespaces on this one (machines.py). Each has one CPU for trials, so a search
runs three at a time, one on every machine.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.killing.snapshots import differences, snapshot
from fer_tune.data import PackedDataset, import_source
from fer_tune.records import Results
from fer_tune.tuning.events import EVENTS_FILE, History
from tests.conftest import SAMPLE
from tests.integration.machines import SHARED, Machines, missing

ROOT = Path(__file__).resolve().parents[2]
REASON = missing()
assert not (REASON and os.environ.get("MACHINE_TESTS") == "required"), REASON

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.machines,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

MACHINES = 3
#: One in so many of the real pictures is enough to see that the search runs.
PART_OF_SAMPLE = 16
# Trials that depend on nothing that another one did: in whatever order they end, and wherever
# they go on, the search is the same.
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
budget: {trials: 6, max_epochs: 24}
scheduler: {kind: none}
stopper: {enabled: false}
resources: {cpu: 1}
weights: none
confirm: {seeds: 2}
"""


class Cluster:
    """What a user at the laptop does, and what befalls the machines."""

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
        done = self.ray("up", "-y", "--no-config-cache", str(self.file))
        assert done.returncode == 0, done.stdout + done.stderr
        self.wait_for_nodes(MACHINES)

    def wait_for_nodes(self, count: int, within_s: float = 300) -> None:
        deadline = time.monotonic() + within_s
        while (here := self.nodes()) != count:
            assert time.monotonic() < deadline, f"{here} nodes instead of {count}"
            time.sleep(1)

    def nodes(self) -> int:
        """Nodes that are alive, as the head sees them; 0 when it does not answer."""
        ask = "import ray; ray.init('auto', logging_level=40); "
        ask += "print('alive', sum(n['Alive'] for n in ray.nodes()))"
        done = self.machines.ssh(0, f"python -c {shlex.quote(ask)}", check=False)
        told = re.search(r"alive (\d+)", done.stdout)
        return int(told[1]) if told else 0

    def fer_tune(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts ``fer-tune WORDS`` at the head, as somebody who is logged in there."""
        command = shlex.join(["python", "-m", "fer_tune", *words, "--address", "auto"])
        with (self.machines.state / "output.txt").open("wb") as out:
            return subprocess.Popen(
                self.machines.ssh_line(0, command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def search(self, name: str) -> subprocess.Popen[bytes]:
        words = ["search", f"{SHARED}/tiny.yaml", "--data", f"{SHARED}/faces"]
        return self.fer_tune(*words, "--results", f"{SHARED}/{name}")

    def results(self, name: str) -> Results:
        return Results(self.machines.shared / name)

    def until(self, name: str, reached: Callable[[History], bool], within_s: float = 300) -> None:
        """Waits until the log of a search says what is waited for."""
        folder, deadline = self.machines.shared / name, time.monotonic() + within_s
        while not ((folder / EVENTS_FILE).exists() and reached(History.read(folder))):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def ended(self, process: subprocess.Popen[bytes], within_s: float = 400) -> None:
        assert process.wait(within_s) == 0, self.said()

    def port_answers(self, port: int) -> bool:
        """Whether something listens there for the network, on the head."""
        probe = f"exec 3<>/dev/tcp/{self.machines.address(0)}/{port}"
        asked = self.machines.at_laptop("timeout", "5", "bash", "-c", probe)
        return subprocess.run(asked, capture_output=True).returncode == 0

    def said(self) -> str:
        return (self.machines.state / "output.txt").read_text()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, faces: PackedDataset) -> Iterator[Cluster]:
    state = tmp_path_factory.mktemp("machines")
    environment = {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    with Machines(MACHINES, state, seen=[ROOT], environment=environment) as machines:
        token = secrets.token_hex(32)
        cluster = Cluster(machines, cluster_file(machines, token), token)
        (machines.shared / "tiny.yaml").write_text(SPACE)
        subprocess.run(["cp", "-r", str(faces.root), str(machines.shared / "faces")], check=True)
        cluster.up()
        yield cluster


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


# The tests below go on from each other: the cluster is brought up once.


def test_only_who_has_the_token_is_let_in(cluster: Cluster) -> None:
    jobs = "curl -s -o /dev/null -w %{http_code} http://127.0.0.1:8265/api/jobs/"
    assert cluster.machines.ssh(0, jobs).stdout == "401"
    assert cluster.machines.ssh(0, f"{jobs} -H 'Authorization: Bearer wrong'").stdout == "403"
    with_token = f'{jobs} -H "Authorization: Bearer $(cat ~/.ray/auth_token)"'
    assert cluster.machines.ssh(0, with_token).stdout == "200"
    # The laptop reaches what listens on the network: the store of the cluster's state and the port
    # of Ray's client, which Ray binds to the machine's address; not the dashboard with its jobs.
    assert cluster.port_answers(6379)
    assert cluster.port_answers(10001)
    assert not cluster.port_answers(8265)


#: A program at the laptop that counts the machines, as Ray's client and from the cluster's store.
COUNTING = {
    "client": "import ray; ray.init('ray://{head}:10001'); print('found', len(ray.nodes()))",
    "store": "from ray._raylet import GcsClient; "
    "print('found', len(GcsClient(address='{head}:6379').get_all_node_info()))",
}


@pytest.mark.parametrize("way", COUNTING)
@pytest.mark.parametrize("token", ["none", "wrong", "right"])
def test_ray_itself_asks_for_the_token(cluster: Cluster, way: str, token: str) -> None:
    environment = dict(cluster.environment)
    if token != "right":
        del environment["RAY_AUTH_TOKEN"]
    if token == "wrong":
        environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    program = COUNTING[way].format(head=cluster.machines.address(0))
    done = subprocess.run(
        cluster.machines.at_laptop(sys.executable, "-c", program),
        capture_output=True,
        text=True,
        env=environment,
        timeout=90,
    )
    assert (done.returncode == 0) == (token == "right"), done.stderr
    assert ("found 3" in done.stdout) == (token == "right"), done.stderr


def test_search_submitted_from_the_laptop(cluster: Cluster, real_faces: Path) -> None:
    """The search that is shipped for real pictures, shortened; its data is on the laptop alone."""
    shorter = ["budget.trials=6", "budget.max_epochs=3", "confirm.seeds=2", "augment.views=1"]
    sets = [word for change in shorter for word in ("--set", change)]
    words = ["submit", "cpu_small", "--cluster", str(cluster.file), "--data", str(real_faces)]
    done = subprocess.run(
        cluster.machines.at_laptop(sys.executable, "-m", "fer_tune", *words, *sets),
        capture_output=True,
        text=True,
        env=cluster.environment,
        cwd=ROOT,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERDICT" in done.stdout
    (folder,) = (cluster.machines.shared / "results").iterdir()
    trials = Results(folder).read("trials")
    assert len(trials) == 6 + 2 * 2
    assert set(trials["node"]) == {"m0", "m1", "m2"}


@pytest.fixture(scope="module")
def real_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the real sample, packed."""
    sample = SAMPLE / "facial-recognition-sample.zip"
    if not sample.is_file():
        pytest.skip("needs the real pictures in ../shared/data")
    folder = tmp_path_factory.mktemp("real")
    with zipfile.ZipFile(sample) as whole, zipfile.ZipFile(folder / "part.zip", "w") as part:
        names = sorted(name for name in whole.namelist() if not name.endswith("/"))
        for name in names[::PART_OF_SAMPLE]:
            part.writestr(name, whole.read(name))
    import_source(str(folder / "part.zip"), folder / "faces")
    return folder / "faces"


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster) -> Results:
    cluster.ended(cluster.search("undisturbed"))
    return cluster.results("undisturbed")


def test_trials_run_on_every_machine(undisturbed: Results) -> None:
    trials = undisturbed.read("trials")
    assert set(trials["node"]) == {"m0", "m1", "m2"}
    assert len(trials) == 6 + 2 * 2


def going_on_everywhere(history: History) -> bool:
    """Whether every machine trains a run that is past its first epoch."""
    return len(running(history)) == MACHINES


def running(history: History) -> dict[int, float]:
    """When each run that has reported an epoch and has not ended took its first step."""
    going = {n: run for n, run in history.runs.items() if run.epochs and not run.ended}
    return {number: run.last["started"] for number, run in going.items()}


def test_one_machine_taken_back_and_the_network_of_another_cut(
    cluster: Cluster, undisturbed: Results
) -> None:
    notice = spot_machine(cluster, 1)
    going = cluster.search("cut")
    cluster.until("cut", going_on_everywhere)
    notice()
    cluster.machines.power_off(1)
    cluster.machines.cut(2)
    before = disturbed(cluster, "cut")
    cluster.ended(going)
    results = cluster.results("cut")
    assert differences(undisturbed, results) == {}
    assert_went_on(results, before)
    nodes = results.read("trials").set_index("trial")["node"]
    assert set(nodes[list(before)]) == {"m0"}


def spot_machine(cluster: Cluster, number: int) -> Callable[[], None]:
    """Has a machine listen for the notice of a cloud; what is returned gives it.

    It returns once the machine has told Ray.
    """
    home = cluster.machines.home(number)
    service = home / "metadata/computeMetadata/v1/instance"
    service.mkdir(parents=True)
    (service / "preempted").write_text("FALSE")
    serving = "python -m http.server 8099 --bind 127.0.0.1 --directory ~/metadata"
    watching = "python -m fer_tune.cluster.spot gcp --metadata http://127.0.0.1:8099 --every 0.2"
    for name, command in (("metadata", serving), ("spot", watching)):
        cluster.machines.ssh(
            number, f"setsid nohup {command} >~/{name}.log 2>&1 </dev/null & sleep 1"
        )

    def notice() -> None:
        (service / "preempted").write_text("TRUE")
        deadline = time.monotonic() + 30
        while "drained" not in (home / "spot.log").read_text():
            assert time.monotonic() < deadline, (home / "spot.log").read_text()
            time.sleep(0.1)

    return notice


def test_head_killed_and_brought_back(cluster: Cluster, undisturbed: Results) -> None:
    cluster.machines.join(2)
    for number in cluster.machines.off:
        cluster.machines.power_on(number)
    cluster.up()
    going = cluster.search("head")
    cluster.until("head", going_on_everywhere)
    cluster.machines.power_off(0)
    before = disturbed(cluster, "head")
    assert going.wait(60) != 0
    cluster.machines.power_on(0)
    cluster.up()
    cluster.ended(cluster.fer_tune("resume", f"{SHARED}/head"))
    results = cluster.results("head")
    assert differences(undisturbed, results) == {}
    assert_went_on(results, before)


def test_down(cluster: Cluster) -> None:
    done = cluster.ray("down", "-y", str(cluster.file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.nodes() == 0


def disturbed(cluster: Cluster, name: str) -> dict[int, float]:
    """The runs that the disturbance met; each has saved all that it had reported."""
    folder = cluster.machines.shared / name
    met = snapshot(folder)
    assert met.logged and all(met.saved[n] >= epochs for n, epochs in met.logged.items())
    return running(History.read(folder))


def assert_went_on(results: Results, before: dict[int, float]) -> None:
    """They lost the epoch that they were in, and no more: none of them began again."""
    started = results.read("trials").set_index("trial")["started"]
    assert before
    assert {number: started[number] for number in before} == before
