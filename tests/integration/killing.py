"""Processes of a search that a test ends by signals."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.processes import descendants, send, trial_processes
from fer_tune.storage import AnyPath, UrlPath
from fer_tune.tuning.log.events import EVENTS_FILE, History, has_log
from tests.warm import WarmProcess

ARMS = ["densenet121", "resnet18"]
STEP_S = 0.02
#: Seconds between two looks at a log that is slow to read, as at a URL: the search needs the CPU.
LONGEST_STEP_S = 1.0
#: Seconds after which waiting is given up: far more than a busy machine needs.
PATIENCE_S = 300.0
_numbers = itertools.count()


class SearchProcess:
    """``fer-tune WORDS`` on ``folder``, in a process group of its own, as in a terminal.

    Args:
        module: with a function ``main``, in place of ``fer_tune.cli``.
        environment: variables besides this process's.
        started: arguments of ``Popen``, such as other streams; with any of them Python is started
            anew, and ``module`` is run by its name.
    """

    def __init__(
        self,
        folder: AnyPath,
        *words: str,
        home: Path,
        module: str = "fer_tune.cli",
        environment: Mapping[str, str] | None = None,
        **started: Any,
    ) -> None:
        self.folder = folder
        given = {"FER_TUNE_BANK": str(home / "bank"), "COLUMNS": "100", **(environment or {})}
        everything = {**os.environ, **given}
        self.output = home / f"output-{next(_numbers)}.txt"
        self.output.touch()
        self._driver: WarmProcess | subprocess.Popen[bytes]
        if started:
            command = [sys.executable, "-m", module, *words]
            self._driver = subprocess.Popen(
                command, env=everything, start_new_session=True, **started
            )
        else:
            self._driver = WarmProcess(module, words, everything, self.output)

    @property
    def pid(self) -> int:
        return self._driver.pid

    @property
    def text(self) -> str:
        return self.output.read_text()

    def until(self, reached: Callable[[History], bool], within_s: float = PATIENCE_S) -> History:
        """Waits until the log says what is waited for."""
        deadline = time.monotonic() + within_s
        known = None
        while time.monotonic() < deadline:
            ended, began = self._driver.poll() is not None, time.monotonic()
            size = self._log_size()
            if (size is None or size != known) and has_log(self.folder):
                known = size
                history = History.read(self.folder)
                if reached(history):
                    return history
            assert not ended, f"ended before it came to that: {self.text}"
            took = time.monotonic() - began
            time.sleep(min(max(STEP_S, 3 * took), LONGEST_STEP_S))
        raise AssertionError(f"it did not come to that in {within_s:g} s: {self.text}")

    def _log_size(self) -> int | None:
        """Bytes of the log; None at a URL, where only reading it tells."""
        if isinstance(self.folder, UrlPath):
            return None
        log = self.folder / EVENTS_FILE
        return log.stat().st_size if log.exists() else 0

    def until_printed(self, text: str, within_s: float = PATIENCE_S) -> None:
        """Waits until the output contains ``text``."""
        deadline = time.monotonic() + within_s
        while text not in self.text:
            assert self._driver.poll() is None, f"ended before it printed {text!r}: {self.text}"
            assert time.monotonic() < deadline, f"no {text!r} in {within_s:g} s: {self.text}"
            time.sleep(LONGEST_STEP_S)

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
