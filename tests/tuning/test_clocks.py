"""Machines, and a store, whose clocks differ by ten minutes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.validity.confirmation import _peeked
from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.storage import UrlPath
from fer_tune.tuning.log import lease as module
from fer_tune.tuning.log.lease import Holder, leased
from fer_tune.tuning.phases import record_first_reading
from tests.faulty_proxy import proxied
from tests.object_store import ObjectStore
from tests.tuning.log.test_lease import leave

APART_S = 600.0


@pytest.mark.parametrize("apart", [APART_S, -APART_S], ids=["store ahead", "store behind"])
def test_a_lease_holds_and_expires_whatever_the_clocks_say(
    apart: float, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("HEARTBEAT_S", 0.2), ("EXPIRY_S", 3.0), ("SETTLE_S", 0.1)):
        monkeypatch.setattr(module, name, seconds)
    other = replace(Holder.current(), host="node-7", machine="another")
    with proxied(store.port, clock_s=apart) as proxy:
        folder = UrlPath(proxy.url_of(store.url(f"clocks/{apart:g}")))
        leave(folder, other)
        written = (folder / module.LEASE_FILE).written_at()
        assert written is not None and abs(written - time.time() - apart) < 60
        with (
            pytest.raises(ResultsError, match=r"node-7 .* last heartbeat \d s ago"),
            leased(folder),
        ):
            pass
        time.sleep(4.5)  # the store has whole seconds
        with leased(folder) as lease:
            lease.check()
            with pytest.raises(ResultsError, match="is writing to this folder"), leased(folder):
                pass


def test_a_lease_that_two_machines_want_does_not_ask_their_clocks(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.1)
    folder, clock = store.folder("clocks/machines"), time.time
    leave(folder, replace(Holder.current(), host="node-7", machine="another"))
    for apart in (APART_S, -APART_S):
        monkeypatch.setattr(time, "time", lambda apart=apart: clock() + apart)
        said = r"node-7 .* last heartbeat \d s ago"
        with pytest.raises(ResultsError, match=said), leased(folder):
            pass


def test_a_clock_that_is_behind_reads_no_test_score_before_the_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice was frozen on another machine; the report would call it no comparison."""
    results, now = Results(tmp_path), time.time()
    manifest = {"state": "running", "choice_frozen_at": now, "first_test_read_at": None}
    results.write_manifest(manifest)
    with monkeypatch.context() as behind:
        behind.setattr(time, "time", lambda: now - APART_S)
        record_first_reading(results)
    assert results.manifest()["first_test_read_at"] == now
    assert _peeked(results.manifest(), scored=True) == ""
    record_first_reading(results)
    assert results.manifest()["first_test_read_at"] == now, "the first time stays"
    results.write_manifest(manifest)
    record_first_reading(results)
    assert results.manifest()["first_test_read_at"] > now
