"""Credentials planted in URLs and environment of a search are found in nothing that it leaves.

What it prints, all of its results folder, its caches, Ray's own files and the list of processes
are searched, byte by byte. A `submit` is searched in `cluster/jobs/test_job_commands.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.processes import descendants
from fer_tune.storage import UrlPath, put_folder
from fer_tune.tuning.log.events import History
from tests.integration import recorded_search
from tests.integration.bench import Bench
from tests.integration.killing import SearchProcess
from tests.integration.recorded_search import ERROR
from tests.object_store import ObjectStore

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
#: In URLs, and in the environment. Each is unlike anything that would be there without it.
IN_URL = "HuShUrl0123456789ABCDEF"
PLANTED = {
    "AWS_SESSION_TOKEN": "HuShAws0123456789ABCDEF",
    "HF_TOKEN": "HuShHf0123456789ABCDEF",
    "WANDB_API_KEY": "HuShWandb0123456789ABCDEF",
    "KAGGLE_KEY": "HuShKaggle0123456789ABCDEF",
    "RAY_AUTH_TOKEN": "HuShRay0123456789ABCDEF",
    "SMTP_PASSWORD": "HuShMail0123456789ABCDEF",
}
SECRET = b"HuSh"


class Left(NamedTuple):
    """What the search left; ``places`` by name, each with its content."""

    text: str
    history: History
    places: dict[str, bytes]
    commands: set[bytes]


@pytest.fixture(scope="module")
def left(served: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    home = tmp_path_factory.mktemp("planted")
    bench = Bench(home)
    ray_files = tempfile.mkdtemp(prefix="p-", dir="/tmp")  # short, for Ray's sockets
    user = f"key:{IN_URL}@"
    data = UrlPath(served.url("planted/data", user=user))
    put_folder(home / "faces", data)
    folder = UrlPath(served.url("planted/results", user=user))
    words = [*bench.search[:2], "--data", data.url, "--results", folder.url]
    words += ["--set", "budget.trials=4", "--set", "confirm.seeds=2", "--cpus", "1"]
    # As the exceptions of libraries do: one trial fails with all of them in its message.
    message = f"denied at {folder.url} with {' '.join(PLANTED.values())}"
    given = {
        **PLANTED,
        ERROR: message,
        "RAY_TMPDIR": ray_files,
        "XDG_CACHE_HOME": str(home / "cache"),
        "FER_TUNE_CACHE": str(home / "copies"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        with (home / "out.txt").open("wb") as out:
            process = SearchProcess(
                folder,
                *words,
                home=home,
                module=recorded_search.__name__,
                environment=given,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
            try:
                process.until(lambda history: True)  # Python and Ray are loaded
                with _watched(process.pid) as commands:
                    code = process.ended(300)
            finally:
                process.clean_up()
        assert code == 0, (home / "out.txt").read_text()
        places = {f"store/{key}": (folder / key).read_bytes() for key in served.keys(folder)}
        for place in (home, Path(ray_files)):
            for file in place.rglob("*"):
                if file.is_file() and not file.is_symlink():
                    places[str(file)] = file.read_bytes()
        yield Left((home / "out.txt").read_text(), History.read(folder), places, commands)
    finally:
        shutil.rmtree(ray_files)


class _watched:
    """Command lines of a process and all that it starts, as any user reads them."""

    def __init__(self, pid: int) -> None:
        self._pid, self._over, self.seen = pid, threading.Event(), set[bytes]()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> set[bytes]:
        self._thread.start()
        return self.seen

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for pid in (self._pid, *descendants(self._pid)):
                with suppress(OSError):  # it has just ended
                    self.seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())


def test_the_search_ran_and_its_trial_failed(left: Left) -> None:
    assert sum(run.failed for run in left.history.runs.values()) == 1
    assert any("/errors/" in name for name in left.places), left.places.keys()
    assert any(name.endswith("/logs/gcs_server.out") for name in left.places)


def test_nothing_printed_and_no_file_holds_a_credential(left: Left) -> None:
    assert "HuSh" not in left.text
    found = sorted(name for name, content in left.places.items() if SECRET in content)
    # Ray keeps the exception itself in its folder, which is this user's alone.
    assert [name for name in found if not _is_exception(name)] == []


def _is_exception(name: str) -> bool:
    path = Path(name)
    return path.parts[4:5] == ("r",) and path.name in ("error.pkl", "error.txt")


def test_the_list_of_processes_shows_none(left: Left) -> None:
    assert any(b"--results" in command for command in left.commands)
    assert any(b"gcs_server" in command for command in left.commands)
    assert [command for command in left.commands if SECRET in command] == []


def test_what_the_error_says_otherwise_is_kept(left: Left) -> None:
    (text,) = (content for name, content in left.places.items() if "store/errors/" in name)
    assert b"denied at s3://searches/planted/results" in text and "… …".encode() in text
