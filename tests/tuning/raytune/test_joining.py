"""A Ray of other versions, one that this process uses already, a full disk, and other searches."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import types
from collections import namedtuple
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from ray._private.utils import check_version_info
from ray._private.worker import global_worker

from benchmarks.processes import descendants, title
from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune import runtime
from fer_tune.tuning.raytune.local_ray import private_ray, ray_folder
from fer_tune.tuning.raytune.nodes import neighbours
from fer_tune.tuning.raytune.nodes.neighbours import announced
from fer_tune.tuning.raytune.runtime import _connection_errors, ray_connection
from tests.lean_ray import lean_ray
from tests.tuning.apart import apart


def test_versions_that_differ_are_both_shown() -> None:
    """By Ray's own check."""
    import ray

    theirs = {"ray_version": "2.9.3", "python_version": "3.10.14"}
    with (
        pytest.raises(EnvironmentFault) as caught,
        _connection_errors("--address", "10.0.0.1:6379", "Start one"),
    ):
        check_version_info(theirs, "node 10.0.0.2", raise_on_mismatch=True)
    said, mine = str(caught.value), ".".join(map(str, sys.version_info[:3]))
    assert "the cluster runs Ray 2.9.3 on Python 3.10.14" in said
    assert f"this process Ray {ray.__version__} on Python {mine}" in said
    assert "Install the same versions" in said and "Start one" not in said


@pytest.mark.parametrize(("number", "words"), [(13, "Permission denied"), (28, "No space left")])
def test_a_folder_of_ray_that_cannot_be_used_is_named(number: int, words: str) -> None:
    with (
        pytest.raises(EnvironmentFault, match=f"/tmp/ray/session_1: {words}") as caught,
        _connection_errors("--address", "auto", "Start one"),
    ):
        raise OSError(number, os.strerror(number), "/tmp/ray/session_1")
    assert "Free up space" in str(caught.value) and "Start one" not in str(caught.value)


def test_a_ray_that_is_not_there_is_no_matter_of_folders() -> None:
    with (
        pytest.raises(EnvironmentFault, match="Start one"),
        _connection_errors("--address", "10.0.0.1:6379", "Start one"),
    ):
        raise ConnectionError("Failed to connect to GCS")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_a_full_disk_is_named_before_ray_starts(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**30, 2**30, 3 * 2**20))
    with (
        pytest.raises(EnvironmentFault, match="disk of Ray's files is full") as caught,
        private_ray(),
    ):
        pass
    assert str(short) in str(caught.value) and "3 MiB free" in str(caught.value)
    assert "RAY_TMPDIR" in str(caught.value)


@lean_ray()
def in_a_notebook() -> dict[str, Any]:
    """Searches of a process that has called ``ray.init`` before."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray

    # Not the Ray of another test, which no address would mean.
    ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="ERROR")
    address, found = ray.get_runtime_context().gcs_address, {}
    try:
        for asked in (None, "10.9.9.9:6379"):
            try:
                with ray_connection(SearchOptions(cpus=1, address=asked)):
                    found["connected"] = asked
            except EnvironmentFault as error:
                found[asked] = str(error)
        for asked in (address, "auto"):
            with ray_connection(SearchOptions(address=asked)) as engine:
                found[f"slots {asked == address}"] = engine.slots(1, 0)
            found[f"left {asked == address}"] = ray.is_initialized()
    finally:
        ray.shutdown()
    return {**found, "address": address}


@pytest.mark.ray
def test_a_ray_that_runs_in_this_process_is_used_or_named() -> None:
    found = apart(in_a_notebook)
    assert "connected" not in found
    for refused in (None, "10.9.9.9:6379"):
        assert f"--address {found['address']}" in found[refused]
    assert found["slots True"] == found["slots False"] == 1
    assert found["left True"] and found["left False"], "it is the user's"


OTHER = """
import sys
from pathlib import Path
from fer_tune.tuning.raytune.nodes.neighbours import announced
with announced(Path(sys.argv[1]), {"CPU": 2.0, "GPU": float(sys.argv[2])}) as conflict:
    print(conflict or "alone", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "available_cpus", lambda: 4)


@pytest.mark.usefixtures("cpus")
def test_a_second_search_on_a_machine_says_so(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path), "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "alone\n"
        with announced(tmp_path, {"CPU": 4.0}) as conflict:
            assert f"process {other.pid} with 2 CPU and 1 GPU" in conflict
            assert "this one counts 4 CPU and 0 GPU as its own" in conflict
        with announced(tmp_path, {"CPU": 2.0}) as conflict:
            assert conflict == "", "there are enough for both"
        with announced(tmp_path, {"CPU": 2.0, "GPU": 1.0}) as conflict:
            assert conflict, "the GPU is both's"
        other.stdin.close()
        assert other.wait(30) == 0
    with announced(tmp_path, {"CPU": 4.0}) as conflict:
        assert conflict == ""


