"""What the checks of `fer-tune doctor` find, and how each is printed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fer_tune.cli.doctor import checks, folders, machine
from fer_tune.cli.doctor.checks import GIB, Check, State
from fer_tune.cli.doctor.command import checked_safely, line, summary
from fer_tune.models.registry import backbone
from fer_tune.storage.file_systems import write_problem
from tests.cli.doctor_cases import CASES


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
