"""The event log in an object store: segments, read back in order, cut nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fer_tune.errors import ResultsError
from fer_tune.tuning.log import event_store
from fer_tune.tuning.log.event_store import Segments, read_lines
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History, has_log
from fer_tune.tuning.log.lease import Lease
from tests.object_store import ObjectStore
from tests.tuning.log.logged_search import IDENTITY, Driver


def test_a_search_at_a_url_is_that_on_a_path(store: ObjectStore, tmp_path: Path) -> None:
    """Its events are equal, and a resume from what is there comes to the same end."""
    here = Driver(tmp_path, 1).drive()
    folder: Any = store.folder("log/same")
    there = Driver(folder, 1).drive()
    assert there.outcome() == here.outcome()
    lines = [line for _, line in read_lines(folder / EVENTS_FILE)]
    assert _timeless(lines) == _timeless((tmp_path / EVENTS_FILE).read_bytes().splitlines())
    again = History.read(folder)
    assert again.searched and [r.results for r in again.runs.values()] == [
        r.results for r in History.read(tmp_path).runs.values()
    ]


def test_cut_after_any_event_it_continues_to_the_same_end(
    store: ObjectStore, tmp_path: Path
) -> None:
    outcome = Driver(tmp_path, 1).drive().outcome()
    lines = (tmp_path / EVENTS_FILE).read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines), 9):
        folder: Any = store.folder(f"log/cut-{count}")
        (folder / EVENTS_FILE / "000001").write_bytes(b"".join(lines[:count]))
        resumed = Driver(folder, 1, History.read(folder)).drive()
        assert resumed.outcome() == outcome
        assert History.read(folder).searched


def _timeless(lines: list[bytes]) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in lines]
    return [{k: v for k, v in e.items() if k not in ("at", "spent")} for e in events]


def test_segments_follow_each_other_and_a_session_begins_one(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_store, "SEGMENT_BYTES", 300)
    folder = store.folder("log/segments")
    assert not has_log(folder)
    log = EventLog.begin(folder, {"space": {"budget": {}}})
    assert has_log(folder)
    for _ in range(12):
        log.append("tick")
    EventLog(folder).append("searched")
    names = store.keys(folder / EVENTS_FILE)
    assert names == [f"{n:06d}" for n in range(1, len(names) + 1)] and len(names) == 4
    reported = [json.loads(line) for _, line in read_lines(folder / EVENTS_FILE)]
    assert [e.get("kind") for e in reported] == [None, *["tick"] * 12, "searched"]
    assert [e["at"] for e in reported[1:]] == sorted(e["at"] for e in reported[1:])
    first = (folder / EVENTS_FILE / names[-1]).read_bytes()
    assert first.count(b"\n") == 1, "what an earlier session wrote is not touched"


def test_a_missing_segment_is_reported(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_store, "SEGMENT_BYTES", 1)
    folder = store.folder("log/missing")
    log = EventLog.begin(folder, IDENTITY)
    for _ in range(3):
        log.append("tick")
    (folder / EVENTS_FILE / "000003").unlink()
    with pytest.raises(ResultsError, match="segment 000003 of the log is missing"):
        History.read(folder)


def test_a_damaged_line_is_named_by_segment(store: ObjectStore) -> None:
    folder = store.folder("log/damaged")
    EventLog.begin(folder, IDENTITY)
    (folder / EVENTS_FILE / "000002").write_bytes(
        b'{"kind": "tick", "at": 1, "spent": 0}\nrubbish\n'
    )
    with pytest.raises(ResultsError, match="not a valid event") as raised:
        History.read(folder)
    assert str(raised.value).startswith(f"{folder / EVENTS_FILE / '000002'}:2")


@pytest.mark.slow
def test_a_store_that_becomes_unavailable_is_the_error_of_every_later_event(
    store: ObjectStore,
) -> None:
    folder = store.folder("log/away")
    log = EventLog.begin(folder, IDENTITY)
    log.append("tick")
    store.stop()
    try:
        with pytest.raises(OSError, match="is unavailable") as first:
            log.append("searched")
    finally:
        store.start()
    with pytest.raises(OSError, match="is unavailable") as second:
        log.append("tick")
    assert second.value is first.value
    assert not History.read(folder).searched
    EventLog(folder).append("searched")
    assert History.read(folder).searched


def test_who_has_lost_its_lease_writes_nothing_more(store: ObjectStore) -> None:
    folder = store.folder("log/lost")
    lease = Lease(folder)
    log = EventLog.begin(folder, IDENTITY, lease=lease)
    log.append("tick")
    lease._lost = "process 7 on other"
    with pytest.raises(OSError, match="process 7 on other has taken over this folder"):
        log.append("searched")
    assert not History.read(folder).searched


def test_a_segment_that_was_refused_is_not_taken_for_written(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("log/refused")
    lines = Segments(folder)
    lines.append(b"1\n")
    with monkeypatch.context() as patched:
        patched.setattr("fer_tune.storage.UrlPath.write_bytes", _refuse)
        with pytest.raises(OSError, match="full"):
            lines.append(b"2\n")
    lines.append(b"3\n")
    assert [line for _, line in read_lines(folder)] == [b"1\n", b"3\n"]


def _refuse(*_: object, **__: object) -> None:
    raise OSError(28, "full")


def test_a_log_that_was_copied_to_a_url_continues_there(store: ObjectStore, tmp_path: Path) -> None:
    Driver(tmp_path, 1).drive()
    whole = (tmp_path / EVENTS_FILE).read_bytes()
    folder = store.folder("log/moved")
    (folder / EVENTS_FILE).write_bytes(whole + b'{"kind": "ti')  # torn by a kill, then copied
    assert History.read(folder).searched
    EventLog(folder).append("tick")
    assert store.keys(folder) == [f"{EVENTS_FILE}/000001", f"{EVENTS_FILE}/000002"]
    lines = [line for _, line in read_lines(folder / EVENTS_FILE)]
    assert b"".join(lines[:-1]) == whole and json.loads(lines[-1])["kind"] == "tick"


def test_a_log_that_was_fetched_continues_here(tmp_path: Path) -> None:
    outcome = Driver(tmp_path / "whole", 1).drive().outcome()
    lines = (tmp_path / "whole" / EVENTS_FILE).read_bytes().splitlines(keepends=True)
    segments = tmp_path / "fetched" / EVENTS_FILE
    segments.mkdir(parents=True)
    for number, part in enumerate((lines[:5], lines[5:20]), start=1):
        (segments / f"{number:06d}").write_bytes(b"".join(part))
    fetched = tmp_path / "fetched"
    resumed = Driver(fetched, 1, History.read(fetched)).drive()
    assert resumed.outcome() == outcome
    assert {p.name for p in segments.iterdir()} == {"000001", "000002", "000003"}
    assert History.read(fetched).searched
