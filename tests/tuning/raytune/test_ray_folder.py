"""The folder of a local Ray: this user's alone, with a path that is short enough."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.raytune import local_ray
from fer_tune.tuning.raytune.local_ray import private_ray, ray_folder
from tests.other_user import NOBODY, needs_root


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a path that is short enough for Ray."""
    monkeypatch.setattr(local_ray, "_LONGEST", 200)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_that_was_open_is_closed(temporary: Path) -> None:
    folder = ray_folder().parent
    folder.mkdir(mode=0o755)
    with private_ray() as given:
        assert given == ray_folder() and given.is_relative_to(temporary)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "kind", ["link", "file", "open", pytest.param("foreign", marks=needs_root)]
)
def test_a_folder_that_another_may_have_made_is_refused(temporary: Path, kind: str) -> None:
    folder = ray_folder().parent
    if kind == "link":
        (temporary / "elsewhere").mkdir()
        folder.symlink_to(temporary / "elsewhere")
    elif kind == "file":
        folder.touch()
    else:
        folder.mkdir()
        (folder / "file").touch()
        folder.chmod(0o777 if kind == "open" else 0o700)
        if kind == "foreign":
            os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(EnvironmentFault, match="RAY_TMPDIR") as caught, private_ray():
        pass
    assert caught.value.where == str(folder)


def test_a_long_temporary_folder_gives_way_and_one_that_was_named_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = "/tmp/" + "long-name-" * 9
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", long)
    assert ray_folder() == Path(f"/tmp/ft-{os.getuid()}/r")
    monkeypatch.setenv("RAY_TMPDIR", long)
    with pytest.raises(EnvironmentFault, match="too long") as caught, private_ray():
        pass
    assert caught.value.value == long


def test_the_longest_folder_still_takes_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Path("/tmp") / ("x" * (local_ray._LONGEST - len("/tmp/")))
    monkeypatch.setenv("RAY_TMPDIR", str(base))
    path = ray_folder() / local_ray._SOCKET
    assert len(str(path)) == 107
    monkeypatch.setenv("RAY_TMPDIR", f"{base}x")
    with pytest.raises(EnvironmentFault, match="too long"), private_ray():
        pass
