"""What the pages of security promise is tested, and commands that are shown are quoted."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house import ROOT, called

SECURITY = ROOT / "docs" / "security" / "promises.md"


def promises(text: str) -> dict[str, list[str]]:
    """The promises in the tables of a text with the tests that they name, from ``tests/``.

    A ``…`` stands for all that is before the last ``::`` of the test before it.
    """
    found: dict[str, list[str]] = {}
    before = ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) != 2 or cells[0] in ("promise", "-"):
            continue
        found[cells[0]] = []
        for name in re.findall("`([^`]+)`", cells[1]):
            whole = name.replace("…", before)
            found[cells[0]].append(whole)
            before = whole.rpartition("::")[0] or whole
    return found


def is_a_test(name: str) -> bool:
    """Whether ``folder/file.py::Class::test``, or ``folder/``, is a test, or has some."""
    file, *parts = name.split("::")
    path = ROOT / "tests" / file
    if path.is_dir():
        return any(path.rglob("test_*.py"))
    if not path.is_file():
        return False
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in parts:
        kinds = ast.FunctionDef | ast.ClassDef
        inside = [node for node in body if isinstance(node, kinds) and node.name == part]
        if not inside:
            return False
        body = inside[0].body
    return True


def test_every_promise_of_security_has_a_test_that_exists() -> None:
    found = promises(SECURITY.read_text(encoding="utf-8"))
    assert len(found) > 20
    untested = [promise for promise, names in found.items() if not names]
    missing = [name for names in found.values() for name in names if not is_a_test(name)]
    assert untested == missing == []


def test_a_promise_without_a_test_is_seen() -> None:
    text = "| promise | test |\n| - | - |\n| all | `test_house.py::test_none` |\n"
    assert promises(text) == {"all": ["test_house.py::test_none"]}
    assert not is_a_test("test_house.py::test_none") and not is_a_test("none.py")
    assert is_a_test("test_security.py::test_a_promise_without_a_test_is_seen")
    assert is_a_test("serving/video/")


# -- commands that are shown to be copied -------------------------------------------------------

#: A text that ends within a command to be copied.
COMMAND = re.compile(
    r"(?:^|[`'\s(:])(?:fer-tune|ssh|ssh-keygen|scp|rsync|ray|kubectl|rm|mv|chmod|git|pip install"
    r"|sbatch|sky|tensorboard|optuna-dashboard|apt-get|python3? -m) [^`\n]*\Z"
)
#: Names of what is in commands and needs no quotes: numbers, words of fer-tune's own; or has some.
SAFE = {"SCHEMA_VERSION", "backbone", "backbone.name", "extra", "package", "recipe", "seeds"}
SAFE |= {"access.option", "pictures", "copied", "whole"}
#: The addresses of a web page, whose parts were checked.
NOT_COMMANDS = {
    ROOT / "fer_tune" / "data" / "sources" / "kaggle.py",
    # They say which versions of report.json are read.
    ROOT / "analysis" / "report" / "published.py",
    ROOT / "analysis" / "report" / "reading.py",
}


def unquoted(path: Path) -> list[str]:
    """Values within a command that are no call of ``shell_word``, as ``line: value``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        text = ""
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                value = part.value
                quoted = isinstance(value, ast.Call) and called(value) == "shell_word"
                if COMMAND.search(text) and not quoted and ast.unparse(value) not in SAFE:
                    found.append(f"{node.lineno}: {ast.unparse(value)}")
                text += "value"
            else:
                text += str(ast.literal_eval(part))
    return found


def test_every_value_in_a_command_to_be_copied_is_quoted() -> None:
    files = [path for room in ("fer_tune", "analysis") for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 200
    found = {str(p): wrong for p in files if p not in NOT_COMMANDS and (wrong := unquoted(p))}
    assert found == {}


def test_an_unquoted_value_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        'f"Resume it: fer-tune resume {folder}"\n'
        'f"run `ssh-keygen -R {host} -f {shell_word(file)}`"\n'
        'f"`rm {shell_word(a)} {b}`"\n'
    )
    assert unquoted(bad) == ["1: folder", "2: host", "3: b"]
    good = tmp_path / "good.py"
    good.write_text('f"`fer-tune resume {shell_word(folder)}` of {folder}"\nf"the ray {x}y"\n')
    assert unquoted(good) == ["2: x"]
    good.write_text('f"`fer-tune resume {shell_word(folder)}` of {folder}"\nf"{x} is no command"\n')
    assert unquoted(good) == []


# -- files of strangers are data ----------------------------------------------------------------

#: Reads an exception that one of this search's own processes has just left in Ray's folder.
UNPICKLES = {ROOT / "fer_tune" / "tuning" / "raytune" / "placement.py"}
_READERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def running_readers(path: Path) -> list[str]:
    """Calls that may run code which the file that they read contains, as ``line: call``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        module, _, function = name.rpartition(".")
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if (
            name in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "pd.read_pickle")
            or (module.rpartition(".")[2] in _READERS and function in ("load", "loads", "open"))
            or (name == "torch.load" and given.get("weights_only") != "True")
            or given.get("allow_pickle", "False") != "False"
        ):
            found.append(f"{node.lineno}: {name}")
    return found


def test_nothing_is_read_by_what_could_run_code_in_it() -> None:
    files = [path for room in ("fer_tune", "analysis") for path in (ROOT / room).rglob("*.py")]
    found = {path: wrong for path in files if (wrong := running_readers(path))}
    assert found.keys() == UNPICKLES


def test_a_reader_that_could_run_code_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "pickle.load(file)\nray.cloudpickle.loads(b)\ntorch.load(path)\n"
        "torch.load(path, weights_only=False)\nnp.load(path, allow_pickle=True)\n"
        "eval(text)\nyaml.load(text)\n"
    )
    assert len(running_readers(bad)) == 7
    good = tmp_path / "good.py"
    good.write_text("torch.load(path, weights_only=True)\nnp.load(path)\njson.loads(text)\n")
    assert running_readers(good) == []
