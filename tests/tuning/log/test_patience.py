"""A writer that waits for another one, whose machine may be down."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fer_tune.errors import ResultsError
from fer_tune.tuning.log import lease, writer
from fer_tune.tuning.log.lease import LEASE_FILE, Holder
from fer_tune.tuning.log.writer import only_writer
from tests.object_store import ObjectStore


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("HEARTBEAT_S", 0.2), ("EXPIRY_S", 3.0), ("SETTLE_S", 0.2)):
        monkeypatch.setattr(lease, name, seconds)
    monkeypatch.setattr(writer, "PATIENCE_S", 10.0)
    monkeypatch.setattr(writer, "STEP_S", 0.2)


@contextmanager
def held(folder: Path) -> Iterator[threading.Event]:
    """The lock of a folder, held by another open file, as another process would; set to end it."""
    over, begun = threading.Event(), threading.Event()

    def hold() -> None:
        with only_writer(folder):
            begun.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait(10)
    try:
        yield over
    finally:
        over.set()
        thread.join()


def test_the_lease_of_a_machine_that_is_down_is_waited_for(
    store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    folder = store.folder("patience/down")
    down = replace(Holder.current(), host="node-7", machine="another")
    (folder / LEASE_FILE).write_bytes(json.dumps(asdict(down)).encode())
    with pytest.raises(ResultsError, match="on node-7") as refused, only_writer(folder):
        pass
    assert refused.value.temporary, "the same command may succeed later"
    began = time.monotonic()
    with only_writer(folder, patient=True):
        assert time.monotonic() - began > 1
    said = [r.message for r in caplog.records if "Waiting up to 10 s" in r.message]
    assert len(said) == 1 and "on node-7" in said[0] and "last heartbeat" in said[0]
    assert "secret" not in said[0]


def test_one_that_is_alive_is_waited_for_so_long_and_no_longer(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("patience/alive")
    monkeypatch.setattr(writer, "PATIENCE_S", 4.0)
    with only_writer(folder):
        began = time.monotonic()
        with (
            pytest.raises(ResultsError, match="is writing to this folder") as refused,
            only_writer(folder, patient=True),
        ):
            pass
        assert 4 <= time.monotonic() - began < 20 and refused.value.temporary


def test_a_lock_on_a_path_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with held(tmp_path) as over:
        threading.Timer(0.8, over.set).start()
        began = time.monotonic()
        with only_writer(tmp_path, patient=True):
            assert time.monotonic() - began >= 0.5
    said = [r for r in caplog.records if "Waiting up to" in r.message]
    assert len(said) == 1 and said[0].levelno == logging.WARNING
    assert f"{tmp_path}: process" in said[0].message


def test_without_patience_a_held_lock_is_an_error_at_once(tmp_path: Path) -> None:
    with held(tmp_path):
        began = time.monotonic()
        with (
            pytest.raises(ResultsError, match="is writing to this folder") as refused,
            only_writer(tmp_path),
        ):
            pass
        assert time.monotonic() - began < 0.5 and refused.value.temporary
