"""`fer-tune doctor`: every check in its good and its bad state, and the whole for its user."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_tune.cli.doctor import checks, folders, machine
from fer_tune.cli.doctor.checks import GIB, Check, State
from fer_tune.cli.doctor.command import checked_safely, line, summary
from fer_tune.models.registry import backbone
from fer_tune.storage.file_systems import write_problem

PIP = "/env/bin/python -m pip"
HERE = Path("/somewhere")

#: What a check made of its figures, the state that these deserve, words of what it found, and of
#: its remedy; no words for none.
CASES: dict[str, tuple[Check, State, str, str]] = {
    "project": (checks.check_project("0.1.0", pip=PIP), State.OK, "0.1.0", ""),
    "project not installed": (
        checks.check_project(None, pip=PIP),
        State.WARNING,
        "not installed",
        f"{PIP} install -c constraints.txt -e .",
    ),
    "python": (checks.check_python("3.12.1", ">=3.11"), State.OK, "3.12.1", ""),
    "python too old": (
        checks.check_python("3.10.9", ">=3.11"),
        State.MISSING,
        "3.10.9, but >=3.11 is required",
        "such a Python",
    ),
    "library": (
        checks.check_library("torch<3,>=2.9", "2.14.1+cu130", pip=PIP),
        State.OK,
        "2.14.1+cu130 (>=2.9,<3)",
        "",
    ),
    "library before its release": (
        checks.check_library("torch<3,>=2.9", "2.15.0.dev20260101", pip=PIP),
        State.OK,
        "2.15.0",
        "",
    ),
    "library too old": (
        checks.check_library("torch<3,>=2.9", "2.8.1", pip=PIP),
        State.MISSING,
        "2.8.1, but >=2.9,<3 is required",
        f"`{PIP} install 'torch>=2.9,<3'`",
    ),
    "library too new": (
        checks.check_library("torch<3,>=2.9", "3.0", pip=PIP),
        State.MISSING,
        "3.0, ",
        "'torch>=2.9,<3'",
    ),
    "library absent, with extras": (
        checks.check_library("ray[tune,default]<3,>=2.50", None, pip=PIP),
        State.MISSING,
        "not installed",
        "'ray[default,tune]>=2.50,<3'",
    ),
    "optional library": (
        checks.check_library("kagglehub>=0.3", "0.4", pip=PIP, use="Kaggle"),
        State.OK,
        "0.4",
        "",
    ),
    "optional library absent": (
        checks.check_library("kagglehub>=0.3", None, pip=PIP, use="Kaggle"),
        State.OK,
        "not installed; needed only for Kaggle",
        f"`{PIP} install 'kagglehub>=0.3'`",
    ),
    "optional library too old": (
        checks.check_library("kagglehub>=0.3", "0.2", pip=PIP, use="Kaggle"),
        State.WARNING,
        "0.2, but >=0.3 is required",
        "'kagglehub>=0.3'",
    ),
    "torch pair": (
        checks.check_torch_pair("2.9.1+cpu", "0.24.1", "==2.9.1", "", pip=PIP),
        State.OK,
        "compatible",
        "",
    ),
    "torch pair apart": (
        checks.check_torch_pair("2.10.0", "0.24.1", "==2.9.1", "", pip=PIP),
        State.WARNING,
        "built for torch ==2.9.1",
        "--force-reinstall torch torchvision",
    ),
    "torch pair broken": (
        checks.check_torch_pair("2.9.1", "0.24.1", "==2.9.1", "no nms", pip=PIP),
        State.MISSING,
        "are incompatible: no nms",
        "--force-reinstall torch torchvision",
    ),
    "GPUs": (
        checks.check_accelerators(["A (80 GiB)", "B (80 GiB)"], cuda="13.0", card=True),
        State.OK,
        "A (80 GiB), B (80 GiB)",
        "",
    ),
    "no GPU, build without CUDA": (
        checks.check_accelerators([], cuda=None, card=False),
        State.OK,
        "trials run on the CPU",
        "",
    ),
    "no GPU, build for CUDA": (
        checks.check_accelerators([], cuda="13.0", card=False),
        State.OK,
        "trials run on the CPU",
        "driver for CUDA 13.0",
    ),
    "card, build without CUDA": (
        checks.check_accelerators([], cuda=None, card=True),
        State.WARNING,
        "built without CUDA",
        "with CUDA",
    ),
    "card without driver": (
        checks.check_accelerators([], cuda="13.0", card=True),
        State.WARNING,
        "an NVIDIA card, but no GPU that torch can use",
        "driver for CUDA 13.0",
    ),
    "driver too old": (
        checks.check_accelerators([], cuda="13.0", card=False, problem="driver too old"),
        State.WARNING,
        "(driver too old)",
        "`nvidia-smi`",
    ),
    "card hidden": (
        checks.check_accelerators([], cuda="13.0", card=True, hidden=""),
        State.WARNING,
        "CUDA_VISIBLE_DEVICES=''",
        "unset CUDA_VISIBLE_DEVICES",
    ),
    "CPUs": (checks.check_cpus(2), State.OK, "2", ""),
    "CPUs of a container": (
        checks.check_cpus(2, machine=64, reason="cgroup quota of 2.5"),
        State.OK,
        "2 of the machine's 64 (cgroup quota of 2.5)",
        "",
    ),
    "one CPU": (checks.check_cpus(1), State.WARNING, "1; ", "--set resources.cpu=1"),
    "memory": (checks.check_memory(8 * GIB, 4 * GIB), State.OK, "8.0 GiB, 4.0 GiB", ""),
    "memory in use": (
        checks.check_memory(8 * GIB, 4 * GIB - 1),
        State.WARNING,
        "one trial can take 4.0 GiB",
        "Close programs",
    ),
    "little memory": (
        checks.check_memory(3 * GIB, 2 * GIB),
        State.WARNING,
        "3.0 GiB, 2.0 GiB",
        "with more",
    ),
    "open files": (checks.check_descriptors(4096, 4096), State.OK, "4096", ""),
    "open files without limit": (checks.check_descriptors(None, None), State.OK, "any number", ""),
    "few open files": (
        checks.check_descriptors(1024, 500_000),
        State.WARNING,
        "1024",
        "`ulimit -n 65536`",
    ),
    "few open files, no hard limit": (
        checks.check_descriptors(1024, None),
        State.WARNING,
        "1024",
        "`ulimit -n 65536`",
    ),
    "few open files, low hard limit": (
        checks.check_descriptors(1024, 8192),
        State.WARNING,
        "1024",
        "`ulimit -n 8192`",
    ),
    "few open files for good": (
        checks.check_descriptors(1024, 2048),
        State.WARNING,
        "1024",
        "administrator",
    ),
    "shared memory": (checks.check_shared_memory(256 * 2**20), State.OK, "/dev/shm", ""),
    "little shared memory": (
        checks.check_shared_memory(64 * 2**20),
        State.WARNING,
        "64 MiB free",
        "--shm-size",
    ),
    "no shared memory": (
        checks.check_shared_memory(None),
        State.WARNING,
        "no /dev/shm",
        "--shm-size",
    ),
    "disk": (
        folders.check_disk("disk", 5 * GIB, folder=HERE, move="move"),
        State.OK,
        "5.0 GiB free at /somewhere",
        "",
    ),
    "disk nearly full": (
        folders.check_disk("disk", 5 * GIB - 1, folder=HERE, move="use --bank"),
        State.WARNING,
        "less than 5 GiB",
        "Free up space there, or use --bank",
    ),
    "disk hardly enough": (
        folders.check_disk("disk", GIB, folder=HERE, move="use --bank"),
        State.WARNING,
        "less than 5 GiB",
        "use --bank",
    ),
    "disk full": (
        folders.check_disk("disk", GIB - 1, folder=HERE, move="use --bank"),
        State.MISSING,
        "less than 1 GiB",
        "use --bank",
    ),
    "bank": (folders.check_bank(HERE, ""), State.OK, "/somewhere", ""),
    "bank closed": (
        folders.check_bank(HERE, "Permission denied"),
        State.MISSING,
        "/somewhere cannot be used: Permission denied",
        "FER_TUNE_BANK",
    ),
    "weights": (
        checks.check_weights("resnet152", folder=HERE, file=HERE / "w.pth"),
        State.OK,
        "/somewhere/w.pth",
        "",
    ),
    "weights absent": (
        checks.check_weights("resnet152", folder=HERE, file=None),
        State.WARNING,
        "not in /somewhere",
        "`fer-tune weights fetch resnet152`, or search with `--set weights=none`",
    ),
    "weights unreadable": (
        checks.check_weights("resnet152", folder=HERE, file=HERE / "w.pth", problem="cut short"),
        State.WARNING,
        "/somewhere/w.pth: cut short",
        "Delete that file, then run `fer-tune weights fetch resnet152`",
    ),
    "no RAY_ADDRESS": (
        checks.check_ray_address(None, answers=None),
        State.OK,
        "starts its own",
        "",
    ),
    "Ray answers": (
        checks.check_ray_address("head:6379", answers=True),
        State.OK,
        "head:6379, and it is reachable",
        "--address head:6379",
    ),
    "Ray of an address that tells no port": (
        checks.check_ray_address("auto", answers=None),
        State.OK,
        "RAY_ADDRESS is auto",
        "--address auto",
    ),
    "Ray is silent": (
        checks.check_ray_address("head:6379", answers=False),
        State.WARNING,
        "nothing listens",
        "unset RAY_ADDRESS",
    ),
    "Ray starts": (checks.check_ray(6.7, "", logs=HERE), State.OK, "7 s", ""),
    "Ray does not start": (
        checks.check_ray(0, "timed out", logs=HERE),
        State.MISSING,
        "timed out",
        "/somewhere",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_figures_become_a_state_and_a_remedy(case: str) -> None:
    check, state, found, remedy = CASES[case]
    assert check.state is state, check
    assert found in check.found
    assert bool(check.remedy) == bool(remedy) and remedy in check.remedy
    assert check.remedy or state is State.OK, "what is not ok has a remedy"


@pytest.mark.parametrize("case", CASES)
def test_a_check_is_printed_whole_within_the_width(case: str) -> None:
    check = CASES[case][0]
    printed = line(check, 100).plain
    assert max(map(len, printed.splitlines())) <= 100
    words = f"{check.state} {check.name} {check.found} {check.remedy}".split()
    assert printed.rstrip(".").split() == words


def test_names_are_aligned_and_paths_stay_whole() -> None:
    path = Path("/long") / "/".join(["folder-name"] * 12)
    check = checks.check_weights("densenet161", folder=path, file=None)
    printed = line(check, 60).plain
    assert str(path) in printed
    rows = [line(CASES[name][0], 100).plain for name in ("python", "disk full", "one CPU")]
    assert [re.search(r"\S+", row[35:]).start() for row in rows] == [0, 0, 0]  # type: ignore[union-attr]
    assert all(row[34] == " " for row in rows)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied", "/proc/meminfo"), "/proc/meminfo"),
        (OSError("odd"), "odd"),
        (ModuleNotFoundError("No module named 'torch'"), "torch"),
        (RuntimeError("operator torchvision::nms does not exist\nmore"), "nms does not exist"),
    ],
)
def test_a_check_that_fails_is_reported_and_keeps_what_came_before(
    error: Exception, words: str
) -> None:
    before = CASES["CPUs"][0]

    def look() -> Iterator[Check]:
        yield before
        raise error

    first, last = checked_safely("memory", look)
    assert first is before
    assert (last.name, last.state) == ("memory", State.MISSING)
    assert words in last.found and "\n" not in last.found and last.remedy


def test_a_bug_is_not_reported_as_an_error_of_the_machine() -> None:
    def look() -> Iterator[Check]:
        yield CASES["CPUs"][0]
        raise KeyError("MemTotal")

    with pytest.raises(KeyError):
        list(checked_safely("memory", look))


def test_the_summary_counts() -> None:
    assert summary(0, 1, asked_ray=True) == "Nothing is missing, 1 warning."
    assert summary(2, 0, asked_ray=False).startswith(
        "2 missing, 0 warnings. Starting Ray was not tested"
    )


MEMINFO = "MemTotal:       8388608 kB\nMemFree:  1 kB\nMemAvailable:   6291456 kB\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (8, 6)),
        ({"memory.max": "max\n"}, (8, 6)),
        (
            {
                "memory.max": f"{4 * GIB}\n",
                "memory.current": f"{3 * GIB}\n",
                "memory.stat": f"active_file 7\ninactive_file {GIB}\n",
            },
            (4, 2),
        ),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, (8, 6)),
        (
            {
                "memory/memory.limit_in_bytes": f"{5 * GIB}\n",
                "memory/memory.usage_in_bytes": f"{6 * GIB}\n",
                "memory/memory.stat": f"inactive_file {GIB}\ntotal_inactive_file 0\n",
            },
            (5, 0),
        ),
    ],
    ids=["machine", "no limit", "container", "no limit, old", "container, old"],
)
def test_memory_is_that_of_the_container(
    files: dict[str, str], expected: tuple[int, int], tmp_path: Path
) -> None:
    for name, text in {"meminfo": MEMINFO, **files}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    total, available = machine.available_memory(tmp_path / "meminfo", tmp_path)
    assert (total / GIB, available / GIB) == expected


def test_a_bank_that_cannot_be_written_is_seen_and_none_is_made(tmp_path: Path) -> None:
    assert write_problem(tmp_path / "a" / "b") == ""
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert write_problem(tmp_path / "file") == "Not a directory"
    assert write_problem(Path("/proc/bank")) != ""


def test_a_bank_that_a_search_would_refuse_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_TUNE_BANK", str(tmp_path / "bank"))
    (absent,) = folders.bank()
    (tmp_path / "bank").mkdir(mode=0o777)
    (tmp_path / "bank/file").touch()
    (tmp_path / "bank").chmod(0o777)
    (found,) = folders.bank()
    assert absent.state == State.OK and found.state == State.MISSING
    assert "other users can write" in found.found


def test_whether_an_address_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert machine.listens(f"127.0.0.1:{port}") is True
        assert machine.listens(f"ray://127.0.0.1:{port}") is True
    assert machine.listens(f"127.0.0.1:{port}") is False
    assert machine.listens("auto") is None
    assert machine.listens("head:port") is None


def test_weights_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_TUNE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    entry = backbone("resnet18")
    (absent,) = machine.weights("resnet18")
    assert absent.state is State.WARNING and str(tmp_path) in absent.found

    file = tmp_path / Path(entry.recipe("imagenet-v1").url).name
    torch.save(entry.module().state_dict(), file)
    (present,) = machine.weights("resnet18")
    assert (present.state, present.found) == (State.OK, str(file))

    file.write_bytes(file.read_bytes()[:1_000_000])
    (cut_short,) = machine.weights("resnet18")
    assert cut_short.state is State.WARNING and f"{file}: " in cut_short.found
    assert "Delete that file" in cut_short.remedy


def examine(
    options: str = "", *, before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The whole command in a process of its own, in which a warning is an error."""
    lines = ("import sys", before, "from fer_tune.cli.doctor.command import examine")
    code = "\n".join((*lines, f"sys.exit(examine({options}))"))
    kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "COLUMNS": "100", **environment},
        timeout=200,
    )


