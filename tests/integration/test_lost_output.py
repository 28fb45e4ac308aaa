"""A search that loses the reader of its output, and then its terminal."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from fer_tune.data import import_source
from fer_tune.records import Results
from fer_tune.tuning.log.events import History
from fer_tune.tuning.log.log_file import LOG_FILE
from tests.integration.killing import SearchProcess
from tests.integration.recorded_search import LEAN, SECONDS

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

SPACE = """
name: recorded
purpose: Recorded curves.
compare: {arms: [densenet121, resnet18]}
parameters: {unfreeze_depth: 0, crop_size: 32}
cohorts: {baseline: [{lr_head: 1e-3}, {lr_head: 2e-3}]}
budget: {trials: 4, max_epochs: 5}
scheduler: {kind: none}
stopper: {enabled: false}
resources: {cpu: 1, max_concurrent: 1}
weights: none
precision: float32
confirm: {seeds: 0}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lost-output")
    (home / "space.yaml").write_text(SPACE)
    import_source("synthetic:60", home / "faces", classes=["happy", "sad"])
    return home


def test_a_search_survives_its_reader_and_is_interrupted_by_a_closed_terminal(home: Path) -> None:
    """`fer-tune search ... | head -1` in a terminal window that is closed later."""
    folder = home / "r"
    reader, writer = os.pipe()
    terminal, inside = os.openpty()
    search = SearchProcess(
        folder,
        *("search", str(home / "space.yaml"), "--data", str(home / "faces")),
        *("--results", str(folder), "--no-dashboard", "--cpus", "1"),
        module="tests.integration.recorded_search",
        home=home,
        environment={SECONDS: "0.5", LEAN: "1", "TERM": "xterm"},
        stdin=inside,
        stdout=writer,
        stderr=inside,
        preexec_fn=lambda: fcntl.ioctl(inside, termios.TIOCSCTTY, 0),
    )
    try:
        os.close(writer)
        os.close(inside)
        begin = b""  # it begins with a warning if another test searches at the same time
        while not begin.endswith(b"recorded: "):
            begin += (byte := os.read(reader, 1))
            assert byte, begin
        os.close(reader)
        before = _epochs(search.until(lambda history: _epochs(history) >= 2))
        said = os.read(terminal, 65536).decode()
        os.close(terminal)
        with suppress(ProcessLookupError):
            os.kill(search.pid, signal.SIGHUP)  # the shell sends it too, beside the kernel
        assert search.ended(120) == 130, said
    finally:
        search.clean_up()
    lost = "standard output was closed by its reader; the search continues"
    assert said.splitlines() == [f"fer-tune: {lost}"]
    assert lost in (folder / LOG_FILE).read_text()
    assert Results(folder).manifest()["state"] == "interrupted"
    assert _epochs(History.read(folder)) > before, "the running epoch was finished"


def _epochs(history: History) -> int:
    return sum(run.epochs for run in history.runs.values())
