"""The sdist and the wheel that it gives: every shipped file is inside, and commands find them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from fake_search import Plan, write

from fer_tune import __version__
from tests.integration.conftest import PACKAGES, ROOT

pytestmark = pytest.mark.slow

#: Read by `pip install -r` in a checkout alone.
NOT_SHIPPED = {"analysis/requirements.txt"}


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a fresh environment: the wheel, and the libraries that are installed here."""
    home = tmp_path_factory.mktemp("clean")
    venv.create(home, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    # Files named .pth in there are not read, so a checkout that is installed here stays outside.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = ["-m", "pip", "--python", home / "bin/python", "install", "--no-deps", "--no-index"]
    run(sys.executable, *pip, "--no-compile", "--disable-pip-version-check", wheel, at=home)
    return home / "bin"


def run(program: object, *words: object, at: Path) -> str:
    """What a program prints that must not fail; it sees no checkout."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [str(program), *map(str, words)],
        cwd=at,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shipped() -> set[str]:
    """Files that the packages hold, relative to the checkout."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*"))
    files = {str(p.relative_to(ROOT)) for p in found if p.is_file() and p.suffix != ".pyc"}
    return files - NOT_SHIPPED


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    ours = shipped()
    kinds = {Path(name).suffix for name in ours}
    assert kinds >= {".py", ".yaml", ".j2", ".json", ".html", ".js", ".css", ".typed", ".sh"}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert inside == ours
        assert all(archive.read(name) == (ROOT / name).read_bytes() for name in ours)


def test_the_sdist_holds_what_the_wheel_does(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside >= {*shipped(), "pyproject.toml", "README.md", "LICENSE"}


def test_the_installed_command_finds_what_is_shipped(programs: Path, tmp_path: Path) -> None:
    fer_tune = programs / "fer-tune"
    assert run(fer_tune, "--version", at=tmp_path).split()[-1] == __version__
    assert "--gpu" in run(fer_tune, "doctor", "--help", at=tmp_path)
    where = "import fer_tune, analysis; print(fer_tune.__file__, analysis.__file__)"
    found = run(programs / "python", "-c", where, at=tmp_path).split()
    assert all(Path(file).is_relative_to(programs.parent) for file in found)
    listed = json.loads(run(fer_tune, "spaces", "list", "--json", at=tmp_path))
    names = {path.stem for path in (ROOT / "search_spaces").glob("*.yaml")}
    assert {space["name"] for space in listed} == names
    clusters = json.loads(run(fer_tune, "cluster", "list", "--json", at=tmp_path))
    assert {"aws-gpu", "slurm", "rayjob"} <= {one["name"] for one in clusters}
    whole = (ROOT / "cluster/aws-gpu.yaml").read_text(encoding="utf-8")
    assert run(fer_tune, "cluster", "show", "aws-gpu", at=tmp_path) == whole


def test_a_shipped_search_is_planned_outside_the_checkout(programs: Path, tmp_path: Path) -> None:
    fer_tune = programs / "fer-tune"
    run(fer_tune, "data", "import", "synthetic:60", "--out", "faces", at=tmp_path)
    words = ("search", "quickstart", "--data", "faces", "--dry-run")
    assert "quickstart" in run(fer_tune, *words, at=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_a_report_is_written_with_the_shipped_templates(programs: Path, tmp_path: Path) -> None:
    write(tmp_path / "results", Plan(trials=4, seeds=5))
    run(programs / "fer-tune", "report", "results", "--out", "report", at=tmp_path)
    page = (tmp_path / "report/report.html").read_text(encoding="utf-8")
    assert "</html>" in page and "<style>" in page
    code = (
        "import json, analysis; from analysis.report.published import SCHEMA_FILE;"
        "analysis.read_report('report/report.json');"
        "print(json.loads(SCHEMA_FILE.read_text())['title'])"
    )
    assert run(programs / "python", "-c", code, at=tmp_path) == "report.json of fer-tune\n"
