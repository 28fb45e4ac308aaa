"""Plants one bug at a time and runs the tests that are to catch it.

    python -m benchmarks.planted_bugs [--only TEXT] [--fast]

Each bug is planted in a copy of the tracked files, so the working tree stays as it is. The exit
code is 1 if a bug was not caught.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUGS = Path(__file__).with_name("bugs.toml")
#: Tests that start neither Ray nor a browser and take seconds.
FAST = "not ray and not slow and not kills and not browser"


@dataclass(frozen=True, kw_only=True)
class Bug:
    """A bug: ``old``, which occurs once in ``file``, is replaced by ``new``."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def plant(self, tree: Path) -> str:
        """Plants it in ``tree``; returns the file's content before."""
        path = tree / self.file
        before = path.read_text(encoding="utf-8")
        if before.count(self.old) != 1:
            raise SystemExit(f"{self.name}: not once in {self.file}: {self.old.strip()}")
        path.write_text(before.replace(self.old, self.new), encoding="utf-8")
        return before


def bugs() -> list[Bug]:
    """The bugs of ``bugs.toml``."""
    found = tomllib.loads(BUGS.read_text(encoding="utf-8"))["bug"]
    return [Bug(**{**one, "tests": tuple(one["tests"])}) for one in found]


def main() -> None:
    """Prints, for each bug, the test that caught it and the seconds until then."""
    parser = argparse.ArgumentParser(description="Plants bugs and runs the tests.")
    parser.add_argument("--only", default="", help="bugs whose name contains this text")
    parser.add_argument("--fast", action="store_true", help="run the fast tests alone")
    asked = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="fer-tune-bugs-") as folder:
        tree = Path(folder) / "fer_tune"
        _copy_tracked(tree)
        for bug in bugs():
            if asked.only not in bug.name:
                continue
            began = time.monotonic()
            before = bug.plant(tree)
            caught = _failed_test(tree, bug, FAST if asked.fast else "")
            (tree / bug.file).write_text(before, encoding="utf-8")
            missed += caught is None
            seconds = time.monotonic() - began
            print(f"{bug.name}: {caught or 'NOT CAUGHT'} ({seconds:.0f} s)", flush=True)
    print(f"{missed} not caught")
    raise SystemExit(1 if missed else 0)


def _copy_tracked(tree: Path) -> None:
    tree.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=tree, check=True, input=archive.stdout)


def _failed_test(tree: Path, bug: Bug, marked: str) -> str | None:
    """The first test that fails, or None; one that does not end counts as failed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", marked]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [*command, *bug.tests], cwd=tree, env=environment, capture_output=True, text=True
    )
    if done.returncode == 0:
        return None
    named = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if named is None:
        raise SystemExit(f"{bug.name}: pytest did not run:\n{done.stdout}{done.stderr}")
    return named[1]


if __name__ == "__main__":
    main()
