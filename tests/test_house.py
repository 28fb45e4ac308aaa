"""The house keeps its shape: imports run downwards, `analysis` knows neither torch nor Ray."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.report.topics import TOPICS

ROOT = Path(__file__).resolve().parents[1]

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


# -- what is printed is escaped ---------------------------------------------------------------

#: Functions that make text fit to be printed, see `fer_tune.escaping` and `fer_tune.console`.
ESCAPING = {"one_line", "lines", "job_log", "json_text", "cells", "styled"}
#: Calls that print, or make what rich prints, which reads markup in plain strings.
PRINTING = {"print", "echo", "secho", "add_row", "add_column", "add_task", "TextColumn"}
PRINTING |= {"Table", "Text", "Panel", "Tree", "Rule", "Columns", "from_markup", "render_str"}
#: Keywords of theirs that hold text.
WORDS = {"title", "caption", "header", "footer", "description", "message"}
CONSOLE = ROOT / "fer_tune" / "console.py"


def called(node: ast.Call) -> str:
    """The last part of a called name: ``add_row`` of ``table.add_row``."""
    part = node.func
    return part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")


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


# -- the report: topics apart, chapters from report.json alone --------------------------------

REPORT = ROOT / "analysis" / "report"
#: What a chapter may import of ours, besides the modules of its topic.
PRESENTING = {
    "analysis.formats",
    "analysis.settings",
    "analysis.report.presentation",
    "analysis.report.schema",
    "analysis.report.values",
}
#: Modules from which presenting begins; what they import of their topic presents, too.
ENTRIES = ("chapter", "opening")


def ours(path: Path) -> set[str]:
    """The modules of `analysis` and `fer_tune` that a file imports, as dotted names."""
    found = {name for name in imports(path) if name.split(".")[0] in {"analysis", "fer_tune"}}
    return {name if module_file(name) else name.rpartition(".")[0] for name in found}


def module_file(name: str) -> Path | None:
    place = ROOT.joinpath(*name.split("."))
    found = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in found if path.is_file()), None)


def beyond_the_chapter(topic: str, start: Path) -> list[str]:
    """Imports of ``start``, and of what it imports of its topic, that are not for presenting."""
    own, seen, queue, wrong = f"analysis.report.{topic}", set(), [start], []
    while queue:
        path = queue.pop()
        for name in sorted(ours(path)):
            if name.startswith(f"{own}.") and (found := module_file(name)) not in seen:
                seen.add(found)
                queue.append(found)
            elif not name.startswith(own) and not any(
                name == allowed or name.startswith(f"{allowed}.") for allowed in PRESENTING
            ):
                wrong.append(name)
    return wrong


def topics() -> list[str]:
    return sorted(path.parent.name for path in REPORT.glob("*/section.py"))


def test_chapters_import_nothing_but_what_presents_report_json() -> None:
    starts = [path for name in ENTRIES for path in REPORT.glob(f"*/{name}.py")]
    assert len(starts) == len(topics())
    wrong = {str(path): beyond_the_chapter(path.parent.name, path) for path in starts}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_an_import_beyond_the_chapter_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "chapter.py"
    bad.write_text(
        "from analysis import formats\n"
        "from analysis.inputs.units import SEEDS_NEEDED\n"
        "from analysis.report.cost import figures\n"
        "from analysis.report.effect.tables import pairs\n"
        "from analysis.report.presentation.cells import cell\n"
        "from analysis.report.schema import Report\n"
        "from fer_tune.records import TRIAL_STATES\n"
    )
    assert beyond_the_chapter("cost", bad) == [
        "analysis.inputs.units",
        "analysis.report.effect.tables",
        "fer_tune.records",
    ]
    # A chapter that uses its own section reads the records through it.
    bad.write_text("from analysis.report.cost.section import section\n")
    assert "analysis.inputs.search" in beyond_the_chapter("cost", bad)


def test_no_topic_of_the_report_imports_another() -> None:
    apart = [*topics(), "presentation"]
    for topic in apart:
        for path in (REPORT / topic).glob("*.py"):
            names = {name for name in ours(path) if name.startswith("analysis.report.")}
            others = {name.split(".")[2] for name in names} - {topic, "presentation"}
            assert not others & set(apart), path


def test_every_topic_of_the_report_is_listed() -> None:
    assert {*TOPICS, "verdict"} == set(topics())
