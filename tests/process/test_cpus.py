"""The number of CPUs by affinity, cgroup quotas and Slurm, whichever is least."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fer_tune.process.cpus import available_cpus, cpu_limit
from fer_tune.tuning.concurrency import limit_cpus
from fer_tune.tuning.options import SearchOptions
from tests.tuning.conftest import make_space


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 CPUs without limits."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)


def limit(folder: Path, membership: str = "", **files: str) -> tuple[int, str]:
    """By cgroup files; ``__`` stands for a slash, ``_dot_`` for a dot."""
    for name, text in files.items():
        path = folder / "cgroup" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "self").write_text(membership)
    found = cpu_limit(folder / "cgroup", folder / "self")
    return found.count, found.reason


def test_all_cpus_of_a_machine_without_limits(tmp_path: Path) -> None:
    assert limit(tmp_path, "0::/\n") == (64, "")
    assert cpu_limit(tmp_path / "none", tmp_path / "none").count == 64, "no Linux"


def test_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    assert limit(tmp_path) == (3, "CPU affinity")
    quota = {"cpu_dot_max": "400000 100000"}
    assert limit(tmp_path, "0::/\n", **quota) == (3, "CPU affinity"), "a quota raises nothing"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("400000 100000", 4), ("250000 100000", 2), ("50000 100000", 1), ("max 100000", 64)],
)
def test_a_quota_of_version_2(tmp_path: Path, text: str, cpus: int) -> None:
    assert limit(tmp_path, "0::/\n", cpu_dot_max=f"{text}\n")[0] == cpus


def test_the_strictest_quota_on_the_way_to_the_root(tmp_path: Path) -> None:
    files = {
        "a__cpu_dot_max": "300000 100000",
        "a__b__cpu_dot_max": "800000 100000",
        "other__cpu_dot_max": "100000 100000",
    }
    assert limit(tmp_path, "0::/a/b/c\n", **files) == (3, "cgroup quota of 3")


@pytest.mark.parametrize("path", ["/docker/4f2e", "/../../outside"])
def test_a_container_that_names_the_path_of_its_host(tmp_path: Path, path: str) -> None:
    assert limit(tmp_path, f"0::{path}\n", cpu_dot_max="200000 100000")[0] == 2


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_version_1(tmp_path: Path, folder: str) -> None:
    membership = "7:memory:/job\n4:cpu,cpuacct:/job\n0::/\n"
    files = {
        f"{folder}__job__cpu_dot_cfs_quota_us": "150000\n",
        f"{folder}__job__cpu_dot_cfs_period_us": "50000\n",
        f"{folder}__cpu_dot_cfs_quota_us": "-1\n",
        f"{folder}__cpu_dot_cfs_period_us": "100000\n",
    }
    assert limit(tmp_path, membership, **files) == (3, "cgroup quota of 3")


def test_a_slurm_allocation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "8")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    assert limit(tmp_path) == (8, "Slurm allocation"), "a batch script has the whole allocation"
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    assert limit(tmp_path) == (2, "Slurm allocation"), "a task of srun has its share"
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "many")
    assert limit(tmp_path)[0] == 8


def test_a_local_ray_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "3")
    here = available_cpus()
    assert here <= 3
    space = make_space(resources={"cpu": 1, "gpu": 0})
    assert limit_cpus(SearchOptions(), space).cpus == here
    assert limit_cpus(SearchOptions(cpus=16), space).cpus == 16, "the user's own number"
    assert limit_cpus(SearchOptions(address="auto"), space).cpus is None
    one = make_space(resources={"cpu": 1, "gpu": 0, "max_concurrent": 1})
    assert limit_cpus(SearchOptions(), one).cpus == 1
