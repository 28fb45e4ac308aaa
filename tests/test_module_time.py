"""A test that replaces the clock replaces it for one module, and not for the whole process."""

from __future__ import annotations

import ast
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.module_time import replace_time

#: What event loops and waiting threads go by. Nothing waits by ``time.time``.
CLOCKS = {"monotonic", "sleep", "perf_counter"}


def replaced_everywhere(text: str) -> list[int]:
    """The lines that set a clock of the ``time`` module itself."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "setattr" or not node.args:
            continue
        name = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
        of_time = ast.unparse(node.args[0]).strip("'").split(".")
        if "time" in of_time and {*name, *of_time} & CLOCKS:
            found.append(node.lineno)
    return found


def test_no_test_replaces_the_clock_of_the_process() -> None:
    paths = Path(__file__).parent.rglob("*.py")
    found = {
        str(p): replaced_everywhere(p.read_text()) for p in paths if "node_modules" not in p.parts
    }
    assert len(found) > 300
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "text",
    [
        'patch.setattr(time, "monotonic", f)',
        'patch.setattr(module.time, "sleep", f)',
        "patch.setattr('time.sleep', f)",
        "patch.setattr('fer_tune.storage.retry.time.monotonic', f)",
    ],
)
def test_a_replaced_clock_is_seen(text: str) -> None:
    assert replaced_everywhere(text) == [1]


def test_others_keep_the_real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("module")
    vars(module)["time"] = time
    replace_time(monkeypatch, module, monotonic=lambda: -1.0)
    assert vars(module)["time"].monotonic() == -1.0 and vars(module)["time"].time() > 0
    assert time.monotonic() >= 0
