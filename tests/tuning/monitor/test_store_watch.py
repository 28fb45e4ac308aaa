"""While the store with the results is unavailable, the search reports it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fer_tune.records import Results
from fer_tune.storage import UrlPath
from fer_tune.tuning.monitor import store_watch
from fer_tune.tuning.monitor.progress import Progress
from fer_tune.tuning.monitor.store_watch import unavailable_line
from tests.object_store import ObjectStore


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_watch, "POLL_INTERVAL_S", 0.05)


def watched(store: ObjectStore, out: StringIO, *, terminal: bool) -> Progress:
    console = Console(file=out, width=200, force_terminal=terminal)
    return Progress(console, Results(store.folder("watched")), total=2, title="search")


def test_it_is_reported_while_it_lasts_and_no_longer(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "60")
    table, lines, root = StringIO(), StringIO(), store.folder("watched")
    live, plain = watched(store, table, terminal=True), watched(store, lines, terminal=False)
    for progress in (live, plain):
        progress.setup()
    driver = threading.Thread(target=lambda: (root / "events.jsonl/000001").write_bytes(b"1"))
    assert unavailable_line(root) is None
    reported = rf"results at {re.escape(str(root))} unavailable since [0-9:]{{8}}, retrying until "
    reported += r"[0-9:]{8}; running epochs continue"
    store.stop()
    try:
        driver.start()
        until(lambda: all(re.search(reported, out.getvalue()) for out in (table, lines)))
        assert re.search(reported, shown(live))
    finally:
        store.start()
    driver.join(30)
    assert unavailable_line(root) is None and "unavailable" not in shown(live)
    until(lambda: f"results at {root} available again" in lines.getvalue())
    for progress in (live, plain, live, plain):
        progress.close()
    assert lines.getvalue().count("available") == 2
    assert not any(thread.name == "store watch" for thread in threading.enumerate())
    assert "secret" not in table.getvalue() + lines.getvalue()


def test_on_a_path_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert unavailable_line(tmp_path) is None
    assert unavailable_line(UrlPath("s3://another/x")) is None


def shown(progress: Progress) -> str:
    return "\n".join(str(part) for part in progress._render().renderables)


def until(reached: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
