"""Sittings of a search that a test ends by signals."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.killing.processes import descendants, send, trial_processes
from fer_tune.storage import Place
from fer_tune.tuning.events import History, has_log

ARMS = ["densenet121", "resnet18"]
STEP_S = 0.02
#: Seconds after which waiting is given up: far more than a busy machine needs.
PATIENCE_S = 300.0
_numbers = itertools.count()


class Sitting:
    """``fer-tune WORDS`` on ``folder``, in a process group of its own, as in a terminal.

    Args:
        module: that takes the place of ``fer_tune``.
        environment: variables besides this process's.
    """

    def __init__(
        self,
        folder: Place,
        *words: str,
        home: Path,
        module: str = "fer_tune",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        given = {"FER_TUNE_BANK": str(home / "bank"), "COLUMNS": "100", **(environment or {})}
        self.output = home / f"output-{next(_numbers)}.txt"
        with self.output.open("wb") as out:
            self._driver = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **given},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._driver.pid

    @property
    def text(self) -> str:
        return self.output.read_text()

    def until(self, reached: Callable[[History], bool], within_s: float = PATIENCE_S) -> History:
        """Waits until the log says what is waited for."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            ended = self._driver.poll() is not None
            if has_log(self.folder):
                history = History.read(self.folder)
                if reached(history):
                    return history
            assert not ended, f"ended before it came to that: {self.text}"
            time.sleep(STEP_S)
        raise AssertionError(f"it did not come to that in {within_s:g} s: {self.text}")

    def kill(self) -> None:
        """SIGKILL of the driver alone."""
        send(signal.SIGKILL, [self.pid])
        self._driver.wait(30)

    def kill_all(self) -> None:
        """SIGKILL of the driver and of everything that it started."""
        send(signal.SIGKILL, [self.pid, *descendants(self.pid)])
        self._driver.wait(30)

    def kill_trial(self) -> list[int]:
        """SIGKILL of the process that trains, once there is one; returns what was killed."""
        deadline = time.monotonic() + 60
        while not (found := trial_processes(self.pid, ARMS)) and time.monotonic() < deadline:
            time.sleep(STEP_S)
        send(signal.SIGKILL, found)
        return found

    def interrupt(self) -> None:
        """Ctrl-C: a terminal sends it to the whole group."""
        os.killpg(self.pid, signal.SIGINT)

    def ended(self, within_s: float = PATIENCE_S) -> int:
        """The exit code, once it has ended by itself."""
        return self._driver.wait(within_s)

    def clean_up(self) -> None:
        """Ends what a failed test left."""
        if self._driver.poll() is None:
            self.kill_all()