FULL = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
OTHER_FULL = "GPU-18a2bb0d-d72c-4106-c12f-20bd9faed9f6"


@pytest.mark.usefixtures("cpus")
@pytest.mark.parametrize(
    ("ours", "theirs", "shared"),
    [
        (None, None, True),
        ("0", None, True),
        ("0", "0,1", True),
        ("0", "1", False),
        ("2, 3", "0,1", False),
        (FULL, OTHER_FULL, False),
        (FULL, FULL, True),
        (FULL, "1", True),  # it may be number 1
        (FULL, "GPU-8932", True),  # an abbreviation
        ("MIG-1", "MIG-2", True),  # parts of one, for all that is known
    ],
)
def test_searches_that_see_other_gpus_do_not_share_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ours: str | None,
    theirs: str | None,
    shared: bool,
) -> None:
    def sees(value: str | None) -> None:
        if value is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)

    sees(theirs)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path), "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "alone\n"
        sees(ours)
        with announced(tmp_path, {"CPU": 2.0, "GPU": 1.0}) as conflict:
            assert bool(conflict) == shared, conflict
        other.stdin.close()


@pytest.mark.usefixtures("cpus")
def test_what_killed_searches_leave_is_no_search(tmp_path: Path) -> None:
    folder = tmp_path / "searches"
    folder.mkdir()
    (folder / "1").write_text(json.dumps({"pid": 1, "CPU": 4, "GPU": 0}))
    (folder / "2").mkdir()
    (folder / "3").write_text("no JSON")
    with (folder / "3").open() as damaged:
        fcntl.flock(damaged, fcntl.LOCK_EX)
        with announced(tmp_path, {"CPU": 4.0}) as conflict:
            assert conflict == "" and not (folder / "1").exists()


def test_a_folder_without_room_loses_the_warning_alone(tmp_path: Path) -> None:
    (tmp_path / "searches").write_text("")
    with announced(tmp_path, {"CPU": 4.0}) as conflict:
        assert conflict == ""


@pytest.mark.ray
def test_the_job_bears_the_name_of_its_search_which_others_see() -> None:
    found = apart(_named)
    assert found["job"] == {"name": "faces"}
    assert found["announced"] and not found["left"]


@lean_ray()
def _named() -> dict[str, Any]:
    file = ray_folder().parent / "searches" / str(os.getpid())
    with ray_connection(SearchOptions(cpus=1, dashboard=False), name="faces"):
        config = global_worker.core_worker.get_job_config()
        found = {"job": dict(config.metadata), "announced": file.exists()}
    return {**found, "left": file.exists()}


def started_late(times: int) -> list[str]:
    """Starts a Ray that takes too long the first times; the names of all processes thereafter."""
    from ray._private import node, services

    get_node, answers = services.get_node, iter([RuntimeError("not yet")] * times)

    def late(*asked: Any) -> Any:
        for error in answers:
            raise error
        return get_node(*asked)

    clock = types.SimpleNamespace(sleep=time.sleep, monotonic=itertools.count(0, 31).__next__)
    for name in dir(time):
        vars(clock).setdefault(name, getattr(time, name))
    with (
        lean_ray(),
        patch.object(services, "get_node", late),
        patch.object(node, "time", clock),
        suppress(EnvironmentFault),
        ray_connection(SearchOptions(cpus=1, dashboard=False)) as engine,
    ):
        assert engine.have["CPU"] == 1
        return _running()
    return _running()


def _running() -> list[str]:
    return [Path(title(one).split()[0]).name for one in descendants(os.getpid())]


@pytest.mark.parametrize(("times", "left"), [(1, 1), (2, 0)])
def test_a_start_that_takes_too_long_is_tried_once_more(times: int, left: int) -> None:
    """As on a busy machine: Ray gives up after 30 s. Nothing is left of what was given up."""
    running = apart(started_late, times)
    assert running.count("gcs_server") == running.count("raylet") == left


@pytest.mark.parametrize(("arrived", "starts"), [([], 2), ([2], 1)])
def test_a_search_that_is_interrupted_does_not_start_ray_again(
    monkeypatch: pytest.MonkeyPatch, arrived: list[int], starts: int
) -> None:
    begun = []

    def init(**options: Any) -> None:
        begun.append(options)
        raise RuntimeError("The current node timed out during startup.")

    monkeypatch.setattr(runtime, "_init", init)
    with pytest.raises(RuntimeError, match="timed out"):
        runtime._init_patiently(arrived, num_cpus=1)
    assert begun == [{"num_cpus": 1}] * starts


def test_another_error_of_a_start_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    tries: list[Any] = []

    def broken(**options: Any) -> None:
        tries.append(options)
        raise RuntimeError("no such interface")

    monkeypatch.setattr(ray, "init", broken)
    with (
        pytest.raises(EnvironmentFault, match="no such interface"),
        ray_connection(SearchOptions(cpus=1, dashboard=False)),
    ):
        pass
    assert len(tries) == 1
