"""What several rooms' tests share: drawn faces, the real sample, an object store."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_tune.data import PackedDataset, import_source
from fer_tune.storage import retry, urls
from tests.command_line import Outcome, Run
from tests.object_store import ObjectStore, impatient
from tests.slowest import (
    LONG_LIST,
    mark_slow,
    place_of,
    pytest_addoption,  # noqa: F401
    pytest_ignore_collect,  # noqa: F401
    pytest_terminal_summary,  # noqa: F401
)

SAMPLE = Path(__file__).resolve().parents[1] / "../shared/data"


# A run in the background of a script ignores Ctrl-C, and so would every command that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Ray gives its workers a low priority; two test processes on two cores would leave them nothing.
os.environ.setdefault("RAY_worker_niceness", "0")

# Tests leave nothing in the user's state, where readings of test splits are counted.
if "FER_TUNE_STATE" not in os.environ:
    os.environ["FER_TUNE_STATE"] = tempfile.mkdtemp(prefix="fer-tune-tests-state-")
    atexit.register(shutil.rmtree, os.environ["FER_TUNE_STATE"], ignore_errors=True)

LONG = ("machines", "kills", "browser", "ray", "slow")
#: Seconds after which a test with Ray is taken to hang: starting processes is slow where CPUs are
#: busy, and says nothing of what is tested.
RAY_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that at the end no process waits for one that began late."""

    mark_slow(items)

    def rank(item: pytest.Item) -> int:
        marks = {mark.name for mark in item.iter_markers()}
        return next((n for n, name in enumerate(LONG) if name in marks), len(LONG))

    for item in items:
        if item.get_closest_marker("ray") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(RAY_TIMEOUT_S))

    listed = LONG_LIST.read_text(encoding="utf-8").splitlines()
    first: dict[Path, tuple[int, int]] = {}
    for item in items:
        place = (place_of(item, listed), rank(item))
        first[item.path] = min(place, first.get(item.path, place))
    items.sort(key=lambda item: first[item.path])  # stable: a file's tests stay as they are


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process."""
    import fer_tune.cli

    def fer_tune_cli(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["fer-tune", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            fer_tune.cli.main()
        return Outcome(int(ended.value.code or 0), *capsys.readouterr())

    return fer_tune_cli


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """120 drawn faces, packed."""
    folder = tmp_path_factory.mktemp("faces") / "packed"
    import_source("synthetic:120", folder)
    return PackedDataset.open(folder)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectStore]:
    """An S3 server; stopped after the last test."""
    pytest.importorskip("moto.server", reason="the S3 server for tests needs moto[server]")
    store = ObjectStore()
    yield store
    store.stop()


@pytest.fixture(scope="module")
def served(s3_server: ObjectStore) -> ObjectStore:
    """The S3 server with a bucket, which another module's simulated Amazon would remove."""
    s3_server.make_bucket()
    return s3_server


@pytest.fixture
def asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 is asked by pyarrow once; it would try again for seconds before fer_tune does."""
    original = urls._filesystem.__wrapped__
    once = functools.lru_cache(lambda url, process: impatient(original(url, process)))
    monkeypatch.setattr(urls, "_filesystem", once)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def store(served: ObjectStore, asks_once: None, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The S3 server, for a test that does not wait long for one that is unavailable.

    What an earlier test left unavailable is forgotten: the server is the same one.
    """
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "1")
    monkeypatch.setattr(retry, "_unavailable", {})
    monkeypatch.setattr(retry, "_given_up", set())
    return served
