"""Which modules import and call what, for the tests of the rules of the house."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "analysis" / "report"
#: Modules from which presenting begins; what they import of their topic presents, too.
ENTRIES = ("chapter", "opening")


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
    module = ROOT / "fer_tune" / f"{room}.py"
    found = [module] if module.is_file() else sorted((ROOT / "fer_tune" / room).rglob("*.py"))
    assert found, room
    return found


def called(node: ast.Call) -> str:
    """The last part of a called name: ``add_row`` of ``table.add_row``."""
    part = node.func
    return part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")


def ours(path: Path) -> set[str]:
    """The modules of `analysis` and `fer_tune` that a file imports, as dotted names."""
    found = {name for name in imports(path) if name.split(".")[0] in {"analysis", "fer_tune"}}
    return {name if module_file(name) else name.rpartition(".")[0] for name in found}


def module_file(name: str) -> Path | None:
    place = ROOT.joinpath(*name.split("."))
    found = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in found if path.is_file()), None)
