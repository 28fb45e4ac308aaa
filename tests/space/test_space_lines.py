"""Every fault of a search space names its line, whatever kind it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fer_tune.errors import Fault, SpaceError
from fer_tune.space import load, loading, shipped

TEXT = """\
# Purpose: a search to break.
name: mine
purpose: A small search.
compare:
  arms:
    - densenet121
    - resnet50
parameters:
  lr_head:
    type: float
    low: 1e-4
    high: 1e-2
  crop_size:
    type: choice
    values:
      - 48
      - 64
  dropout:
    per_arm:
      resnet50: {type: float, low: 0, high: 0.5}
budget:
  trials: 8
  max_epochs: 10
stopper: {patience: 3}
cohorts:
  baseline:
    - dropout: 0.1
    - lr_head: 1e-3
      arm: resnet50
"""


def faults_of(path: Path, *overrides: str) -> list[Fault]:
    with pytest.raises(SpaceError) as caught:
        load(str(path), overrides)
    assert str(caught.value).startswith(f"{path}: ")
    return list(caught.value.faults)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT, encoding="utf-8")
    load(str(path))
    return path


def line_with(text: str, path: Path) -> int:
    (line,) = [n for n, one in enumerate(path.read_text().splitlines(), start=1) if text in one]
    return line


#: Text, what it is replaced by, the key of the fault, and what only its line holds.
ONE_FAULT = {
    "unknown key": ("trials: 8", "trials: 8\n  trails: 9", "budget.trails", "trails"),
    "unknown top-level key": ("budget:", "budgett: 1\nbudget:", "budgett", "budgett"),
    "unknown parameter": ("lr_head:\n", "lr_heat:\n", "parameters.lr_heat", "lr_heat:"),
    "wrong type": ("trials: 8", "trials: many", "budget.trials", "many"),
    "wrong type of a section": ("stopper: {patience: 3}", "stopper: 3", "stopper", "stopper"),
    "null": ("trials: 8", "trials:", "budget.trials", "trials:"),
    "out of range": ("high: 1e-2", "high: 11", "parameters.lr_head.high", "high: 11"),
    "within a mapping on one line": ("patience: 3", "patience: 0", "stopper.patience", "patience"),
    "item of a list": ("- 64", "- 513", "parameters.crop_size.values[1]", "513"),
    "wrong item of a list": ("- 64", "- [1]", "parameters.crop_size.values[1]", "[1]"),
    "item of a list of names": ("- resnet50", "- resnet51", "compare.arms.resnet51", "51"),
    "mapping in a list": ("dropout: 0.1", "dropuot: 0.1", "cohorts.baseline[0].dropuot", "uot"),
    "second mapping": ("arm: resnet50", "arm: resnet5", "cohorts.baseline[1].arm", "arm: resnet5"),
    "per arm": ("low: 0,", "lwo: 0,", "parameters.dropout.per_arm.resnet50.lwo", "lwo"),
    "between keys of a domain": ("low: 1e-4", "low: 1", "parameters.lr_head", "lr_head:\n"),
    "between sections": ("trials: 8", "trials: 7", "budget.trials", "trials: 7"),
    "absent": ("  trials: 8\n", "", "budget.trials", "budget"),
    "absent deeper": ("    low: 1e-4\n", "", "parameters.lr_head.low", "lr_head:\n"),
    "absent at the top": ("name: mine\n", "", "name", "purpose: A"),
    "absent with its section": (
        "max_epochs: 10",
        "max_epochs: 2",
        "scheduler.grace_epochs",
        "name",
    ),
}


@pytest.mark.parametrize("kind", ONE_FAULT)
def test_each_kind_of_fault_has_its_line(kind: str, file: Path) -> None:
    old, new, key, there = ONE_FAULT[kind]
    assert TEXT.count(old) == 1
    file.write_text(TEXT.replace(old, new), encoding="utf-8")
    fault = next(fault for fault in faults_of(file) if fault.key == key)
    assert fault.line is not None and str(fault).startswith(f"line {fault.line}, {key}: ")
    assert there in file.read_text().splitlines(keepends=True)[fault.line - 1]


@pytest.mark.parametrize(
    ("text", "at", "rule"),
    [
        (f"{TEXT}metric: loss\nmetric: loss\n", (31, 1), "is a duplicate key"),
        (TEXT.replace("{patience: 3}", "{patience: 3, patience: 4}"), (24, 24), "is a duplicate"),
        (TEXT.replace("name: mine", "name: m: n"), (2, 8), "is not valid YAML: mapping values"),
        (TEXT.replace("trials: 8", "\ttrials: 8"), (22, 3), "is not valid YAML"),
        (TEXT.replace("resnet50", "é: \x01", 1), (7, 10), "is not valid YAML: unacceptable"),
        (f"{TEXT}metric: *none\n", (30, 9), "is not valid YAML: found undefined alias"),
        (f"{TEXT}---\na: 1\n", (31, 1), "is not valid YAML: it contains several documents"),
        (TEXT.replace("3}", "!!binary aGk=}"), (24, 21), "uses the tag"),
        (TEXT.replace("- 48", "- !!int x"), (16, 9), "tags 'x' as int"),
        (f"{TEXT}? [a]\n: 1\n", (30, 3), "has a key that is not a single text"),
        (f"{TEXT}data: &d [*d]\n", (30, 7), "expands to more than 20 levels"),
        (f"{TEXT}data: {'[' * 30}\n", (30, 26), "must nest at most 20 levels deep"),
        (f"{TEXT}data: 0.{'1' * 101}\n", (30, 7), "must not contain a number of more than 100"),
        ("# a list\n- 1\n", (2, 1), "holds a list"),
    ],
)
def test_faults_of_the_yaml_itself_have_line_and_column(
    text: str, at: tuple[int, int], rule: str, file: Path
) -> None:
    file.write_text(text, encoding="utf-8")
    (fault,) = faults_of(file)
    assert (fault.line, fault.column) == at and fault.rule.startswith(rule)
    assert str(fault).startswith(f"line {at[0]}, column {at[1]}, {fault.key}: {rule}")


def test_bytes_that_are_no_text_have_their_line(file: Path) -> None:
    file.write_bytes(b"name: x\npurpose: \xff\n")
    (fault,) = faults_of(file)
    assert str(fault).startswith("line 2, column 10, file: is not UTF-8 text (byte 17)")


def test_several_faults_come_in_the_order_of_their_lines(file: Path) -> None:
    text = TEXT.replace("trials: 8", "trials: many").replace("- 64", "- 513")
    file.write_text(text.replace("mine", "../mine") + "metric: f1\nmetric: f2\n")
    found = faults_of(file, "confirm.seeds=1", "zzz=1")
    assert [(fault.line, fault.key) for fault in found] == [
        (2, "name"),
        (17, "parameters.crop_size.values[1]"),
        (22, "budget.trials"),
        (31, "metric"),
        (31, "metric"),
        (None, "--set zzz"),
        (None, "--set confirm.seeds"),
    ]


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("budget.trials=many", "--set budget.trials"),
        ("parameters.lr_head={type: float, low: 1}", "--set parameters.lr_head.high"),
        ("cohorts.baseline=[{dropuot: 1}]", "--set cohorts.baseline[0].dropuot"),
        ("compare.arms=[resnet51, resnet50]", "--set compare.arms.resnet51"),
        ("purpose=[", "--set purpose"),
        ("stopper={patience: 3, patience: 4}", "--set stopper.patience"),
        ("budget.trails=4", "--set budget.trails"),
    ],
)
def test_an_override_has_no_line_and_is_named_instead(override: str, key: str, file: Path) -> None:
    fault = next(fault for fault in faults_of(file, override) if fault.key == key)
    assert fault.line is None and re.match(rf"{re.escape(key)}: ", str(fault))


def test_a_fault_elsewhere_that_an_override_causes_has_its_line(file: Path) -> None:
    (fault,) = (f for f in faults_of(file, "budget.max_epochs=3") if "patience" in f.key)
    assert fault.line == line_with("patience", file)


def test_a_shipped_file_is_named_with_its_path_and_line(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    file.write_text(TEXT.replace("trials: 8", "trials: 7"), encoding="utf-8")
    monkeypatch.setattr(loading, "shipped", lambda: {**shipped(), "mine": file})
    with pytest.raises(SpaceError) as caught:
        load("mine")
    assert str(caught.value).startswith(
        f"{file}: 1 error in the search space:\n  - line 22, budget"
    )


def test_an_alias_has_the_line_of_its_key_and_what_it_names_its_own(file: Path) -> None:
    text = TEXT.replace("lr_head:\n", "lr_head: &rate\n", 1)
    file.write_text(text.replace("  crop_size:", "  weight_decay: *rate\n  crop_size:"))
    load(str(file))
    file.write_text(file.read_text().replace("high: 1e-2", "high: 5"))
    (fault,) = faults_of(file)
    assert (fault.key, fault.line) == ("parameters.weight_decay.high", 12)
    file.write_text(file.read_text().replace("high: 5", "high: 1e-5"))
    assert [fault.line for fault in faults_of(file)] == [9, 13]
    file.write_text(
        text.replace("  crop_size:", "  weight_decay: &w 1\n  momentum: *w\n  crop_size:")
    )
    assert [fault.line for fault in faults_of(file)] == [14]


def test_an_arm_named_by_its_number_has_the_line_of_its_item(file: Path) -> None:
    arms = "compare:\n  parameter: unfreeze_depth\n  arms:\n    - 0\n    - 7\n"
    file.write_text(re.sub(r"(?m)^compare:\n  arms:\n.*\n.*\n", arms, TEXT))
    fault = next(f for f in faults_of(file) if f.key == "compare.arms.7")
    assert fault.line == 8


def test_a_key_with_dots_is_found(file: Path) -> None:
    arms = "{v1: resnet18, v1.5: resnet34, v1.5.1: resnet51}"
    text = re.sub(r"(?m)^  arms:\n.*\n.*$", f"  arms:\n{arms}", TEXT)
    file.write_text(text.replace("{v1", "    v1").replace(", ", "\n    ", 2).replace("51}", "51"))
    fault = next(f for f in faults_of(file) if f.key == "compare.arms.v1.5.1")
    assert fault.line == 8
