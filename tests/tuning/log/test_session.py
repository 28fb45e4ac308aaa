"""How a session ends when what it wrote to is gone."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.storage import UrlPath
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.folder import check_log, open_log
from fer_tune.tuning.session import recorded_session
from tests.object_store import ObjectStore


@pytest.mark.slow
def test_what_ended_it_is_reported_and_not_what_came_of_it(store: ObjectStore) -> None:
    results = Results(store.folder("sitting"))
    results.write_manifest({"state": "running"})
    log = EventLog.begin(results.root, {"space": {"budget": {}}})  # type: ignore[arg-type]
    search: Any = SimpleNamespace(
        results=results,
        log=log,
        history=History(identity={}),
        settings=SimpleNamespace(bank_limits=None),
    )
    try:
        with (
            pytest.raises(ResultsError, match="cannot write: the store is unavailable") as raised,
            recorded_session(search, time.time()),
        ):
            store.stop()
            log.append("tick")
    finally:
        store.start()
    assert str(raised.value).startswith(f"{results.root}: ")
    assert f"fer-tune resume '{results.root}'" in str(raised.value)


class Away:
    """A filesystem behind which nobody answers."""

    def get_file_info(self, *_: object) -> Any:
        raise OSError("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7, x")


def test_time_of_earlier_sessions_counts(tmp_path: Path) -> None:
    EventLog.begin(tmp_path, {"space": {"budget": {}}})
    history = replace(History.read(tmp_path), spent=1234.5)
    assert 1234.5 <= open_log(tmp_path, history, None).spent() < 1300


def test_a_store_that_becomes_unavailable_before_a_session_begins_is_one_message(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks at it, or while Ray starts."""
    folder = store.folder("before")
    EventLog.begin(folder, {"space": {"budget": {}}})
    history = History.read(folder)
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "0")
    with monkeypatch.context() as patched:
        patched.setattr(UrlPath, "filesystem", Away())
        with pytest.raises(ResultsError, match="cannot be read: the store is unavailable"):
            check_log(folder)
        with pytest.raises(ResultsError, match="the store is unavailable") as raised:
            open_log(folder, history, None)
    assert f"fer-tune resume '{folder}'" in str(raised.value)
