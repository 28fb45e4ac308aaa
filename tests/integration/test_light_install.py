"""The report on a machine without torch and Ray: what is installed there suffices."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from fake_search import Plan, write
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "analysis/requirements.txt"
#: What runs in a light install beside `analysis` itself.
BESIDE = ("cli/__init__", "cli/app", "cli/reporting", "curves", "scores", "errors")
BESIDE += ("console", "escaping", "wording")
FOLDERS = ("records", "schema", "space", "storage", "process", "yaml_reader")
#: Compiling ahead would take longer than what it saves here.
PIP = ("--disable-pip-version-check", "--no-compile")
#: A module that comes with a library of the list, or is named otherwise.
BROUGHT = {"markupsafe": "jinja2", "pydantic_core": "pydantic", "yaml": "pyyaml"}


def requirements() -> dict[str, str]:
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return by_name(line for line in lines if line and not line.startswith("#"))


def by_name(lines: Iterable[str]) -> dict[str, str]:
    """Requirements by the library's name."""
    return {re.split(r"[\[<>=!~]", line)[0]: line for line in lines}


def libraries(paths: Iterable[Path]) -> set[str]:
    """What files import from elsewhere, wherever the import stands."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    own = {"analysis", "fer_tune", *sys.stdlib_module_names}
    return {BROUGHT.get(name, name) for name in (n.split(".")[0] for n in names)} - own


def test_the_list_has_the_ranges_of_the_whole_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    whole, light = by_name(project["dependencies"]), requirements()
    assert light == {name: whole.get(name) for name in light}


def test_the_list_is_what_the_report_imports() -> None:
    paths = [
        *(ROOT / "analysis").rglob("*.py"),
        *(path for name in FOLDERS for path in (ROOT / "fer_tune" / name).rglob("*.py")),
        *(ROOT / f"fer_tune/{n}.py" for n in BESIDE),
    ]
    assert libraries(paths) == set(requirements())


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with what the list asks for, and nothing else.

    The libraries are links to those that are installed here: pip would take minutes to copy them.
    """
    home = tmp_path_factory.mktemp("light")
    venv.create(home, symlinks=True)
    _install(wheel, home / "bin")
    (site,) = home.glob("lib/python*/site-packages")
    for name in asked_for(LIST.read_text(encoding="utf-8").splitlines()):
        _link(metadata.distribution(name), site)
    return home / "bin"


def asked_for(lines: Iterable[str]) -> set[str]:
    """Libraries that requirements ask for, with those that these need in turn."""
    waiting = [Requirement(line) for line in lines if line and not line.startswith("#")]
    seen: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        for extra in ("", *one.extras):
            if (one.name, extra) in seen:
                continue
            seen.add((one.name, extra))
            further = map(Requirement, metadata.requires(one.name) or ())
            here = {"extra": extra}
            waiting += [r for r in further if r.marker is None or r.marker.evaluate(here)]
    return {name for name, _ in seen}


def _link(library: metadata.Distribution, site: Path) -> None:
    """Links the folders and modules of an installed library into another ``site-packages``."""
    tops = {file.parts[0] for file in library.files or ()} - {"..", "__pycache__"}
    assert tops, library.name
    for top in tops:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(library.locate_file(top))))


def test_what_is_not_asked_for_is_not_linked() -> None:
    found = asked_for(["optuna>=4.5", "# torch"])
    assert {"optuna", "numpy"} <= found and not {"torch", "scikit-learn"} & found


def _install(wheel: Path, programs: Path) -> None:
    pip = ["-m", "pip", "--python", programs / "python", "install", "--no-deps", "--no-index"]
    done = subprocess.run(
        [sys.executable, *pip, *PIP, wheel], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def faces(light: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces") / "packed"
    run(light / "fer-tune", "data", "import", "synthetic:60", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("results")
    return [write(home / name, Plan(name=name, seed=k)) for k, name in enumerate("ab")]


def run(program: Path, *words: object) -> str:
    """What a program prints that must not fail."""
    done = outcome(program, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def outcome(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """What came of it; a program sees its own environment alone, and a warning is an error."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(program), *map(str, words)],
        cwd=program.parent,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONWARNINGS": "error"},
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["torch", "torchvision", "ray"])
def test_what_is_heavy_is_not_there(light: Path, name: str) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec({name!r}))"
    assert run(light / "python", "-c", code) == "None\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_analysis_runs_as_a_module(light: Path, results: list[Path], tmp_path: Path) -> None:
    reported = run(light / "python", "-m", "analysis", results[0], "--out", tmp_path)
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert document["verdict"]["chip"] in reported.lower()
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html",
        "report.md",
        "report.json",
        "explore.html",
        "figures",
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_that_read_records_run(
    light: Path, results: list[Path], tmp_path: Path
) -> None:
    fer_tune = light / "fer-tune"
    assert str(tmp_path / "report.html") in run(fer_tune, "report", *results, "--out", tmp_path)
    assert {"verdict", "arms"} <= set(json.loads(run(fer_tune, "rank", results[0], "--json")))
    compared = run(fer_tune, "compare", *results)
    assert ["setting", "A", "B"] in [line.split() for line in compared.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "words",
    [
        "search quickstart --data {faces} --results {new}",
        "resume {new}",
        "confirm {new} --seeds 5",
        "weights fetch",
    ],
)
def test_what_needs_more_says_so(light: Path, faces: Path, tmp_path: Path, words: str) -> None:
    new = tmp_path / "new"
    done = outcome(light / "fer-tune", *words.format(faces=faces, new=new).split())
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert done.stderr.startswith("fer-tune: this command needs ")
    assert done.stderr.count("\n") == 1 and "Run `" in done.stderr
    assert not new.exists()
