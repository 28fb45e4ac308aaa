"""What is printed is escaped, and commands that are shown are quoted by one function."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house import ROOT, called, files, imports

#: Functions that make text fit to be printed, see `fer_tune.escaping` and `fer_tune.console`.
ESCAPING = {"one_line", "lines", "job_log", "json_text", "cells", "styled"}
#: Calls that print, or make what rich prints, which reads markup in plain strings.
PRINTING = {"print", "echo", "secho", "add_row", "add_column", "add_task", "TextColumn"}
PRINTING |= {"Table", "Text", "Panel", "Tree", "Rule", "Columns", "from_markup", "render_str"}
#: Keywords of theirs that hold text.
WORDS = {"title", "caption", "header", "footer", "description", "message"}
CONSOLE = ROOT / "fer_tune" / "console.py"


def is_escaped(node: ast.expr) -> bool:
    """Whether an argument is known text: a literal, a constant's name, or escaped."""
    if isinstance(node, ast.Starred):
        return is_escaped(node.value)
    if isinstance(node, ast.BinOp):
        return is_escaped(node.left) and is_escaped(node.right)
    if isinstance(node, ast.Name):
        return node.id.isupper() or node.id == "__version__"
    if isinstance(node, ast.Call):
        keywords = {keyword.arg for keyword in node.keywords}
        ascii_json = called(node) == "dumps" and "ensure_ascii" not in keywords
        return called(node) in ESCAPING or ascii_json
    if isinstance(node, ast.JoinedStr):
        return all(is_escaped(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return is_escaped(node.value)
    return isinstance(node, ast.Constant)


def raw_prints(path: Path) -> list[str]:
    """Calls that print what may be anything, as ``line: call``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "rich.markup":
            found.append(f"{node.lineno}: rich.markup")
        if not isinstance(node, ast.Call):
            continue
        name, whole = called(node), ast.unparse(node.func)
        shown = [*node.args, *(k.value for k in node.keywords if k.arg in WORDS)]
        by_rich = name == "print" and whole != "print"  # the console's own: see fer_tune.console
        prints = name in PRINTING or whole in ("sys.stdout.write", "sys.stderr.write")
        if by_rich or (prints and not all(map(is_escaped, shown))):
            found.append(f"{node.lineno}: {whole}")
    return found


def test_everything_printed_is_escaped() -> None:
    files = [path for room in ("fer_tune", "analysis") for path in (ROOT / room).rglob("*.py")]
    assert CONSOLE in files
    # `presentation.blocks` of the report has a Table and a Text of its own; templates escape them.
    files = [p for p in files if p != CONSOLE and ROOT / "analysis" / "report" not in p.parents]
    assert {str(p): found for p in files if (found := raw_prints(p))} == {}


def test_a_raw_print_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from rich.markup import escape\n"
        'console.print("fixed")\n'
        'print(f"{name}")\n'
        "typer.echo(name)\n"
        'sys.stdout.write(name + "\\n")\n'
        "table.add_row(name, *cells(name))\n"
        'table.add_column("fixed", header=name)\n'
        "Text(name)\n"
        'Table("fixed", title=f"{name}")\n'
        "print(json.dumps(name, ensure_ascii=False))\n"
    )
    assert [line.partition(":")[0] for line in raw_prints(bad)] == [str(n) for n in range(1, 11)]
    good = tmp_path / "good.py"
    good.write_text(
        'print(lines(f"{name}"), file=sys.stderr)\n'
        'typer.echo(json_text(name) + "\\n")\n'
        "print(json.dumps(name))\n"
        'table.add_row(*cells(name), style=style)\nTable(*HEADINGS, title="fixed")\n'
    )
    assert raw_prints(good) == []


def test_commands_that_are_shown_are_quoted_by_one_function() -> None:
    """`shlex.quote` leaves control characters in; it is for commands that are run."""
    for room in ("tuning", "cli", "data", "models", "features", "training", "space"):
        for path in files(room):
            assert_quotes_nothing_itself(path)
    # Other modules of `cluster` quote commands that are run.
    assert_quotes_nothing_itself(ROOT / "fer_tune" / "cluster" / "ssh" / "dashboard_access.py")


def assert_quotes_nothing_itself(path: Path) -> None:
    assert "shlex.quote" not in imports(path), path
    assert "shlex.quote(" not in path.read_text(encoding="utf-8"), path
