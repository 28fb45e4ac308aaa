"""Each install extra: what it brings suffices for its commands, and without it one line says so."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from tests.command_line import Outcome
from tests.models.kept_files import make_model

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE: list[str] = PROJECT["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
#: Extras of commands that use a model, with such a command.
COMMANDS = {
    "faces": "predict {model} {photograph} --faces always",
    "video": "predict {model} {video} --faces never",
    "onnx": "export {model} --format onnx --out {new}.onnx",
    "explain": "predict {model} {face} --explain {new}",
}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(wanted: Iterable[str]) -> set[str]:
    """Names of the distributions that an install of these requirements brings, here."""
    found: set[str] = set()
    left = [(Requirement(one), "") for one in wanted]
    while left:
        requirement, _ = left.pop()
        name = plain(requirement.name)
        extras = requirement.extras or {""}
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name in found and extras == {""}:
            continue
        found.add(name)
        try:
            inner = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system
        for text in inner:
            one = Requirement(text)
            if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in extras):
                one.marker = None
                if plain(one.name) not in found:
                    left.append((one, ""))
    return found


def modules_outside(distributions: set[str]) -> list[str]:
    """Top-level modules here of all other distributions."""
    return sorted(
        module
        for module, owners in metadata.packages_distributions().items()
        if not {plain(owner) for owner in owners} & (distributions | {"fer-tune"})
    )


#: Runs commands, each in a process that sees no module of some. What every install has is imported
#: once for all, and without any extra.
RUN = """
import json, os, sys
with open(sys.argv[1]) as file:
    nothing_else, tasks = json.load(file)
blocked = set(nothing_else)
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
found = importlib.util.find_spec
def find(name, package=None):
    return None if name.partition(".")[0] in blocked else found(name, package)
importlib.util.find_spec = find
import fer_tune.models.torchvision_import
for without, words, said in tasks:
    if (process := os.fork()) == 0:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{said}.{name}", os.O_WRONLY | os.O_CREAT), number)
        blocked.clear()
        blocked.update(without)
        sys.argv = ["fer-tune", *words]
        from fer_tune.cli import main
        main()
        break
    with open(f"{said}.code", "w") as file:
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), file=file)
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model, a face, a photograph and a video."""
    av = pytest.importorskip("av", reason="makes a video")
    data = pytest.importorskip("skimage.data", reason="has a photograph")
    home = tmp_path_factory.mktemp("extras")
    Image.fromarray(data.astronaut()).save(home / "photograph.png")
    Image.fromarray(np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)).save(home / "face.png")
    with av.open(home / "video.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for shade in (0, 90, 180):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return {
        "model": make_model(home / "model"),
        "face": home / "face.png",
        "photograph": home / "photograph.png",
        "video": home / "video.mp4",
    }


@pytest.fixture(scope="module")
def outcomes(
    given: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, bool], tuple[Outcome, list[Path]]]:
    """By extra and whether it is installed: what its command left, and the files that it wrote."""
    home = tmp_path_factory.mktemp("outcomes")
    base = modules_outside(installed(BASE))
    tasks, found = [], {}
    for extra, text in COMMANDS.items():
        outside = modules_outside(installed([*BASE, *EXTRAS[extra]]))
        assert "pytest" in outside and {"torch", "PIL", "numpy"}.isdisjoint(outside)
        for without, is_there in ((outside, True), (base, False)):
            folder = home / f"{extra}-{is_there}"
            folder.mkdir()
            words = text.format(**given, new=folder / "new").split()
            tasks.append((without, words, str(folder)))
    (home / "tasks.json").write_text(json.dumps([base, tasks]))
    subprocess.run(
        [sys.executable, "-c", RUN, str(home / "tasks.json")],
        check=False,
        timeout=1000,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    for extra in COMMANDS:
        for is_there in (True, False):
            said = home / f"{extra}-{is_there}"
            code, *texts = (
                said.with_suffix(f".{kind}").read_text() for kind in ("code", "out", "err")
            )
            found[extra, is_there] = Outcome(int(code), *texts), list(said.iterdir())
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("extra", COMMANDS)
def test_an_extra_suffices_for_its_command(extra: str, outcomes: Any) -> None:
    done, written = outcomes[extra, True]
    assert done.code == 0, done.err
    assert bool(written) == ("{new}" in COMMANDS[extra])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("extra", COMMANDS)
def test_without_it_one_line_has_the_pip_command(extra: str, outcomes: Any) -> None:
    done, written = outcomes[extra, False]
    assert done.code == 2 and done.out == "", done
    (message,) = [line for line in done.err.splitlines() if line.startswith("fer-tune:")]
    assert message.endswith(f"Install it with: pip install 'fer-tune[{extra}]'")
    assert "Traceback" not in done.err and not written


def needed() -> set[tuple[str, str]]:
    """Extra and module of every call of ``needs`` or ``has`` with literal arguments."""
    found = set()
    for path in (ROOT / "fer_tune").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("needs", "has"):
                values = [one.value for one in node.args if isinstance(one, ast.Constant)]
                if len(values) == 2:
                    found.add((values[0], values[1].partition(".")[0]))
    return found


def test_every_module_that_is_asked_for_is_in_its_extra() -> None:
    owners = metadata.packages_distributions()
    calls = needed()
    assert {extra for extra, _ in calls} >= {"faces", "video", "onnx", "explain", "serve"}
    for extra, module in calls:
        named = {plain(Requirement(one).name) for one in [*BASE, *EXTRAS[extra]]}
        assert {plain(owner) for owner in owners[module]} & named, (extra, module)
