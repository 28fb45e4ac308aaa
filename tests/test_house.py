"""The house keeps its shape: imports run downwards, `analysis` knows neither torch nor Ray."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import ROOT, files, imports

#: Each room may import itself, the rooms named, and the pure modules at the top.
BELOW = {
    "ray_private": set(),
    "space": set(),
    "data": {"space"},
    "models": {"space"},
    "features": {"data", "models", "space"},
    "training": {"features", "models", "data", "space"},
    "profiling": {"training", "features", "models", "data", "space"},
    "probing": {"training", "features", "models", "data", "space"},
    "tuning": {"ray_private", "training", "features", "models", "data", "space"},
    "simulation": {"tuning", "training", "space"},
    "serving": {"training", "features", "models", "data", "space"},
    "cluster": {"ray_private", "training", "models", "data", "space"},
    "cli": {
        *(
            "serving",
            "cluster",
            "tuning",
            "simulation",
            "profiling",
            "probing",
            "training",
            "features",
            "models",
            "data",
            "space",
        ),
        "analysis",
    },
}
PURE = {
    "console",
    "curves",
    "errors",
    "escaping",
    "process",
    "records",
    "schema",
    "scores",
    "storage",
    "wording",
    "yaml_reader",
}
#: Who may import what from outside, a room or a package of one. Everybody else may not.
ONLY = {
    "ray": {"ray_private", "tuning", "cluster", "serving/service"},
    "ray.serve": {"serving/service"},
    "optuna": {"tuning", "analysis"},
    "typer": {"cli"},
}
NEVER_IN_ANALYSIS = {"torch", "torchvision", "ray"}


def violations(room: str, path: Path) -> list[str]:
    wrong = []
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "fer_tune" and len(parts) > 1:
            target = parts[1]
            if target not in BELOW[room] | PURE | {room, "__version__"}:
                wrong.append(name)
        elif (parts[0] == "analysis" and "analysis" not in BELOW[room]) or any(
            f"{name}.".startswith(f"{outside}.") and not {room, f"{room}/{path.parent.name}"} & may
            for outside, may in ONLY.items()
        ):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("room", BELOW)
def test_imports_run_downwards(room: str) -> None:
    assert {str(p): v for p in files(room) if (v := violations(room, p))} == {}


def test_a_wrong_arrow_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from fer_tune.tuning import run\nimport ray\nimport analysis\n")
    assert sorted(violations("data", bad)) == ["analysis", "fer_tune.tuning.run", "ray"]


def test_ray_serve_belongs_to_the_service(tmp_path: Path) -> None:
    module = tmp_path / "service" / "module.py"
    module.parent.mkdir()
    module.write_text("import ray\nfrom ray import serve\nfrom ray.serve.handle import Any\n")
    assert violations("serving", module) == []
    assert sorted(violations("tuning", module)) == ["ray.serve", "ray.serve.handle.Any"]
    moved = module.rename(tmp_path / "module.py")
    assert sorted(violations("serving", moved)) == ["ray", "ray.serve", "ray.serve.handle.Any"]


def test_pure_modules_import_no_room() -> None:
    for path in (found for name in PURE for found in files(name)):
        for imported in imports(path):
            parts = imported.split(".")
            assert parts[0] not in {"torch", "ray", "analysis"}, (path, imported)
            if parts[0] == "fer_tune":
                assert parts[1] in PURE, (path, imported)


def test_analysis_imports_records_and_search_spaces_alone() -> None:
    for path in (ROOT / "analysis").rglob("*.py"):
        for imported in imports(path):
            parts = imported.split(".")
            assert parts[0] not in NEVER_IN_ANALYSIS, (path, imported)
            if parts[0] == "fer_tune":
                allowed = PURE - {"console"} | {"space", "__version__"}
                assert parts[1] in allowed, (path, imported)


BLOCKED = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "ray"}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Wall())
import importlib, pathlib
for path in sorted(pathlib.Path("analysis").rglob("*.py")):
    if path.name != "__main__.py":
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
print("reached the end")
"""


def test_analysis_imports_without_torch_and_ray() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "reached the end", done.stderr


# -- private names of Ray are in one module --------------------------------------------------------

#: A private name of Ray in a text, as that of a logger or of code that runs elsewhere.
PRIVATE_TEXT = re.compile(r"\bray\.(\w+\.)*_\w")


