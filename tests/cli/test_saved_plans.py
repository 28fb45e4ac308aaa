"""`fer-tune search --plan`, in the process of the test."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from fer_tune.cli.planning.saved import read_plan
from fer_tune.data import PackedDataset
from fer_tune.errors import UserError
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from tests.cli.planned_space import OPTIONS, SPACE, small
from tests.command_line import Run

__all__ = ["small"]


def test_a_saved_plan_gives_settings_and_prediction(run: Run, small: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    budget = ("--budget", "8usd", "--price-per-hour", "2", "--set", "seeds.search=7")
    path.write_text(run("plan", small, *budget, *OPTIONS, "--json").out)
    saved = read_plan(path, small)
    written = json.loads(path.read_text())
    assert saved.overrides == ["seeds.search=7", *written["plan"]["overrides"]]
    forecast = written["plan"]["forecast"]
    assert saved.prediction["source"] == "plan" and saved.prediction["price_per_hour"] == 2.0
    assert saved.prediction["hours"] == forecast["hours"]
    assert sum(saved.prediction["verdicts"].values()) == 2
    with pytest.raises(UserError, match="another search space"):
        read_plan(path, "head_only")


def test_a_simulation_is_a_prediction_of_the_space_as_it_is(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "simulated.json"
    settings = ("--set", "budget.trials=20", "--runs", "2")
    path.write_text(run("simulate", "head_only", "--curves", "analytic", *settings, "--json").out)
    saved = read_plan(path, "head_only")
    assert saved.overrides == ["budget.trials=20"]
    assert saved.prediction["source"] == "simulate" and saved.prediction["price"] is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no plan"),
        ("[]", "is no plan: not a mapping"),
        ("{}", "is no plan"),
        ('{"plan": {"forecast": 3}}', "is no plan"),
        ('{"curves": "x", "epochs": {"mean": NaN}}', "is no plan"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        read_plan(path, "head_only")
    with pytest.raises(UserError):
        read_plan(tmp_path / "nowhere.json", "head_only")


def test_a_search_uses_and_keeps_its_plan(
    run: Run, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(
        "fer_tune.cli.searching._show_plan", lambda space, *rest: found.append(space)
    )
    path = tmp_path / "plan.json"
    path.write_text(
        run("plan", small, "--budget", "8usd", "--price-per-hour", "2", *OPTIONS, "--json").out
    )
    done = run("search", small, "--data", "faces", "--plan", str(path), "--dry-run")
    assert done.code == 0, done.err
    own = SearchSpace.from_dict(SPACE)
    planned = json.loads(path.read_text())["plan"]["overrides"]
    wanted = next(one for one in planned if one.startswith("budget.trials="))
    assert found[0].budget.trials == int(wanted.partition("=")[2])
    assert found[0].confirm.seeds >= own.confirm.seeds


def test_a_started_search_keeps_its_prediction(
    run: Run, small: str, tmp_path: Path, faces: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*parts: object) -> None:
        raise UserError("stopped before its trials")

    monkeypatch.setattr("fer_tune.tuning.run.ray_connection", lambda *_, **__: nullcontext())
    monkeypatch.setattr("fer_tune.tuning.run.pending_limit", lambda *_: 1)
    monkeypatch.setattr("fer_tune.tuning.execution.make_search", lambda *_, **__: stop())
    path, folder = tmp_path / "plan.json", tmp_path / "results"
    path.write_text(run("simulate", small, *OPTIONS, "--json").out)
    where = ("--data", faces.root, "--results", folder)
    done = run("search", small, *where, "--plan", path, "--set", "precision=float32")
    assert done.code == 2 and "stopped before its trials" in done.err
    kept = Results(folder).manifest()["prediction"]
    written = json.loads(path.read_text())
    assert kept == {"source": "simulate", "trials": 16} | {
        key: written[key] for key in kept if key not in ("source", "trials")
    }
    assert {"hours", "epochs", "best", "verdicts"} <= set(kept)
