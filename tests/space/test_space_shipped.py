"""Every shipped file, found recursively, and the reference that describes them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from fer_tune.space import SearchSpace, load, plan, shipped
from fer_tune.space.backbones import BACKBONES
from fer_tune.space.overrides import settable
from fer_tune.space.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "search_spaces").rglob("*.y*ml"))
PAGES = [ROOT / "docs/search-spaces.md", *sorted((ROOT / "docs/search-spaces").glob("*.md"))]
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_the_promised_files_are_shipped_and_found():
    promised = {
        "quickstart",
        "densenet161_vs_resnet152",
        "cpu_small",
        "head_only",
        "notebook_baseline",
        "control_same",
        "control_noise",
    }
    assert promised <= set(shipped())
    assert sorted(shipped().values()) == FILES, "a file that shipped() does not find"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_file(path):
    opening = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8"))
    assert opening, "opens with a comment"
    assert opening[0].startswith("# Purpose: ")
    assert f"fer-tune search {path.stem} --data" in opening[0], "names its launch command"
    space = load(path.stem)
    assert space.name == path.stem
    assert SearchSpace.from_dict(space.as_dict()) == space
    assert plan(space).trials == space.budget.trials
    for arm in space.compare.arms:
        ends = {name: domain_end(domain) for name, domain in space.domains(arm).items()}
        assert space.covers(arm, space.config(arm, ends))


def domain_end(domain):
    return domain.values[-1] if hasattr(domain, "values") else domain.high


def test_the_flagship_lets_the_verdict_speak_of_the_families():
    space = load("densenet161_vs_resnet152")
    assert list(space.compare.arms) == ["densenet161", "resnet152"]
    assert space.compare.allocation == "equal" and space.compare.replicates >= 5
    assert space.weights == "imagenet-v1" and space.confirm.seeds >= 2
    assert space.budget.trials >= 100 and plan(space).rungs


def test_the_notebook_baseline_samples_nothing():
    space = load("notebook_baseline")
    assert not any(space.domains(arm) for arm in space.compare.arms)
    assert {(s.baseline, s.random, s.proposed) for s in plan(space).studies} == {(1, 0, 0)}


def test_the_controls_differ_in_what_they_compare_alone():
    same, noise = load("control_same"), load("control_noise")
    for space in (same, noise):
        assert space.compare.replicates >= 5 and space.confirm.seeds >= 2
        first, second = (space.domains(arm) for arm in space.compare.arms)
        assert first == second
    first, second = (same.config(arm, {}) for arm in same.compare.arms)
    assert first == second, "one backbone under two names"
    clean, noisy = (noise.config(arm, {}) for arm in ("clean", "noisy"))
    assert clean == first and noisy == dataclasses.replace(clean, label_noise=0.25)
    apart = {"name", "purpose", "compare", "parameters"}
    left, right = ({k: v for k, v in s.as_dict().items() if k not in apart} for s in (same, noise))
    assert left == right


@pytest.mark.parametrize("key", [key for key in settable() if not key.startswith("parameters.")])
def test_the_reference_names_every_key(key):
    assert f"`{key}" in REFERENCE


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda parameter: parameter.name)
def test_the_reference_tells_every_parameter_as_the_table_does(parameter):
    row = re.search(rf"^\| `{parameter.name}` \|.*$", REFERENCE, flags=re.MULTILINE)
    assert row is not None
    permitted = [f"`{name}`" for name in parameter.choices] or [parameter.rule.removeprefix("a ")]
    assert all(text in row[0] for text in permitted)
    assert parameter.default is None or f"`{parameter.default}`" in row[0]
    assert parameter.meaning in row[0]


def test_the_reference_tells_every_default():
    required = {"compare": {"arms": ["resnet18"]}, "budget": {"trials": 1, "max_epochs": 9}}
    resolved = SearchSpace.from_dict({"name": "n", "purpose": "p", **required}).as_dict()
    del resolved["name"], resolved["purpose"], resolved["parameters"]
    defaults = {
        f"{section}.{name}" if name else section: default
        for section, values in resolved.items()
        for name, default in (values.items() if isinstance(values, dict) else [("", values)])
    }
    for key, default in defaults.items():
        row = re.search(rf"^\| `{key}` \|.*$", REFERENCE, flags=re.MULTILINE)
        assert row is not None, key
        reported = row[0].split("|")[3].strip().strip("`")
        if reported != "required":
            shown = "none" if default == [] else json.dumps(default).strip('"')
            assert reported == shown.removesuffix(".0"), key


def test_the_reference_lists_the_shipped_files():
    assert all(f"| `{name}` |" in REFERENCE for name in shipped())


def test_backbones_are_distinct():
    assert len(set(BACKBONES)) == len(BACKBONES)