def private_names_of_ray(path: Path) -> list[str]:
    """Mentions of a name that begins with an underscore and is not the file's own."""
    found = [n for n in imports(path) if n.startswith("ray.") and "._" in n]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
            if ast.unparse(node.value) not in ("self", "cls"):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Constant) and PRIVATE_TEXT.search(str(node.value)):
            found.append(str(node.value))
    return found


def test_private_names_of_ray_are_in_one_module() -> None:
    """The other rooms may not import Ray at all."""
    paths = [
        path for room in ("tuning", "cluster", "cli", "serving/service") for path in files(room)
    ]
    assert {str(p): found for p in paths if (found := private_names_of_ray(p))} == {}


def test_a_private_name_of_ray_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import ray._private.state\n"
        "from ray import _raylet\n"
        "from ray.tune.schedulers.async_hyperband import _Bracket\n"
        "ray._raylet.setproctitle\n"
        "self.actor._actor_id\n"
        'CODE = "from ray._private import services"\n'
    )
    assert len(private_names_of_ray(bad)) == 6
    good = tmp_path / "good.py"
    good.write_text("import ray.tune\nself._ray\ncls._made()\nray.__version__\n")
    assert private_names_of_ray(good) == []


# -- folders stay small ------------------------------------------------------------------------

#: Modules that a folder may hold, besides ``__init__.py``.
MOST_MODULES = 14


def crowded(root: Path) -> dict[str, int]:
    """Folders below ``root`` with too many modules."""
    folders = {path.parent for path in root.rglob("*.py")}
    counts = {str(f.relative_to(root)): len([*f.glob("[!_]*.py")]) for f in folders}
    return {folder: count for folder, count in counts.items() if count > MOST_MODULES}


def test_no_folder_is_crowded(tmp_path: Path) -> None:
    assert crowded(ROOT / "fer_tune") == crowded(ROOT / "analysis") == {}
    (tmp_path / "rooms").mkdir()
    for number in range(MOST_MODULES + 1):
        (tmp_path / "rooms" / f"m{number}.py").touch()
    assert crowded(tmp_path) == {"rooms": MOST_MODULES + 1}


#: Lines that a file of the product may have.
MOST_LINES = 350


def long_files(root: Path) -> dict[str, int]:
    """Files below ``root`` with too many lines."""
    counts = {
        str(path.relative_to(root)): len(path.read_text(encoding="utf-8").splitlines())
        for path in root.rglob("*.py")
    }
    return {file: count for file, count in counts.items() if count > MOST_LINES}


def test_no_file_is_long(tmp_path: Path) -> None:
    assert long_files(ROOT / "fer_tune") == long_files(ROOT / "analysis") == {}
    (tmp_path / "long.py").write_text("pass\n" * (MOST_LINES + 1))
    (tmp_path / "short.py").write_text("pass\n" * MOST_LINES)
    assert long_files(tmp_path) == {"long.py": MOST_LINES + 1}


# -- packages of `tuning` and `cluster` are layers ------------------------------------------------

#: Packages, lowest first: each may import itself and those before it. "" are the modules beside
#: them, some of which lie below all packages; the others lie above.
LAYERS = {
    "tuning": ["log", "studies", "files", "raytune", "monitor"],
    "cluster": ["screening", "ssh", "jobs"],
}
BENEATH = {"tuning": {"options", "settings"}, "cluster": {"dashboard", "job", "job_api", "names"}}


def upward(room: str, package: str, path: Path) -> list[str]:
    """Imports of a module in ``package`` that point to a higher layer of its room."""
    allowed = {*LAYERS[room][: LAYERS[room].index(package) + 1], *BENEATH[room]}
    below = [name.split(".") for name in imports(path) if name.startswith(f"fer_tune.{room}.")]
    return [".".join(parts) for parts in below if parts[2] not in allowed]


@pytest.mark.parametrize(("room", "package"), [(r, p) for r in LAYERS for p in LAYERS[r]])
def test_layers_import_downwards(room: str, package: str) -> None:
    found = sorted((ROOT / "fer_tune" / room / package).glob("*.py"))
    assert found
    assert {str(p): wrong for p in found if (wrong := upward(room, package, p))} == {}


def test_an_import_of_a_higher_layer_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from fer_tune.tuning.monitor import recorder\n")
    assert upward("tuning", "log", bad) == ["fer_tune.tuning.monitor.recorder"]
    assert upward("tuning", "monitor", bad) == []
