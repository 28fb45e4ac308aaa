"""A user without a usable home folder: a number that no user has, and no HOME or a useless one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 54321


def homeless(
    *words: str, temporary: Path, home: str | None = None
) -> subprocess.CompletedProcess[str]:
    """``python WORDS`` as a user who has no entry in the system's database."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("taking another user's number needs root and setpriv")
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "USER", "LOGNAME")}
    if home is not None:
        environment["HOME"] = home
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = subprocess.run(
        [*user, sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**environment, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=120,
    )
    if "Permission denied" in done.stderr and "fer-tune: " not in done.stderr and not done.stdout:
        pytest.skip("other users may not read this checkout or its Python")
    return done


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder that everybody may use, as ``/tmp``; pytest's are private."""
    folder = Path("/tmp") / f"fer_tune-test-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


FINDS = """
from pathlib import Path
from fer_tune.process import ensure_home
ensure_home()
folder = Path.home()
print(folder)
(folder / ".cache").mkdir(exist_ok=True)
"""


def test_there_is_a_private_folder_instead(temporary: Path) -> None:
    first = homeless("-c", FINDS, temporary=temporary)
    assert first.returncode == 0, first.stderr
    folder = temporary / f"fer_tune-home-{NOBODY}"
    assert first.stdout.strip() == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700 and folder.stat().st_uid == NOBODY
    assert homeless("-c", FINDS, temporary=temporary).stdout == first.stdout


@pytest.mark.parametrize("home", ["/", "", "/nonexistent", "/nonexistent/deeper"])
def test_a_home_that_cannot_be_written_is_none(home: str, temporary: Path) -> None:
    """Docker sets HOME to / for a user without an entry, Debian's nobody has /nonexistent."""
    done = homeless("-c", FINDS, temporary=temporary, home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(temporary / f"fer_tune-home-{NOBODY}")


SHOWS = """
import os
from fer_tune.process import ensure_home
ensure_home()
print(os.environ["HOME"])
"""


@pytest.mark.parametrize("name", ["read-only", "to/be/made"])
def test_another_home_is_kept(name: str, temporary: Path) -> None:
    (temporary / "read-only").mkdir(mode=0o555)
    home = str(temporary / name)
    assert homeless("-c", SHOWS, temporary=temporary, home=home).stdout.strip() == home


def test_somebody_elses_folder_is_not_taken_for_it(temporary: Path) -> None:
    (temporary / f"fer_tune-home-{NOBODY}").mkdir(mode=0o777)
    done = homeless("-m", "fer_tune", "spaces", "list", temporary=temporary)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "belongs to another user" in done.stderr
    assert "set HOME" in done.stderr
