"""The house keeps its shape: imports run downwards, `analysis` knows neither torch nor Ray."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Each room may import itself, the rooms named, and the pure modules at the top.
BELOW = {
    "space": set(),
    "data": {"space"},
    "models": {"space"},
    "features": {"data", "models", "space"},
    "training": {"features", "models", "data", "space"},
    "tuning": {"training", "features", "models", "data", "space"},
    "cluster": {"training", "models", "data", "space"},
    "cli": {"cluster", "tuning", "training", "features", "models", "data", "space", "analysis"},
}
PURE = {"errors", "records", "curves", "scores", "storage"}
#: Who may import what from outside. Everybody else may not.
ONLY = {"ray": {"tuning", "cluster"}, "optuna": {"tuning", "analysis"}, "typer": {"cli"}}
NEVER_IN_ANALYSIS = {"torch", "torchvision", "ray"}


def imports(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(room: str) -> list[Path]:
    found = sorted((ROOT / "fer_tune" / room).rglob("*.py"))
    assert found, room
    return found


def pure_files(name: str) -> list[Path]:
    module = ROOT / "fer_tune" / f"{name}.py"
    return [module] if module.is_file() else files(name)


def violations(room: str, path: Path) -> list[str]:
    wrong = []
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "fer_tune" and len(parts) > 1:
            target = parts[1]
            if target not in BELOW[room] | PURE | {room, "__version__"}:
                wrong.append(name)
        elif (parts[0] == "analysis" and "analysis" not in BELOW[room]) or (
            parts[0] in ONLY and room not in ONLY[parts[0]]
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


def test_pure_modules_import_no_room() -> None:
    for path in (found for name in PURE for found in pure_files(name)):
        for imported in imports(path):
            parts = imported.split(".")
            assert parts[0] not in {"torch", "ray", "analysis"}, (path, imported)
            if parts[0] == "fer_tune":
                assert parts[1] in PURE, (path, imported)


def test_analysis_imports_records_alone() -> None:
    for path in (ROOT / "analysis").rglob("*.py"):
        for imported in imports(path):
            parts = imported.split(".")
            assert parts[0] not in NEVER_IN_ANALYSIS, (path, imported)
            if parts[0] == "fer_tune":
                assert parts[1] in PURE | {"__version__"}, (path, imported)


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
