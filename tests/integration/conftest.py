"""The search that disturbed ones are compared with, made once for all files and processes."""

from __future__ import annotations

import os
import shutil

import pytest
from filelock import FileLock

from fer_tune.records import Results
from tests.integration.bench import Bench


@pytest.fixture(scope="session")
def undisturbed_search(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A search of ``bench.SPACE`` on a path; no test changes its records."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each process has a folder of its own in it
    home = root / "undisturbed"
    with FileLock(root / "undisturbed.lock"):
        if not (done := home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)  # of one that failed
            home.mkdir()
            Bench(home).undisturbed()
            done.touch()
    return Results(home / "path")