def found_by(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    output = json.loads(done.stdout)
    states = [check["state"] for check in output["checks"]]
    assert (output["missing"], output["warnings"]) == (
        states.count("missing"),
        states.count("warning"),
    )
    assert done.returncode == (1 if output["missing"] else 0)
    return {check["name"]: check for check in output["checks"]}


def test_the_whole_as_text_where_weights_are_missing(tmp_path: Path) -> None:
    done = examine(FER_TUNE_WEIGHTS=str(tmp_path), TORCH_HOME=str(tmp_path))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    output = [one for one in lines if one.startswith("  ") and one[2] != " "]
    assert {one.split()[0] for one in output} <= {"ok", "warning", "missing"}
    assert done.returncode == (1 if any(one.startswith("  missing") for one in output) else 0)
    for title in ("Python and libraries", "Computing", "Disk", "Pretrained weights", "Ray"):
        assert title in lines
    for name in ("densenet161", "resnet152"):
        at = next(i for i, one in enumerate(lines) if f"weights of {name}" in one)
        assert lines[at].startswith("  warning")
        assert f"Run `fer-tune weights fetch {name}`, or search with" in done.stdout
    assert "starting Ray" not in done.stdout and "`--ray`" in lines[-1]
    assert not list(tmp_path.iterdir())


def test_the_whole_as_json_where_the_disk_is_too_small() -> None:
    # No space is free on /proc, and no folder can be made there.
    done = examine("as_json=True", FER_TUNE_BANK="/proc/bank")
    assert done.stderr == "" and done.returncode == 1
    checks_ = found_by(done)
    assert checks_["disk of the bank"]["state"] == "missing"
    assert "FER_TUNE_BANK" in checks_["disk of the bank"]["remedy"]
    assert checks_["feature bank"]["state"] == "missing"
    assert checks_["torch with torchvision"]["state"] == "ok"
    assert checks_["torch"]["section"] == "Python and libraries"
    assert "running Ray" in checks_ and "starting Ray" not in checks_


def test_without_torch_the_rest_is_still_reported() -> None:
    done = examine("as_json=True", before="sys.modules['torch'] = None")
    assert "Traceback" not in done.stderr and done.returncode == 1
    checks_ = found_by(done)
    assert checks_["torch with torchvision"]["state"] == "missing"
    assert checks_["accelerators"]["state"] == "missing"
    assert "could not be checked" in checks_["accelerators"]["found"]
    assert checks_["disk of Ray's files"]["state"] != "" and checks_["python"]["state"] == "ok"


@pytest.mark.ray
@pytest.mark.slow
def test_ray_is_started_and_stopped_when_asked() -> None:
    done = examine("ray=True, as_json=True")
    assert done.stderr == ""
    assert found_by(done)["starting Ray"]["state"] == "ok", done.stdout


@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_that_does_not_start_is_reported(tmp_path: Path) -> None:
    # Its sockets do not fit into so long a path.
    folder = tmp_path / ("long-name-" * 9)
    folder.mkdir()
    done = examine("ray=True, as_json=True", RAY_TMPDIR=str(folder))
    assert "Traceback" not in done.stderr
    starting = found_by(done)["starting Ray"]
    assert starting["state"] == "missing" and "path" in starting["found"], starting
    assert str(folder) in starting["remedy"]
