"""Manifests from strangers: whatever they hold, `rank` reports or refuses them, in bounds."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from mangled import VALUES, at_most, outcome, places, refusal, replaced, spoil

import analysis
from fer_tune.errors import ResultsError
from fer_tune.schema import limits

#: Values of the manifest that are tried at random places, and folders of these that are reported.
TRIED, REPORTED = 120, 2

WRONG = {
    "space.scheduler.reduction_factor": (0, "space.scheduler.reduction_factor must be at least 2"),
    "space.budget.max_epochs": (10**18, "must be at most 100000 (got 1000000000000000000)"),
    "space.compare.replicates": (10**9, "must be at most 1000"),
    "space.scheduler": ([], "space.scheduler must be a mapping"),
    "space.metric": ("\x1b[2J", "space.metric must be"),
    "space.parameters.lr_head": ({"a": [1]}, "space.parameters.lr_head.type is missing"),
    "classes": ([str(i) for i in range(1001)], "classes must have at most 1000 items"),
    "classes.0": (float("nan"), "classes[0] must be text (got nan)"),
    "arms": ([], "arms must be a mapping (got [])"),
    "choices.0.trial": (-1, "choices[0].trial must be at least 0 (got -1)"),
    "choices.0.runs": (["x" * 10**6], "choices[0].runs[0] must be a whole number"),
    "confirm_seeds": (list(range(10**5)), "confirm_seeds must have at most 1000 items"),
    "started": (10**400, "started must be a number (got a number of 1329 bits)"),
    "splits.test": (True, "splits.test must be a whole number (got True)"),
    "versions": (json.loads("[" * 60 + "]" * 60), "nested more than 32 levels deep"),
    "name": ("\ud800", "contains an unpaired surrogate"),
    "state": ("x" * 10**6, "state must be 'running', 'interrupted' or 'finished'"),
}


@pytest.mark.parametrize("key", WRONG)
def test_a_manifest_that_breaks_a_rule_is_refused_by_key_and_value(folder: Path, key: str) -> None:
    value, message = WRONG[key]
    spoil(folder, key, value)
    text = refusal(folder)
    assert text.startswith("R/manifest.json: ") and message in text


@pytest.mark.parametrize("factor", [0, 1, -3])
def test_rungs_that_would_never_end_are_refused(folder: Path, factor: int) -> None:
    spoil(folder, "space.scheduler.reduction_factor", factor)
    assert outcome(folder, seconds=5) == "refused"


def test_any_value_anywhere_in_a_manifest_is_read_or_refused(whole: Path, tmp_path: Path) -> None:
    document = json.loads((whole / "manifest.json").read_text())
    cases = [(at, name) for at in places(document) for name in VALUES]
    drawn, accepted = random.Random(0), 0
    for at, name in drawn.sample(cases, TRIED):
        spoilt = replaced(document, at, VALUES[name])
        (tmp_path / "manifest.json").write_text(json.dumps(spoilt))
        try:
            with at_most(5):
                analysis.load(tmp_path)
        except ResultsError as error:
            assert str(tmp_path) in str(error) and len(str(error)) < 800, (at, name)
            continue
        accepted += 1
        if accepted <= REPORTED:
            (whole / "manifest.json").write_text(json.dumps(spoilt))
            assert outcome(whole) == "read", (at, name)
    (whole / "manifest.json").write_text(json.dumps(document))
    assert REPORTED < accepted < TRIED


@pytest.mark.parametrize("file", ["latency.json", "probe.json"])
def test_any_value_beside_the_manifest_is_read_or_refused(
    whole: Path, tmp_path: Path, file: str
) -> None:
    (tmp_path / "manifest.json").write_bytes((whole / "manifest.json").read_bytes())
    document = json.loads((whole / file).read_text())
    cases = [(at, name) for at in places(document) for name in VALUES]
    for at, name in random.Random(0).sample(cases, 60):
        (tmp_path / file).write_text(json.dumps(replaced(document, at, VALUES[name])))
        try:
            analysis.load(tmp_path)
        except ResultsError as error:
            assert file in str(error) and len(str(error)) < 800, (at, name)


@pytest.mark.parametrize("name", ["manifest.json", "latency.json", "probe.json"])
def test_json_of_many_bytes_is_refused_unread(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(20 * limits.GIB)
    assert "larger than 8 MiB" in refusal(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000])
def test_json_that_python_gives_up_on_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    assert "manifest.json is " in refusal(folder)


def test_a_search_space_of_a_later_version_is_reported(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "space": {**manifest["space"], "later": {"a": 1}}}))
    assert outcome(folder) == "read"


def test_a_crowded_search_space_is_named_once(folder: Path) -> None:
    spoil(folder, "space.name", ["x"] * (limits.SPACE_VALUES + 1))
    text = refusal(folder)
    assert "space must have at most 20000 values" in text and "space.space" not in text
    assert "start a new search" not in text
