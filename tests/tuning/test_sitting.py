"""How a sitting ends when what it wrote to is gone."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.tuning.events import EventLog, History
from fer_tune.tuning.search import sitting
from tests.object_store import ObjectStore


@pytest.mark.slow
def test_what_ended_it_is_told_and_not_what_came_of_it(store: ObjectStore) -> None:
    results = Results(store.folder("sitting"))
    results.write_manifest({"state": "running"})
    log = EventLog.begin(results.root, {"space": {"budget": {}}})  # type: ignore[arg-type]
    search: Any = SimpleNamespace(results=results, log=log, history=History(identity={}))
    try:
        with (
            pytest.raises(ResultsError, match="cannot write: the store does not answer") as raised,
            sitting(search, time.time()),
        ):
            store.stop()
            log.append("tick")
    finally:
        store.start()
    assert str(raised.value).startswith(f"{results.root}: ")
    assert f"fer-tune resume '{results.root}'" in str(raised.value)
