"""A cluster of three machines, brought up with `ray up`: searches that lose machines.

The machines are namespaces on this one (machines.py). Each has one CPU for trials, so a search
runs three at a time, one on every machine.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.killing.snapshots import differences, snapshot
from fer_tune.data import import_source
from fer_tune.records import Results
from fer_tune.tuning.log.events import History
from tests.conftest import SAMPLE
from tests.integration.machines import SHARED, Machines, missing
from tests.integration.ray_cluster import (
    MACHINES,
    PACE,
    ROOT,
    SPACE,
    Cluster,
    cluster_file,
    running,
    waiting,
)
from tests.integration.recorded_machines import EPOCHS

REASON = missing()
assert not (REASON and os.environ.get("MACHINE_TESTS") == "required"), REASON

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.machines,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

#: One in so many of the real pictures: trials must last until all machines have started a process.
PART_OF_SAMPLE = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    state = tmp_path_factory.mktemp("machines")
    environment = {"PYTHONPATH": str(ROOT), "COLUMNS": "100", **PACE}
    with Machines(MACHINES, state, seen=[ROOT], environment=environment) as machines:
        token = secrets.token_hex(32)
        cluster = Cluster(machines, cluster_file(machines, token), token)
        (machines.shared / "tiny.yaml").write_text(SPACE)
        # Recorded runs know two classes.
        import_source("synthetic:60", machines.shared / "faces", classes=["happy", "sad"])
        cluster.up()
        yield cluster


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


#: Programs at the laptop that count the machines, as Ray's client and from the cluster's store.
#: Why it was refused the client logs at level DEBUG alone, and ends with a timeout.
COUNTING = {
    "client": "logging.getLogger('ray.util.client').setLevel('DEBUG'); "
    "ray.init('ray://{head}:10001'); print('found', len(ray.nodes()))",
    "store": "print('found', len(GcsClient(address='{head}:6379').get_all_node_info()))",
}
#: Runs programs, each in a process with an environment of its own; Ray is imported once for all.
AT_ONCE = """
import json, logging, os, sys, traceback
import ray, ray.util.client
from ray._raylet import GcsClient
from fer_tune.ray_private import reload_settings
processes = []
for program, environment, said in json.loads(sys.argv[1]):
    if (process := os.fork()) == 0:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1), os.dup2(out, 2)
        os.environ.clear()
        os.environ.update(environment)
        reload_settings()
        code = 1
        try:
            exec(program)
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    processes.append(process)
print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in processes]))
"""

#: What a refused program says.
REFUSED = {
    "client": "Invalid or missing authentication token",
    "store": "AuthenticationError: RPC error: InvalidAuthToken",
}
#: The head forks a server for each client; on a busy machine that process sometimes dies at once.
NO_SERVER = ("Starting Ray client server failed", "psutil.ZombieProcess", "psutil.NoSuchProcess")
WAYS = [(way, token) for token in ("none", "wrong", "right") for way in COUNTING]


@pytest.fixture(scope="module")
def counted(cluster: Cluster) -> dict[tuple[str, str], tuple[int, str]]:
    """What came of each program with each token: exit code, and what it said."""
    return count(cluster, *WAYS)


def count(cluster: Cluster, *ways: tuple[str, str]) -> dict[tuple[str, str], tuple[int, str]]:
    folder = cluster.machines.state
    tasks = [
        (
            COUNTING[way].format(head=cluster.machines.address(0)),
            with_token(cluster, token),
            str(folder / f"{way}-{token}.txt"),
        )
        for way, token in ways
    ]
    done = subprocess.run(
        cluster.machines.at_laptop(sys.executable, "-c", AT_ONCE, json.dumps(tasks)),
        capture_output=True,
        text=True,
        env={**cluster.environment, "PYTHONPATH": str(ROOT)},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    return {
        way: (code, Path(said).read_text())
        for way, code, (_, _, said) in zip(ways, codes, tasks, strict=True)
    }


def with_token(cluster: Cluster, token: str) -> dict[str, str]:
    """The laptop's environment with the right token, a wrong one or none."""
    environment = dict(cluster.environment)
    if token != "right":
        # A client tries three times, and waits between.
        for name in ("INITIAL", "MAX"):
            environment[f"RAY_CLIENT_{name}_CONNECTION_TIMEOUT_S"] = "3"
    if token == "none":
        del environment["RAY_AUTH_TOKEN"]
        environment["RAY_AUTH_MODE"] = "disabled"  # or Ray does not even ask the head
    if token == "wrong":
        environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    return environment


