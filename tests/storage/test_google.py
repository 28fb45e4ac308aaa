"""What Google's store does otherwise than Amazon's, on a server that speaks its language."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fer_tune.data import PackedDataset
from fer_tune.data.at_url import DatasetAtUrl, made_at
from fer_tune.data.readings import LEDGER
from fer_tune.errors import DataError
from fer_tune.records import Results
from fer_tune.storage import UrlPath, local_copy, put_folder, remove_tree
from fer_tune.tuning.log import lease
from fer_tune.tuning.log.events import EventLog, History, has_log
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from tests.object_store import BUCKET
from tests.storage.test_on_the_wire import WORK


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """``host:port`` of a server with a bucket."""
    with _served() as address:
        yield address


@contextmanager
def _served(*words: str) -> Iterator[str]:
    pytest.importorskip("gcp_storage_emulator", reason="needs gcp-storage-emulator")
    words = (sys.executable, "-m", "tests.google_server", *words)
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
    ) as server:
        assert server.stdout is not None
        try:
            yield f"127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


@pytest.fixture
def folder(google: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> UrlPath:
    """A folder of the test's own."""
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "1")
    return UrlPath(_url(google, BUCKET, request.node.name))


def _url(google: str, bucket: str, key: str) -> str:
    return f"gs://anonymous@{bucket}/{key}?endpoint_override={google}&scheme=http"


def test_files_are_written_listed_and_removed(folder: UrlPath) -> None:
    assert not folder.exists() and list(folder.iterdir()) == []
    file = folder / "a b#c%20+é.txt"
    file.write_bytes(b"one")
    file.write_bytes(b"")
    assert file.read_bytes() == b"" and file.is_file() and file.written_at() is not None
    (folder / "big").write_bytes(b"x" * 3_000_000)
    assert (folder / "big").read_bytes() == b"x" * 3_000_000
    (folder / "inner/deeper/file").write_bytes(b"1")
    assert [p.name for p in folder.iterdir()] == [file.name, "big", "inner"]
    assert [p.name for p in folder.files()] == [file.name, "big"]
    assert folder.is_dir() and (folder / "inner").is_dir() and not (folder / "big").is_dir()
    file.unlink()
    file.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match="not found"):
        file.unlink()
    remove_tree(folder)
    remove_tree(folder)  # nothing may be there
    assert not folder.exists()


class Interrupting:
    """A filesystem in which Ctrl-C comes between opening a file and writing it."""

    def __init__(self, filesystem: Any) -> None:
        self._filesystem = filesystem

    def open_output_stream(self, path: str) -> Any:
        stream = self._filesystem.open_output_stream(path)
        os.kill(os.getpid(), signal.SIGINT)
        return stream


def test_an_interrupted_write_leaves_the_old_or_the_new(
    folder: UrlPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "file"
    file.write_bytes(b"old")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(UrlPath, "filesystem", Interrupting(file.filesystem))
            with pytest.raises(KeyboardInterrupt):
                file.write_bytes(b"new")
    finally:
        signal.signal(signal.SIGINT, before)
    gc.collect()  # a stream that was let go of is closed, and with that its file is there
    assert file.read_bytes() in (b"old", b"new")


def test_folders_go_there_and_come_back(folder: UrlPath, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/state").write_bytes(b"1")
    put_folder(tmp_path, folder)
    with local_copy(folder) as copy:
        assert (copy / "inner/state").read_bytes() == b"1"


def test_large_files_come_in_pieces(folder: UrlPath) -> None:
    content = bytes(range(256)) * 4000
    (folder / "big").write_bytes(content)
    assert (folder / "big").size() == len(content)
    pieces = list((folder / "big").pieces(100_000))
    assert b"".join(pieces) == content and len(pieces) == 11
    (folder / "empty").write_bytes(b"")
    assert list((folder / "empty").pieces()) == []
    with pytest.raises(FileNotFoundError, match="not found"):
        next((folder / "nothing").pieces())


def test_a_dataset_is_put_there_and_brought_back(
    folder: UrlPath, faces: PackedDataset, tmp_path: Path
) -> None:
    with made_at(folder, force=False) as made:
        shutil.copytree(faces.root, made)  # also the ledger of test-split readings, if there is one
        (made / LEDGER).touch()
    there = DatasetAtUrl(folder)
    assert there.fingerprint == faces.fingerprint
    there.bring(tmp_path, lambda came: None)
    assert PackedDataset.open(tmp_path).fingerprint == faces.fingerprint
    with (
        pytest.raises(DataError, match="already a packed dataset"),
        made_at(folder, force=False),
    ):
        pass
    with pytest.raises(DataError, match=r"no dataset\.json here"):
        _ = DatasetAtUrl(folder / "inner").fingerprint


def test_a_bucket_that_is_not_there(google: str) -> None:
    folder = UrlPath(_url(google, "nobodys", "x"))
    assert not folder.has_bucket()
    with pytest.raises(FileNotFoundError, match="there is no such bucket"):
        (folder / "file").write_bytes(b"1")
    with pytest.raises(DataError, match="there is no such bucket"):
        _ = DatasetAtUrl(folder).fingerprint


def test_a_run_continues_from_its_newest_checkpoint(folder: UrlPath) -> None:
    checkpoints = Checkpoints(folder, 3)
    for epoch in (1, 2, 3):
        checkpoints.save(epoch, {"epoch": epoch}, lambda f: _write(f / "state", "of a run"))
    assert [point.result["epoch"] for point in checkpoints.newest_first()] == [3, 2]
    checkpoints.drop()
    checkpoints.drop()  # again, by a resume
    assert list(checkpoints.newest_first()) == []


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def test_records_and_log_are_what_they_are_on_a_path(folder: UrlPath, tmp_path: Path) -> None:
    for results in (Results(tmp_path), Results(folder)):
        results.write_manifest({"state": "running"})
        for part in ("a", "b"):
            results.append("trials", [{"trial": ord(part), "state": "complete"}], part=part)
        log = EventLog.begin(results.root, {"space": {"budget": {}}})
        log.append("tick")
        log.append("searched")
    here, there = Results.open(tmp_path), Results.open(folder)
    pd.testing.assert_frame_equal(here.read("trials"), there.read("trials"))
    assert there.read("epochs").empty and "a" in there.parts("trials")
    assert has_log(folder) and History.read(folder).searched


def test_one_writer_at_a_time(folder: UrlPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.1)
    with (
        lease.leased(folder) as first,
        pytest.raises(lease.ResultsError, match="is writing to this folder"),
        lease.leased(folder),
    ):
        pass
    assert first is not None and not (folder / lease.LEASE_FILE).exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["large_files", "folders"])
def test_every_third_request_fails_and_nothing_is_lost(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's client waits for seconds before it asks again, so not all of the work is done."""
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "20")
    with _served("faulty") as google:
        WORK[name](UrlPath(_url(google, BUCKET, f"wire/{name}")))
