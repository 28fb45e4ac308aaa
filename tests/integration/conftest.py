"""What several files and processes need, made once for all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from fer_tune.records import Results
from tests.integration.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("analysis", "cluster", "fer_tune", "search_spaces")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that one of the test processes fills."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each process has a folder of its own in it
    home = root / name
    with FileLock(root / f"{name}.lock"):
        if not (done := home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)  # of one that failed
            home.mkdir()
            make(home)
            done.touch()
    return home


@pytest.fixture(scope="session")
def undisturbed_search(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A search of ``bench.SPACE`` on a path; no test changes its records."""
    home = made_once(tmp_path_factory, "undisturbed", lambda home: Bench(home).undisturbed())
    return Results(home / "path")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    return made_once(tmp_path_factory, "built", _build) / "dist"


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def _build(home: Path) -> None:
    """Builds from a copy, as building in the checkout would leave its traces there."""
    source = home / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    done = subprocess.run(
        # Without isolation, which would download setuptools.
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", home / "dist", source],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in hidden},
    )
    assert done.returncode == 0, done.stdout + done.stderr
