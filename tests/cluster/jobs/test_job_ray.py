"""Jobs on a real Ray head with token authentication: what `job_server.py` only plays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_head import ROOT, TOKEN, RayHead, ray_head

from fer_tune.cluster.job_api import JobApi
from fer_tune.data import PackedDataset
from fer_tune.errors import EnvironmentFault
from fer_tune.records import Results

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

#: In the place of fer_tune's source, to see what reaches it; the seed is how many epochs it plays.
STAND_IN = """
import json, os, signal, sys, time
import ray
print(json.dumps({"words": sys.argv[1:], "folder": os.getcwd(), "home": os.environ["HOME"]}))
space = open(sys.argv[2]).read() if sys.argv[1] == "search" else ""
ray.init(address="auto", logging_level="ERROR")
print("cpus", ray.cluster_resources()["CPU"], ray.available_resources().get("CPU"))
def drained(number, frame):
    print("finishing", number, flush=True)
    time.sleep(5)  # longer than Ray gives by itself
    print("finished", flush=True)
    sys.exit(130)
signal.signal(signal.SIGTERM, drained)
seed = next((w for w in sys.argv if w.startswith("seeds.search=")), "=0").split("=")[1]
if seed == "7":
    sys.exit(7)
for i in range(int(seed)):
    print("epoch", i, "é", flush=True)
    time.sleep(0.2)
"""
TINY = """
name: tiny
purpose: Two small backbones on few faces.
compare: {arms: [resnet18, resnet34]}
parameters: {unfreeze_depth: 0, crop_size: 32, lr_head: 1e-2, batch_size: 32}
budget: {trials: 2, max_epochs: 30}
scheduler: {kind: none}
stopper: {enabled: false}
resources: {cpu: 1, max_concurrent: 1}
weights: none
confirm: {seeds: 2}
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with ray_head(tmp_path_factory.mktemp("ray") / "head") as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A working tree that is "fer_tune's own"."""
    root = tmp_path / "source"
    (root / "fer_tune").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "fer-tune"\n')
    (root / "fer_tune/__init__.py").touch()
    (root / "fer_tune/__main__.py").write_text(STAND_IN)
    return root


def started(head: RayHead, folder: Path, *words: str) -> subprocess.Popen[str]:
    """`fer-tune` on the user's machine, in ``folder``; it is this checkout, not that folder's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'fer-tune'\n"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code + "from fer_tune.cli import main; main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={
            **clean,
            "HOME": str(folder),
            "COLUMNS": "200",
            "RAY_API_SERVER_ADDRESS": head.address,
            "RAY_AUTH_TOKEN_PATH": str(head.token),
        },
    )


def fer_tune(
    head: RayHead, folder: Path, *words: str, seconds: float = 120
) -> tuple[int, str, str]:
    process = started(head, folder, *words)
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def submit(head: RayHead, source: Path, *words: str) -> tuple[int, str, str]:
    usual = ("submit", "quickstart", "--data", "/srv/faces", "--results", "~/r/one")
    return fer_tune(head, source, *usual, *words)


def test_who_is_let_in(head: RayHead) -> None:
    assert JobApi(head.address, TOKEN).ray_version()
    for token, said in ((None, "requires a token"), ("f" * 32, "rejects the token")):
        with pytest.raises(EnvironmentFault, match=said):
            JobApi(head.address, token).jobs()
        with pytest.raises(EnvironmentFault, match=said):
            JobApi(head.address, token).submit(
                entrypoint="true", id="x", metadata={}, working_dir="gcs://x.zip", environment={}
            )


def test_a_job_runs_the_tree_and_is_followed_to_its_end(head: RayHead, source: Path) -> None:
    code, out, err = submit(head, source, "--set", "seeds.search=10")
    assert code == 0, out + err
    lines = [line for line in out.splitlines() if line.startswith(("{", "cpus", "epoch"))]
    assert lines[-10:] == [f"epoch {i} é" for i in range(10)]
    assert lines[1] == "cpus 2.0 2.0", "the job itself takes none"
    output = json.loads(lines[0])
    assert output["words"] == [
        *("search", "submitted_space/quickstart.yaml"),
        *("--results", f"{head.home}/r/one", "--data", "/srv/faces"),
        *("--set", "seeds.search=10", "--address", "auto"),
    ]
    job = JobApi(head.address, TOKEN).jobs()[0]
    assert job.state == "succeeded" and job.exit_code == 0 and job.id in err
    assert job.metadata["space"] == "quickstart" and job.results == "~/r/one"
    assert job.id in fer_tune(head, source, "status")[1]


