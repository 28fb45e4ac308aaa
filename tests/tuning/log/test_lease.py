"""One writer at a URL: refused while the other lives, taken over when it is gone."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.storage import UrlPath, urls
from fer_tune.tuning.files.local_files import open_local_folder
from fer_tune.tuning.log import lease as module
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.lease import LEASE_FILE, Holder, Lease, leased
from fer_tune.tuning.session import recorded_session
from tests.module_time import replace_time
from tests.object_store import ObjectStore

#: As it is in a search.
EXPIRY_S = module.EXPIRY_S


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("HEARTBEAT_S", 0.2), ("EXPIRY_S", 3.0), ("SETTLE_S", 0.2)):
        monkeypatch.setattr(module, name, seconds)


def leave(folder: UrlPath, holder: Holder) -> None:
    (folder / LEASE_FILE).write_bytes(json.dumps(asdict(holder)).encode())


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_second_writer_is_refused_and_the_first_leaves_nothing(store: ObjectStore) -> None:
    folder = store.folder("lease/second")
    with leased(folder) as first:
        with (
            pytest.raises(
                ResultsError, match=f"process {first._own.process} on .* is writing to this folder"
            ),
            leased(folder),
        ):
            pass
        time.sleep(3.5)  # longer than a lease without a heartbeat would hold
        with pytest.raises(ResultsError, match="last heartbeat"), leased(folder):
            pass
        first.check()
    assert store.keys(folder) == []
    with leased(folder):
        pass


def test_another_machines_lease_holds_until_it_expires(
    store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    folder = store.folder("lease/stale")
    leave(folder, replace(Holder.current(), host="node-7", machine="another"))
    with pytest.raises(ResultsError, match="on node-7") as raised, leased(folder):
        pass
    assert "If its machine is down, try again in 3 s" in str(raised.value)
    time.sleep(4.5)  # the store has whole seconds
    with leased(folder):
        assert any("on node-7" in r.message and "taking over" in r.message for r in caplog.records)


def test_what_a_killed_process_of_this_machine_left_is_taken_over_at_once(
    store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    folder = store.folder("lease/killed")
    gone = ended_process()
    leave(folder, replace(Holder.current(), process=gone))
    with leased(folder):
        assert any(f"process {gone}" in r.message for r in caplog.records)
    leave(folder, replace(Holder.current(), process=gone, machine="another container"))
    with pytest.raises(ResultsError, match="is writing to this folder"), leased(folder):
        pass


def test_a_lease_that_was_taken_over_is_noticed_and_not_released(store: ObjectStore) -> None:
    folder = store.folder("lease/over")
    other = replace(Holder.current(), host="node-8")
    with leased(folder) as lease:
        leave(folder, other)
        deadline = time.monotonic() + 20
        while lease._heartbeat.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(OSError, match=r"on node-8 since .* has taken over this folder"):
            lease.check()
    assert json.loads((folder / LEASE_FILE).read_bytes()) == asdict(other)


def test_a_machine_that_slept_looks_before_it_writes(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("lease/slept")
    monkeypatch.setattr(module, "HEARTBEAT_S", 600.0)
    with leased(folder) as lease:
        lease._renewed -= 2.0
        lease.check()  # still its own
        leave(folder, replace(Holder.current(), host="node-9"))
        lease.check()  # so soon after a heartbeat nobody can have taken it over
        lease._renewed -= 2.0
        with pytest.raises(OSError, match=r"on node-9 since .* has taken over this folder"):
            lease.check()


class CutOff:
    """A filesystem that does not let the next write to a file through; ``meanwhile`` is done."""

    def __init__(self, filesystem: Any, name: str, meanwhile: Callable[[], None]) -> None:
        self._filesystem, self._name, self._meanwhile = filesystem, name, meanwhile
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._filesystem, name)

    def open_output_stream(self, path: str) -> Any:
        if self._name in path and not self.cut:
            self.cut = True
            self._meanwhile()
            raise OSError("AWS Error NETWORK_CONNECTION during PutObject operation: curlCode: 7, x")
        return self._filesystem.open_output_stream(path)


def test_a_heartbeat_that_was_held_up_does_not_take_the_lease_back(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = store.folder("lease/held-up"), replace(Holder.current(), host="node-10")
    with leased(folder) as lease:
        cut = CutOff(folder.filesystem, LEASE_FILE, lambda: leave(folder, other))
        monkeypatch.setattr(UrlPath, "filesystem", cut)
        lease._heartbeat.join(20)
        assert cut.cut and lease.is_lost
    assert json.loads((folder / LEASE_FILE).read_bytes()) == asdict(other)


def test_a_write_that_hangs_ends_before_the_lease_that_it_was_checked_against() -> None:
    """Of all attempts of pyarrow, none of which looks at the lease again."""
    attempts = urls._ATTEMPTS * (urls._CONNECT_S + urls._RESPONSE_S)
    assert attempts < EXPIRY_S - EXPIRY_S / 3


def test_a_store_that_was_unavailable_at_the_start_is_not_waited_for_again(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, waited = store.folder("lease/start"), list[float]()
    cut = CutOff(folder.filesystem, LEASE_FILE, lambda: time.sleep(0.5))
    monkeypatch.setattr(UrlPath, "filesystem", cut)
    replace_time(monkeypatch, module, sleep=lambda s: (waited.append(s), time.sleep(min(s, 1.0))))
    with leased(folder) as lease:
        lease.check()
    assert cut.cut and max(waited) < 0.6, waited


def test_an_event_that_was_held_up_is_not_written_under_anothers_lease(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = store.folder("lease/late"), replace(Holder.current(), host="node-11")
    monkeypatch.setattr(module, "HEARTBEAT_S", 600.0)
    with leased(folder) as lease:
        log = EventLog.begin(folder, {"space": {"budget": {}}}, lease=lease)
        log.append("tick")

        def taken_over() -> None:
            lease._renewed -= 2.0  # so long was there no way to the store
            leave(folder, other)

        monkeypatch.setattr(
            UrlPath, "filesystem", CutOff(folder.filesystem, "events.jsonl", taken_over)
        )
        with pytest.raises(OSError, match=r"on node-11 since .* has taken over this folder"):
            log.append("searched")
        assert log.is_lost
    assert not History.read(folder).searched


def test_who_has_lost_its_lease_leaves_manifest_and_mirrors_alone(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "HEARTBEAT_S", 600.0)
    folder = store.folder("lease/manifest")
    results = Results(folder)
    with leased(folder) as lease, open_local_folder(folder, lease) as local_folder:
        (local_folder / "search.log").write_text("of who lost it")
        results.write_manifest({"state": "running", "choices": []})
        log = EventLog.begin(folder, {"space": {"budget": {}}}, lease=lease)
        search: Any = SimpleNamespace(
            results=results,
            log=log,
            history=History(identity={}),
            settings=SimpleNamespace(bank_limits=None),
        )
        with (
            pytest.raises(ResultsError, match="has taken over this folder"),
            recorded_session(search, 0.0),
        ):
            leave(folder, replace(Holder.current(), host="node-12"))
            results.update_manifest(choice_frozen_at=1.0)
            (folder / "search.log").write_bytes(b"of the other")
            lease._renewed -= 2.0
            log.append("tick")
    assert results.manifest()["state"] == "running"
    assert (folder / "search.log").read_bytes() == b"of the other"


def test_an_interrupted_lease_is_not_left_behind(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("lease/interrupted")
    replace_time(monkeypatch, module, sleep=_interrupted)
    with pytest.raises(KeyboardInterrupt), leased(folder):
        pass
    assert store.keys(folder) == []


def _interrupted(seconds: float) -> None:
    raise KeyboardInterrupt


def test_of_two_processes_at_once_one_gets_the_lease(store: ObjectStore) -> None:
    folder = store.folder("lease/both")
    start, got, refused = threading.Barrier(2), [], []

    def go() -> None:
        lease = Lease(folder)
        start.wait()
        try:
            lease.acquire()
        except ResultsError as error:
            refused.append(error)
        else:
            got.append(lease)

    both = [threading.Thread(target=go) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(got) == 1 and len(refused) == 1
    got[0].release()


def test_a_lease_that_names_nobody_is_reported(store: ObjectStore) -> None:
    folder = store.folder("lease/rubbish")
    (folder / LEASE_FILE).write_bytes(b"rubbish")
    with pytest.raises(ResultsError, match="does not name a writer"), leased(folder):
        pass


def test_a_bucket_that_is_not_there_is_reported(store: ObjectStore) -> None:
    folder = UrlPath(store.url("x", bucket="nobodys"))
    with pytest.raises(ResultsError, match="there is no such bucket"), leased(folder):
        pass
