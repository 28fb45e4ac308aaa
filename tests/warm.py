"""Processes of their own that need not import torch and Ray again.

`python -m fer_tune search` spends over ten CPU seconds on imports. Here a server that has done them
forks a process for each request, which no test's process can do itself: it has threads.
"""

from __future__ import annotations

import atexit
import importlib
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import ForkServerContext
from pathlib import Path

context: ForkServerContext = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.warm_imports"])


def warm_pool(processes: int) -> ProcessPoolExecutor:
    """Processes with this one's environment and working directory."""
    given = (dict(os.environ), os.getcwd())
    return ProcessPoolExecutor(processes, context, initializer=_adopt, initargs=given)


class WarmProcess:
    """`python -m MODULE WORDS` in a session of its own; a small part of `Popen`.

    Args:
        module: has a function `main`.
        environment: all variables.
        output: file for the standard output.
        errors: file for the standard error; by default, the same.
        folder: working directory; by default, this process's.
    """

    def __init__(
        self,
        module: str,
        words: tuple[str, ...],
        environment: Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        streams = (output, errors or output)
        given = (module, words, dict(environment), streams, str(folder or Path.cwd()))
        self._words = words
        self._process = context.Process(target=_main, args=given)
        self._process.start()
        pid = self._process.pid
        assert pid is not None
        self.pid = pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL, if it has not ended: this interpreter would wait for it at its own end."""
        self._process.kill()

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(self._words, timeout)
        return code


def _adopt(environment: dict[str, str], folder: str) -> None:
    """The server's own are those of the moment at which it was started."""
    from fer_tune import ray_private

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    ray_private.reload_settings()  # Ray reads its variables once, such as those of its token


def _main(
    module: str,
    words: tuple[str, ...],
    environment: dict[str, str],
    streams: tuple[Path, Path],
    folder: str,
) -> None:
    os.setsid()
    _adopt(environment, folder)
    for number, file in enumerate(streams, start=1):
        with file.open("ab") as out:
            os.dup2(out.fileno(), number)
    from fer_tune.cli import searching

    searching.BEGAN = time.time()
    run = importlib.import_module(module)
    sys.argv = [str(run.__file__), *words]
    try:
        run.main()
    finally:
        atexit._run_exitfuncs()