def test_a_fault_of_the_search_is_the_exit_code(head: RayHead, source: Path) -> None:
    code, _, err = submit(head, source, "--set", "seeds.search=7")
    assert code == 7, err
    assert "has ended: failed" in err


def test_stop_lets_it_finish_and_says_how_to_go_on(head: RayHead, source: Path) -> None:
    code, out, err = submit(head, source, "--set", "seeds.search=600", "--detach")
    assert code == 0 and out == "", err
    api = JobApi(head.address, TOKEN)
    job = api.jobs()[0]
    _wait_until(lambda: "epoch 3" in api.log(job.id))
    assert api.job(job.id).state == "running"
    code, out, _ = fer_tune(head, source, "stop", job.id)
    assert code == 0 and "has ended: stopped" in out
    assert "fer-tune submit --resume '~/r/one'" in out
    log = api.log(job.id)
    assert "finishing 15\nfinished" in log, "killed after Ray's three seconds"
    code, out, _ = fer_tune(head, source, "logs", job.id, "--follow")
    assert code == 130 and out == log
    code, _, err = fer_tune(head, source, "submit", "--resume", "~/r/one")
    assert code == 0, err
    resumed = api.jobs()[0]
    words = json.loads(next(x for x in api.log(resumed.id).splitlines() if x.startswith("{")))
    assert words["words"] == ["resume", f"{head.home}/r/one", "--address", "auto"]


def test_following_survives_no_more_and_no_less_than_the_log(head: RayHead, source: Path) -> None:
    """Two followers at once, one that came late."""
    submit(head, source, "--set", "seeds.search=20", "--detach")
    api = JobApi(head.address, TOKEN)
    id = api.jobs()[0].id
    first = started(head, source, "logs", id, "--follow")
    _wait_until(lambda: "epoch 5" in api.log(id))
    second = started(head, source, "logs", id, "--follow")
    outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert outputs == [api.log(id)] * 2


def test_a_real_search_is_stopped_and_goes_on(
    head: RayHead, faces: PackedDataset, tmp_path: Path
) -> None:
    """In a tree that is not its source, so that the cluster's own fer_tune runs."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    code, _, err = fer_tune(
        head,
        tmp_path,
        *("submit", "tiny.yaml", "--data", str(faces.root), "--results", "~/real", "--detach"),
    )
    assert code == 0 and "the fer_tune installed on the cluster" in err, err
    api = JobApi(head.address, TOKEN)
    id = api.jobs()[0].id
    events = head.home / "real/events.jsonl"
    _wait_until(lambda: events.is_file() and '"epoch"' in events.read_text())
    code, out, _ = fer_tune(head, tmp_path, "stop", id)
    assert code == 0 and "--resume '~/real'" in out, out
    log = api.log(id)
    assert "waiting for running epochs" in log and "fer-tune resume" in log, log
    results = Results.open(head.home / "real")
    assert results.manifest()["state"] == "interrupted"
    code, out, err = fer_tune(head, tmp_path, "submit", "--resume", "~/real", seconds=400)
    assert code == 0, out[-3000:] + err
    manifest = results.manifest()
    assert manifest["state"] == "finished" and manifest["confirm_seeds"] == [0, 1]
    assert manifest["sittings"] == 2
    trials = results.read("trials")
    assert sorted(trials["trial"]) == list(range(6)), "2 trials, 2 seeds of each of 2 arms"
    assert set(trials["epochs"]) == {30}
    assert (head.home / "real/report/report.html").is_file()


def _wait_until(condition: object, seconds: float = 90.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come about in time"
        time.sleep(0.1)
