"""One writer at a URL: refused while the other lives, taken over when it is gone."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from fer_tune.errors import ResultsError
from fer_tune.storage import UrlPath
from fer_tune.tuning import claim as module
from fer_tune.tuning.claim import CLAIM_FILE, Claim, Holder, claimed
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
        claim._seen -= 2.0
        claim.check()  # still its own
        leave(folder, replace(Holder.me(), host="node-9"))
        claim.check()  # so soon after a sign of life nobody can have taken it over
        claim._seen -= 2.0
        with pytest.raises(OSError, match=r"on node-9 since .* has taken this folder over"):
            claim.check()


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
