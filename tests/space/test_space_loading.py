"""Files, overrides, and the messages that a stranger reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_tune.errors import SpaceError
from fer_tune.space import load, shipped
from fer_tune.space.overrides import apply

TEXT = """\
name: mine
purpose: A small search.
compare: {arms: [densenet121, resnet50]}
parameters:
  lr_head: {type: float, low: 1e-4, high: 1e-2, log: true}
budget: {trials: 8, max_epochs: 10}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def refused(path: Path | str, *overrides: str) -> str:
    with pytest.raises(SpaceError) as caught:
        load(str(path), overrides)
    return str(caught.value)


def test_a_file_loads_and_exponents_without_a_point_are_numbers(file):
    space = load(str(file))
    assert space.name == "mine"
    assert space.domains("resnet50")["lr_head"].contains(1e-4)


def test_three_faults_are_told_in_one_message_with_key_value_and_remedy(file):
    broken = TEXT.replace("high: 1e-2", "high: 1e-5").replace("trials: 8", "trials: 7")
    file.write_text(broken.replace("name:", "nmae:"), encoding="utf-8")
    message = refused(file)
    assert message.startswith(f"{file}: 4 errors in the search space:\n")
    assert "name: is missing. Add it, for example `name: my_search`" in message
    assert "nmae: is an unknown key. Did you mean 'name'?" in message
    assert "budget.trials: must be divisible by 2" in message and "(got 7)" in message
    assert "low must be below high (low 0.0001, high 1e-05)" in message


def test_overrides_are_yaml_and_later_ones_win(file):
    space = load(
        str(file),
        [
            "budget.trials=20",
            "budget.trials = 12",
            "parameters.lr_head.high=0.1",
            "compare.arms=[resnet18, resnet34]",
            "resources.gpu=1/2",
            "budget.wall_time=",
            "parameters.dropout={per_arm: {resnet18: 0.5}}",
        ],
    )
    assert space.budget.trials == 12 and space.budget.wall_time is None
    assert list(space.compare.arms) == ["resnet18", "resnet34"]
    assert space.domains("resnet18")["lr_head"].contains(0.1)
    assert space.resources.gpu == 0.5 and space.fixed("resnet18")["dropout"] == 0.5


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("budget.trails=9", "--set budget.trails: is an unknown key. Did you mean 'budget.trials"),
        ("trials=8", "Did you mean 'budget.trials'?"),
        ("lr_head=1e-3", "Did you mean 'parameters.lr_head'?"),
        ("parameters.lr_hed=1e-3", "Did you mean 'parameters.lr_head'?"),
        ("budget.trials.x=1", "--set budget.trials.x: is an unknown key"),
        ("zzz=1", "Known: name, purpose, compare"),
        ("budget.trials", "must have the form key=value"),
        ("=3", "must have the form key=value"),
        ("budget..trials=3", "must have the form key=value"),
        ("purpose=[", "--set purpose: is not valid YAML"),
        ("compare.arms.x=resnet18", "Set compare.arms as a whole"),
        ("budget.trials=many", "budget.trials: must be a whole number (got 'many')"),
        ("budget={trials: 8, trials: 9, max_epochs: 4}", "is a duplicate key"),
    ],
)
def test_overrides_that_do_not_fit_are_refused(file, override, says):
    assert says in refused(file, override)


def test_overrides_change_a_copy():
    values = {"budget": {"trials": 8}}
    changed, refused_ones = apply(values, ["budget.trials=9"])
    assert (changed, refused_ones) == ({"budget": {"trials": 9}}, [])
    assert values == {"budget": {"trials": 8}}


def test_faults_of_file_and_overrides_come_together(file):
    file.write_text(TEXT + "metric: f1\n", encoding="utf-8")
    message = refused(file, "budget.trails=4")
    assert "2 errors" in message and "metric:" in message and "budget.trails" in message


def test_duplicate_keys_are_refused_with_their_place(file):
    file.write_text(TEXT + "metric: loss\nmetric: accuracy\n", encoding="utf-8")
    assert "line 8, column 1, metric: is a duplicate key (got 'accuracy'). Keep one" in refused(
        file
    )


def test_an_alias_bomb_is_refused_quickly(file):
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
    )
    file.write_text(bomb, encoding="utf-8")
    assert "Write values out instead of aliases" in refused(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("[a, b]", "holds a list"),
        ("name: [a\n", "is not valid YAML"),
        ("a: &x [*x]", "expands to more than"),
        ("a: 1\n---\na: 2\n", "is not valid YAML"),
        ("[" * 5000, "nest at most 20 levels"),
        ("x" * 70_000, "at most 65536 characters"),
        ("a: !!python/object/apply:os.system [ls]", "uses the tag"),
        ("a: !!binary aGk=", "uses the tag"),
        ("a: !!int x", "tags 'x' as int"),
        ("? [a, b]\n: 1", "key that is not a single text"),
        ('a: "\\UFFFFFFFF"', "is not valid YAML"),
        ('a: "\\ud800"', "is not valid YAML"),
        ("a: \x01", "is not valid YAML"),
        ("a: b: c", "line 1, column 5"),
    ],
)
def test_text_that_is_no_search_space(file, text, says):
    file.write_text(text, encoding="utf-8")
    message = refused(file)
    assert "1 error " in message and says in message


def test_bytes_that_are_no_text(file):
    file.write_bytes(b"name: \xff\xfe")
    assert "not UTF-8" in refused(file)
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load(str(file)).name == "mine"


def test_a_name_that_nobody_has_is_answered_with_the_nearest(tmp_path):
    assert "Did you mean 'quickstart'?" in refused("quikstart")
    assert "neither a shipped search space nor a file" in refused(tmp_path / "none.yaml")
    assert "cannot be read: Is a directory" in refused(tmp_path)
    assert "cannot be read" in refused("a\0b")


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in refused(tmp_path / "pipe.yaml")


def test_a_pipe_that_the_shell_has_opened_is_read():
    reader, writer = os.pipe()
    os.write(writer, TEXT.encode())
    os.close(writer)
    try:
        assert load(f"/dev/fd/{reader}").name == "mine"
    finally:
        os.close(reader)


def test_a_shipped_name_wins_and_a_path_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("quickstart").write_text(TEXT, encoding="utf-8")
    assert load("quickstart").name == "quickstart"
    assert load("./quickstart").name == "mine"


def test_a_folder_of_the_working_directory_does_not_shadow_the_shipped_files(tmp_path, monkeypatch):
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "foreign.yaml").write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "foreign" not in shipped() and "quickstart" in shipped()


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, fer_tune.space as s; s.load('quickstart'); "
        "print([m for m in ('torch', 'ray', 'optuna', 'numpy', 'pandas') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
