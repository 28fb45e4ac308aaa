"""Kills for want of memory, by the counts of cgroups and of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_tune.process import memory_kills as module
from fer_tune.process.memory_kills import MemoryKills, memory_kills
from tests.module_time import replace_time

V2 = "low 0\nhigh 7\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"


def count(folder: Path, membership: str, **files: str) -> int:
    for name, text in {"vmstat": "nr_free_pages 5\noom_kill 11\n", **files}.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "self").write_text(membership)
    return memory_kills(folder, folder / "self", folder / "vmstat")


def test_the_count_of_the_own_cgroup(tmp_path: Path) -> None:
    files = {"a__memory.events": V2, "memory.events": "oom_kill 99\n"}
    assert count(tmp_path, "0::/a\n", **files) == 2


def test_the_count_of_an_old_cgroup(tmp_path: Path) -> None:
    files = {"memory__job__memory.oom_control": V1}
    assert count(tmp_path, "4:memory:/job\n0::/\n", **files) == 4


def test_the_count_of_the_machine_without_a_cgroup(tmp_path: Path) -> None:
    assert count(tmp_path, "0::/\n") == 11
    assert memory_kills(tmp_path / "no", tmp_path / "no", tmp_path / "no") == 0


def test_several_deaths_are_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, now = [5], [1000.0]
    monkeypatch.setattr(module, "memory_kills", lambda: counts[0])
    replace_time(monkeypatch, module, monotonic=lambda: now[0])
    kills = MemoryKills()
    assert not kills.recent(), "kills before the search"
    counts[0] = 7
    assert kills.recent() and kills.recent()
    now[0] += 120
    assert not kills.recent()