@pytest.mark.parametrize(("way", "token"), WAYS)
def test_ray_itself_asks_for_the_token(
    cluster: Cluster, counted: dict[tuple[str, str], tuple[int, str]], way: str, token: str
) -> None:
    code, said = counted[way, token]
    for _ in range(5):
        if token == "right" and any(text in said for text in NO_SERVER):
            code, said = count(cluster, (way, token))[way, token]
    if token == "right":
        assert code == 0 and "found 3" in said, said
    else:
        assert code != 0 and "found" not in said, said
        assert REFUSED[way] in said, "it failed, but not for its token:\n" + said


#: Changes to the shipped search: it trains for real, but small networks and not for long.
SHORTER = (
    "compare.arms=[resnet18, resnet34]",
    "budget.trials=6",
    "budget.max_epochs=2",
    "scheduler.grace_epochs=1",
    "stopper.patience=1",
    "augment.views=1",
    "confirm.seeds=2",
)


def test_search_submitted_from_the_laptop(cluster: Cluster, real_faces: Path) -> None:
    """The search that is shipped for real pictures, shortened; its data is on the laptop alone."""
    sets = [word for change in SHORTER for word in ("--set", change)]
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
    process = cluster.search("undisturbed")
    cluster.release(0, 1, 2)
    cluster.ended(process)
    return cluster.results("undisturbed")


def test_trials_run_on_every_machine(undisturbed: Results) -> None:
    trials = undisturbed.read("trials")
    assert set(trials["node"]) == {"m0", "m1", "m2"}
    assert len(trials) == 6 + 2 * 2


def test_one_machine_taken_back_and_the_network_of_another_cut(
    cluster: Cluster, undisturbed: Results
) -> None:
    notice = spot_machine(cluster, 1)
    process = cluster.search("cut")
    notice()
    cluster.machines.power_off(1)
    cluster.machines.cut(2)
    before = disturbed(cluster, "cut")
    cluster.release(0)
    cluster.ended(process)
    results = cluster.results("cut")
    assert differences(undisturbed, results) == {}
    assert_went_on(results, before)
    nodes = results.read("trials").set_index("trial")["node"]
    assert set(nodes[list(before)]) == {"m0"}


def spot_machine(cluster: Cluster, number: int) -> Callable[[], None]:
    """Has a machine listen for the notice of a cloud; what is returned gives it.

    It returns once the machine has notified Ray.
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
    process = cluster.search("head")
    cluster.machines.power_off(0)
    before = disturbed(cluster, "head")
    assert process.wait(60) != 0
    cluster.machines.power_on(0)
    cluster.up()
    cluster.release(0, 1, 2)
    cluster.ended(cluster.fer_tune("resume", f"{SHARED}/head"))
    results = cluster.results("head")
    assert differences(undisturbed, results) == {}
    assert_went_on(results, before)


def test_down(cluster: Cluster) -> None:
    done = cluster.ray("down", "-y", str(cluster.file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.nodes() == 0
    assert not cluster.port_answers(6379), "the store of the cluster's state runs on"


def disturbed(cluster: Cluster, name: str) -> dict[int, float]:
    """The runs that were disturbed, one per machine; each has saved all that it had reported."""
    folder = cluster.machines.shared / name
    met = snapshot(folder)
    logged = {n: epochs for n, epochs in met.logged.items() if epochs}
    assert logged == dict.fromkeys(waiting(History.read(folder)), EPOCHS)
    assert len(logged) == MACHINES
    assert all(met.saved[n] >= epochs for n, epochs in logged.items())
    return running(History.read(folder))


def assert_went_on(results: Results, before: dict[int, float]) -> None:
    """They lost the epoch that they were in, and no more: none of them began again."""
    started = results.read("trials").set_index("trial")["started"]
    assert before
    assert {number: started[number] for number in before} == before
