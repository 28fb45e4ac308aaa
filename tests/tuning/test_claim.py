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
from fer_tune.storage import UrlPath
from fer_tune.tuning import claim as module
from fer_tune.tuning.claim import CLAIM_FILE, Claim, Holder, claimed
from fer_tune.tuning.events import EventLog, History
from fer_tune.tuning.search import sitting
from fer_tune.tuning.working import working_folder
from tests.object_store import ObjectStore


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("BEAT_S", 0.2), ("STALE_S", 3.0), ("SETTLE_S", 0.2)):
        monkeypatch.setattr(module, name, seconds)


def leave(folder: UrlPath, holder: Holder) -> None:
    (folder / CLAIM_FILE).write_bytes(json.dumps(asdict(holder)).encode())


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_second_writer_is_refused_and_the_first_leaves_nothing(store: ObjectStore) -> None:
    folder = store.folder("claim/second")
    with claimed(folder) as first:
        with (
            pytest.raises(ResultsError, match=f"process {first._me.process} on .* is writing here"),
            claimed(folder),
        ):
            pass
        time.sleep(3.5)  # longer than a claim without a sign of life would hold
        with pytest.raises(ResultsError, match="last sign of life"), claimed(folder):
            pass
        first.check()
    assert store.keys(folder) == []
    with claimed(folder):
        pass


def test_another_machines_claim_holds_until_it_is_stale(
    store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    folder = store.folder("claim/stale")
    leave(folder, replace(Holder.me(), host="node-7", machine="another"))
    with pytest.raises(ResultsError, match="on node-7") as raised, claimed(folder):
        pass
    assert "If its machine is gone, try again in 3 s" in str(raised.value)
    time.sleep(4.5)  # the store tells whole seconds
    with claimed(folder):
        assert any("on node-7" in r.message and "taken over" in r.message for r in caplog.records)


def test_what_a_killed_process_of_this_machine_left_is_taken_over_at_once(
    store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    folder = store.folder("claim/killed")
    gone = ended_process()
    leave(folder, replace(Holder.me(), process=gone))
    with claimed(folder):
        assert any(f"process {gone}" in r.message for r in caplog.records)
    leave(folder, replace(Holder.me(), process=gone, machine="another container"))
    with pytest.raises(ResultsError, match="is writing here"), claimed(folder):
        pass


def test_a_claim_that_was_taken_over_is_noticed_and_not_given_back(store: ObjectStore) -> None:
    folder = store.folder("claim/over")
    other = replace(Holder.me(), host="node-8")
    with claimed(folder) as claim:
        leave(folder, other)
        deadline = time.monotonic() + 20
        while claim._beats.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(OSError, match=r"on node-8 since .* has taken this folder over"):
            claim.check()
    assert json.loads((folder / CLAIM_FILE).read_bytes()) == asdict(other)


def test_a_machine_that_slept_looks_before_it_writes(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("claim/slept")
    monkeypatch.setattr(module, "BEAT_S", 600.0)
    with claimed(folder) as claim:
        claim._signed -= 2.0
        claim.check()  # still its own
        leave(folder, replace(Holder.me(), host="node-9"))
        claim.check()  # so soon after a sign of life nobody can have taken it over
        claim._signed -= 2.0
        with pytest.raises(OSError, match=r"on node-9 since .* has taken this folder over"):
            claim.check()


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


def test_a_sign_of_life_that_was_held_up_does_not_take_the_claim_back(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = store.folder("claim/held-up"), replace(Holder.me(), host="node-10")
    with claimed(folder) as claim:
        cut = CutOff(folder.filesystem, CLAIM_FILE, lambda: leave(folder, other))
        monkeypatch.setattr(UrlPath, "filesystem", cut)
        claim._beats.join(20)
        assert cut.cut and claim.is_lost
    assert json.loads((folder / CLAIM_FILE).read_bytes()) == asdict(other)


def test_a_store_that_was_away_at_the_start_is_not_waited_for_again(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, waited = store.folder("claim/start"), list[float]()
    cut = CutOff(folder.filesystem, CLAIM_FILE, lambda: time.sleep(0.5))
    monkeypatch.setattr(UrlPath, "filesystem", cut)
    sleep = time.sleep
    monkeypatch.setattr(module.time, "sleep", lambda s: (waited.append(s), sleep(min(s, 1.0))))
    with claimed(folder) as claim:
        claim.check()
    assert cut.cut and max(waited) < 0.6, waited


def test_an_event_that_was_held_up_is_not_written_under_anothers_claim(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = store.folder("claim/late"), replace(Holder.me(), host="node-11")
    monkeypatch.setattr(module, "BEAT_S", 600.0)
    with claimed(folder) as claim:
        log = EventLog.begin(folder, {"space": {"budget": {}}}, claim=claim)
        log.append("tick")

        def taken_over() -> None:
            claim._signed -= 2.0  # so long was there no way to the store
            leave(folder, other)

        monkeypatch.setattr(
            UrlPath, "filesystem", CutOff(folder.filesystem, "events.jsonl", taken_over)
        )
        with pytest.raises(OSError, match=r"on node-11 since .* has taken this folder over"):
            log.append("searched")
        assert log.is_lost
    assert not History.read(folder).searched


def test_who_has_lost_its_claim_leaves_manifest_and_mirrors_alone(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "BEAT_S", 600.0)
    folder = store.folder("claim/manifest")
    results = Results(folder)
    with claimed(folder) as claim, working_folder(folder, claim) as working:
        (working / "search.log").write_text("of who lost it")
        results.write_manifest({"state": "running", "choices": []})
        log = EventLog.begin(folder, {"space": {"budget": {}}}, claim=claim)
        search: Any = SimpleNamespace(results=results, log=log, history=History(identity={}))
        with pytest.raises(ResultsError, match="has taken this folder over"), sitting(search, 0.0):
            leave(folder, replace(Holder.me(), host="node-12"))
            results.update_manifest(choices=["of the other"])
            (folder / "search.log").write_bytes(b"of the other")
            claim._signed -= 2.0
            log.append("tick")
    assert results.manifest()["state"] == "running"
    assert (folder / "search.log").read_bytes() == b"of the other"


def test_an_interrupted_claim_is_not_left_behind(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("claim/interrupted")
    monkeypatch.setattr(module.time, "sleep", _interrupted)
    with pytest.raises(KeyboardInterrupt), claimed(folder):
        pass
    assert store.keys(folder) == []


def _interrupted(seconds: float) -> None:
    raise KeyboardInterrupt


def test_of_two_that_claim_at_once_one_gets_it(store: ObjectStore) -> None:
    folder = store.folder("claim/both")
    start, got, refused = threading.Barrier(2), [], []

    def go() -> None:
        claim = Claim(folder)
        start.wait()
        try:
            claim.take()
        except ResultsError as error:
            refused.append(error)
        else:
            got.append(claim)

    both = [threading.Thread(target=go) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(got) == 1 and len(refused) == 1
    got[0].give_back()


def test_a_claim_that_names_nobody_is_told(store: ObjectStore) -> None:
    folder = store.folder("claim/rubbish")
    (folder / CLAIM_FILE).write_bytes(b"rubbish")
    with pytest.raises(ResultsError, match="names no writer"), claimed(folder):
        pass


def test_a_bucket_that_is_not_there_is_told(store: ObjectStore) -> None:
    folder = UrlPath(store.url("x", bucket="nobodys"))
    with pytest.raises(ResultsError, match="there is no such bucket"), claimed(folder):
        pass
