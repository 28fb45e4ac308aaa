"""The command line of a user without a cluster, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.warm import WarmProcess

#: The job of ``Script``.
ID = "one-20261127-0312"


def variables(folder: Path, **given: str) -> dict[str, str]:
    """Those of a user without a cluster, whose home is ``folder``."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RAY_") and not name.lower().endswith("_proxy")
    }
    root = str(Path(__file__).resolve().parents[2])
    return {**clean, "HOME": str(folder), "COLUMNS": "200", "PYTHONPATH": root, **given}


def started(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fer_tune", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=variables(folder, **environment),
    )


def fer_tune(folder: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    with tempfile.TemporaryDirectory() as streams:
        out, err = Path(streams, "out"), Path(streams, "err")
        given = variables(folder, **environment)
        process = WarmProcess("fer_tune.cli", words, given, out, err, folder)
        try:
            code = process.wait(60)
        finally:
            process.kill()
        said, errors = out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
    assert "Traceback" not in errors, errors
    return code, said, errors
