"""Positions of keys and values, with libyaml's parser and without."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fer_tune.cluster.shipped import shipped as shipped_clusters
from fer_tune.space import shipped
from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import CLUSTER_FILE, nodes
from fer_tune.yaml_reader.core_schema import parse
from fer_tune.yaml_reader.document import Position, read

TEXT = """\
# A comment.
a: 1
b: &b
  - x
  - {c: 2,
     d: 3}

e: *b
"""


def marks(node: yaml.Node) -> Iterator[tuple[Any, ...]]:
    """Beginning and end of a node and all below."""
    start, end = node.start_mark, node.end_mark
    # The last line of a block is the one before the next token, at whose column parsers differ.
    yield node.tag, start.line, start.column, end.line + bool(end.column)
    for inner in node.value if not isinstance(node, yaml.ScalarNode) else ():
        for one in inner if isinstance(inner, tuple) else (inner,):
            yield from marks(one)


YAML_FILES = [
    path for path in (*shipped().values(), *shipped_clusters().values()) if path.suffix == ".yaml"
]


@pytest.mark.parametrize("path", YAML_FILES, ids=str)
def test_libyaml_and_pyyaml_give_the_same_positions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    ours = [mark for node in nodes(text, CLUSTER_FILE) for mark in marks(node)]
    theirs = yaml.compose_all(text, yaml.SafeLoader)
    assert ours == [mark for node in theirs if node for mark in marks(node)]


def test_every_place_has_its_position() -> None:
    document = parse(TEXT)
    assert document.positions == {
        (): Position(2, 1, 2, 8),
        ("a",): Position(2, 1, 2, 2),
        ("b",): Position(3, 1, 3, 7),
        ("b", 0): Position(4, 5, 4, 4),
        ("b", 1): Position(5, 5, 5, 6),
        ("b", 1, "c"): Position(5, 6, 5, 5),
        ("b", 1, "d"): Position(6, 6, 6, 6),
        ("e",): Position(8, 1, 3, 7),
        ("e", 0): Position(4, 5, 4, 4),
        ("e", 1): Position(5, 5, 5, 6),
        ("e", 1, "c"): Position(5, 6, 5, 5),
        ("e", 1, "d"): Position(6, 6, 6, 6),
    }
    assert document.line(("b", 1, "none", 7)) == document.line_of("b[1].none[7]") == 5
    assert document.line_of("b.x") == 4, "an item named by its text"
    assert document.line(("none",)) == document.line_of("none") == 2
    assert parse("").line(()) is None


def test_the_line_of_a_key_needs_little_memory() -> None:
    """An alias repeats a long key at every level, and under it there are many items."""
    key = "a" * 20_000
    document = parse(f"{{? &k {key}\n: {'{*k : ' * 14}{{b: [{'1, ' * 4_000}]{'}' * 16}")
    tracemalloc.start()
    try:
        assert document.line_of(".".join([key] * 15) + ".b[9]") == 2
        assert document.line_of("a." * 100_000) == 1
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


def test_merged_keys_have_the_position_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  y: 3\n")
    (document,) = read(file)
    assert document.value["b"] == {"x": 1, "y": 3}
    assert [document.line(("b", key)) for key in "xy"] == [2, 6]


WITHOUT_LIBYAML = """
import yaml
del yaml.CSafeLoader
from fer_tune.space import load, shipped
from fer_tune.wording import Broken
from fer_tune.yaml_reader.core_schema import parse
assert all(load(name) for name in shipped())
for text in TEXTS:
    try:
        parse(text)
    except Broken as broken:
        print(broken.line, broken.column)
"""

#: Invalid texts with the position of the error; None where PyYAML alone does not know it.
POSITIONS = {
    "a: b: c": "1 5",
    'a: "\\ud800"': "1 4",
    'a: "\\UFFFFFFFF"': None,
    "a: \x01": "1 4",
    "\u00e9\u00e9: 1\na: \x01": "2 4",
    "[" * 30: "1 21",
    "a: [*a": "1 5",
    "- 1\n- [": "2 4",
    "- 1\n- [\n": "3 1",
    "a: 1\rb: [": "2 5",
}


def test_a_pyyaml_without_libyaml_serves_as_well() -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", f"TEXTS = {list(POSITIONS)!r}\n{WITHOUT_LIBYAML}"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [where or "None None" for where in POSITIONS.values()]


@pytest.mark.parametrize("text", [text for text in POSITIONS if "\\" not in text])
def test_libyaml_and_pyyaml_give_the_same_position_of_an_error(text: str) -> None:
    """But for escapes in a text, within which libyaml points further right."""
    with pytest.raises(Broken) as raised:
        parse(text)
    assert f"{raised.value.line} {raised.value.column}" == POSITIONS[text]
