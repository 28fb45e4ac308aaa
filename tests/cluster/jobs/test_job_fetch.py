"""Results brought here: by rsync through a real sshd, from a real S3-speaking server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from job_server import Script, serving
from ssh_server import Server, without

from fer_tune.cluster.jobs.download import Fetched, fetch
from fer_tune.cluster.ssh.dashboard_access import Access, connected_to
from fer_tune.errors import EnvironmentFault, ResultsError
from fer_tune.records import SCHEMA_VERSION
from fer_tune.storage import UrlPath
from tests.object_store import ObjectStore

FILES = {
    "manifest.json": f'{{"schema_version": {SCHEMA_VERSION}, "state": "running"}}',
    "events.jsonl": "begun\n",
    "trials.parquet/trial-0.parquet": "zero",
    "trials.parquet/trial-1.parquet": "one",
    "report/report.html": "page",
    "errors/two words.txt": "why",
    "checkpoints/trial-1/epoch-1.pt": "tail",
    "ray/session/anything": "Ray's own",
    ".lock": "",
    "trials.parquet/.trial-2.parquet.part": "torn",
}
FETCHED = {
    name
    for name in FILES
    if not name.startswith(("ray/", "checkpoints/", ".")) and "/." not in name
}


def made(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    return folder


def names(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return found - {".fetched_from"}


class There:
    """A results folder somewhere, and the way to it."""

    def __init__(self, folder: Path, results: str, access: Access | None) -> None:
        self.folder, self._results, self._access = folder, results, access
        self.sync: Callable[[], None] = lambda: None

    def fetch(self, out: Path, *, checkpoints: bool = False) -> Fetched:
        self.sync()
        return fetch(self._results, out, self._access, checkpoints=checkpoints, show=False)


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    pytest.importorskip("moto.server", reason="moto's server is not installed here")
    running = ObjectStore()
    running.make_bucket()
    yield running
    running.stop()


@pytest.fixture(params=["ssh", "store"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> There:
    """The same folder behind both ways."""
    if request.param == "ssh":
        server, access = request.getfixturevalue("server"), request.getfixturevalue("access")
        folder = made(server.home / "results" / tmp_path.name)
        return There(folder, f"~/results/{tmp_path.name}", access)
    store = request.getfixturevalue("store")
    folder = made(tmp_path / "source")
    place = store.folder(tmp_path.name)
    found = There(folder, place.url, None)
    found.sync = lambda: mirrored(folder, place)
    return found


def mirrored(folder: Path, place: UrlPath) -> None:
    """Makes the store hold what the folder holds; what is equal is left as it is."""
    held = {name: place / name for name in ObjectStore.keys(None, place)}  # type: ignore[arg-type]
    here = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    for name, one in held.items():
        if name not in here:
            one.unlink()
    for name, path in here.items():
        if name not in held or held[name].read_bytes() != path.read_bytes():
            (place / name).write_bytes(path.read_bytes())


def test_the_folder_comes_here_without_what_is_of_no_use(there: There, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = there.fetch(out)
    assert names(out) == FETCHED
    assert all((out / name).read_text() == FILES[name] for name in FETCHED)
    size = sum(len(FILES[name]) for name in FETCHED)
    assert done == Fetched(files=len(FETCHED), size=size, vanished=False)


def test_a_second_time_brings_what_has_changed(there: There, tmp_path: Path) -> None:
    out = tmp_path / "out"
    there.fetch(out)
    assert there.fetch(out) == Fetched(files=0, size=0, vanished=False)
    (there.folder / "events.jsonl").write_text("begun\nmore\n")
    (there.folder / "trials.parquet/trial-7.parquet").write_text("seven")
    (there.folder / "trials.parquet/trial-1.parquet").unlink()
    (out / "notes.txt").write_text("mine")
    (out / "report/own.html").write_text("mine")
    done = there.fetch(out)
    assert (done.files, done.size) == (2, len("begun\nmore\nseven"))
    changed = {"trials.parquet/trial-7.parquet", "notes.txt", "report/own.html"}
    assert names(out) == (FETCHED | changed) - {"trials.parquet/trial-1.parquet"}
    assert (out / "events.jsonl").read_text() == "begun\nmore\n"


def test_a_damaged_copy_is_repaired(there: There, tmp_path: Path) -> None:
    out = tmp_path / "out"
    there.fetch(out)
    (out / "trials.parquet/trial-0.parquet").write_text("ze")
    (out / "report/report.html").unlink()
    assert there.fetch(out).files == 2
    assert (out / "trials.parquet/trial-0.parquet").read_text() == "zero"


def test_checkpoints_when_asked(there: There, tmp_path: Path) -> None:
    out = tmp_path / "out"
    there.fetch(out, checkpoints=True)
    assert names(out) == FETCHED | {"checkpoints/trial-1/epoch-1.pt"}


def test_nothing_there_yet(there: There, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for path in sorted(there.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    there.folder.rmdir()
    with pytest.raises(ResultsError, match="no results there"):
        there.fetch(out)


def test_another_search_is_not_fetched_over_one(
    there: There, access: Access, server: Server, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    there.fetch(out)
    made(server.home / "another")
    with pytest.raises(ResultsError, match="contains results fetched from"):
        fetch("~/another", out, access, checkpoints=False, show=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    for place, said in ((tmp_path / "full", "not empty"), (tmp_path / "full/mine.txt", "a file")):
        with pytest.raises(ResultsError, match=said):
            there.fetch(place)
    assert names(tmp_path / "full") == {"mine.txt"}


def test_a_place_that_cannot_be_written(there: There, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="cannot be written: Not a directory"):
        there.fetch(tmp_path / "file/out")


def test_a_place_with_a_colon_is_no_host(
    there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there.fetch(Path("at 03:12"))
    assert names(tmp_path / "at 03:12") == FETCHED


def test_a_store_that_is_unavailable(
    store: ObjectStore, tmp_path: Path, monkeypatch: object
) -> None:
    assert isinstance(monkeypatch, pytest.MonkeyPatch)
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "0")
    url = store.url("away")
    mirrored(made(tmp_path / "source"), UrlPath(url))
    store.stop()
    try:
        with pytest.raises(ResultsError, match="continues where it stopped") as caught:
            fetch(url, tmp_path / "out", None, checkpoints=False, show=False)
        assert "secret" not in str(caught.value)
    finally:
        store.start()
    assert fetch(url, tmp_path / "out", None, checkpoints=False, show=False).files == len(FETCHED)


def test_a_dashboard_alone_hands_nothing_out(tmp_path: Path) -> None:
    with serving(Script()) as dashboard, connected_to(None, dashboard.address) as access:
        with pytest.raises(ResultsError, match="--cluster FILE"):
            fetch("/srv/none", tmp_path / "out", access, checkpoints=False, show=False)
        shared = made(tmp_path / "shared")
        if not without("rsync"):
            fetch(str(shared), tmp_path / "out", access, checkpoints=False, show=False)
            assert names(tmp_path / "out") == FETCHED


def test_no_rsync_here(
    access: Access, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(server.home / "plain")
    monkeypatch.setenv("PATH", str(server.folder / "bin"))
    with pytest.raises(EnvironmentFault, match="apt-get install rsync"):
        fetch("~/plain", tmp_path / "out", access, checkpoints=False, show=False)


def test_the_command(access: Access, server: Server, tmp_path: Path) -> None:
    made(server.home / "plain")
    words = ["fetch", "~/plain", *access.option.split()]
    done = subprocess.run(
        [sys.executable, "-m", "fer_tune", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "results/plain") == FETCHED
    output = f"results/plain: {len(FETCHED)} files new or changed, 0.0 MiB.\nThe search is running."
    assert done.stdout.startswith(output)
    assert "fer-tune report results/plain" in done.stdout
