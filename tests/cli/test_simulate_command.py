"""`fer-tune simulate`, in the process of the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_search import Plan, write
from fake_space import space_of

from tests.command_line import Run

PLAN = Plan(trials=16, replicates=2, seeds=3, epochs=8)
FAST = ("--runs", "2", "--set", "budget.trials=20")


def test_a_formula_needs_no_records(run: Run) -> None:
    done = run("simulate", "head_only", "--curves", "analytic", *FAST, "--price-per-hour", "3")
    assert done.code == 0, done.err
    for words in ("head_only: 2 simulated searches", "utilisation", "USD, held", "ASHA stops the"):
        assert words in done.out
    again = run("simulate", "head_only", "--curves", "analytic", *FAST, "--price-per-hour", "3")
    assert again.out == done.out


def test_json_has_every_figure(run: Run) -> None:
    options = ("--gpus", "4", "--spot-loss", "0.5", "--autoscale-delay", "120", "--json")
    done = run("simulate", "head_only", "--curves", "analytic", *FAST, *options)
    found = json.loads(done.out)
    assert found["runs"] == 2 and found["fleet"]["gpus"] == 4
    assert found["fleet"]["autoscale_delay_s"] == 120 and found["price"] is None
    assert set(found["hours"]) == {"mean", "low", "high"}


def test_records_answer_for_their_own_space(run: Run, tmp_path: Path) -> None:
    folder = write(tmp_path / "results", PLAN)
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump(space_of(PLAN).as_dict()))
    done = run("simulate", str(space), "--from", str(folder), "--runs", "2", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["curves"] == f"records of {folder}"
    assert all(0 < best["mean"] < 1 for best in found["best"].values())
    longer = run(
        *("simulate", str(space), "--from", str(folder), "--runs", "2"),
        *("--set", "budget.max_epochs=30"),
    )
    assert longer.code == 2 and "was trained for at most 8 epochs" in longer.err
    assert len(longer.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"space": {"augment": {"views": 2}}}, "differ from the first: augment.views was 2, not 4"),
        ({"dataset": {"fingerprint": "another"}}, "are of different datasets"),
    ],
)
def test_records_of_several_searches_must_be_of_one_kind(
    run: Run, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    folders = [write(tmp_path / name, PLAN) for name in "ab"]
    path = folders[1] / "manifest.json"
    manifest = json.loads(path.read_text())
    for key, change in changes.items():
        manifest[key] = {**(manifest[key] or {}), **change}
    path.write_text(json.dumps(manifest))
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump(space_of(PLAN).as_dict()))
    sources = [part for folder in folders for part in ("--from", str(folder))]
    done = run("simulate", str(space), *sources, "--runs", "1", "--json")
    assert done.code == (2 if says else 0), done.err
    assert says in done.err and len(done.err.strip().splitlines()) <= 1


def test_records_without_a_search_space_name_a_remedy(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "a", PLAN) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "space": None}))
    done = run("simulate", "head_only", "--from", str(tmp_path / "a"))
    says = "the manifest has no search space. Name the results folder of a search, or use --curves"
    assert done.code == 2 and says in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "needs either --from or --curves"),
        (("--curves", "analytic", "--from", "x"), "needs either --from or --curves"),
        (("--from", "nowhere"), "nowhere"),
    ],
)
def test_a_wrong_call_is_one_message(run: Run, options: tuple[str, ...], message: str) -> None:
    for command in (("simulate",), ("plan", "--budget", "2h")):
        done = run(*command, "head_only", *options)
        assert done.code == 2 and message in done.err
        assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "1e300"])
@pytest.mark.parametrize(
    "option", ["--epoch-seconds", "--spot-loss", "--autoscale-delay", "--price-per-hour"]
)
def test_numbers_without_sense_are_refused(run: Run, option: str, value: str) -> None:
    for command in (("simulate",), ("plan", "--budget", "2h")):
        done = run(*command, "head_only", "--curves", "analytic", option, value)
        assert done.code == 2 and f"Invalid value for '{option}'" in done.err.splitlines()[-1]
