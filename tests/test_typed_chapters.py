"""Chapters read report.json as typed objects: mypy sees every key that they use."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house import ENTRIES, REPORT, ROOT, module_file, ours


def presenting(topic: str, start: Path) -> list[Path]:
    """``start`` and the modules that it imports of its topic, directly or not."""
    found, queue = [start], [start]
    while queue:
        for name in sorted(ours(queue.pop())):
            path = module_file(name) if name.startswith(f"analysis.report.{topic}.") else None
            if path and path not in found:
                found.append(path)
                queue.append(path)
    return found


def lookups(path: Path) -> list[str]:
    """Where a module looks something up by a constant name, which mypy cannot check."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            key = node.slice
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                wrong.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "vars"):
            wrong.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            name = isinstance(first, ast.Constant) and isinstance(first.value, str)
            if node.func.attr == "model_dump" or (node.func.attr == "get" and name):
                wrong.append(ast.unparse(node))
        elif isinstance(node, ast.arg) and node.annotation is not None:
            wrong += [f"{node.arg}: Json"] * ("Json" in ast.unparse(node.annotation))
    return wrong


def test_chapters_look_nothing_up_by_name() -> None:
    starts = [path for name in ENTRIES for path in REPORT.glob(f"*/{name}.py")]
    modules = [m for path in starts for m in presenting(path.parent.name, path)]
    modules += [*(REPORT / "presentation").glob("*.py"), ROOT / "analysis/outputs/terminal.py"]
    assert len(modules) > 50
    found = {str(path): wrong for path in modules if (wrong := lookups(path))}
    assert found == {}


def test_a_lookup_by_name_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "chapter.py"
    bad.write_text(
        "def one(report: Json) -> str:\n"
        "    first = report['arms'][0]\n"
        "    return f\"{first['arm']} {getattr(first, 'n')} {first.get('of')}\"\n"
    )
    assert sorted(lookups(bad)) == [
        "first.get('of')",
        "first['arm']",
        "getattr(first, 'n')",
        "report: Json",
        "report['arms']",
    ]
