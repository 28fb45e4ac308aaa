"""`fer-tune plan`, in the process of the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fer_tune.cli.planning import choosing
from fer_tune.cli.planning.answers import Answers
from fer_tune.cli.planning.budgets import parse_budget
from fer_tune.cli.planning.choosing import Planner, load_with
from fer_tune.errors import UserError
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.candidates import REPLICATES, Candidate, grid
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.space import SearchSpace, load
from tests.cli.planned_space import OPTIONS, SPACE, small
from tests.command_line import Run
from tests.docs.pages import json_rows

__all__ = ["small"]


def test_a_plan_keeps_its_budget_and_is_compared(run: Run, small: str) -> None:
    budget = ("--budget", "8usd", "--price-per-hour", "2")
    done = run("plan", small, *budget, *OPTIONS, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert list(found) == json_rows()["plan"]
    assert 0 < found["plan"]["spent"] <= 8
    assert found["plan"]["overrides"][-2:] == ["budget.money=8", "budget.price_per_hour=2"]
    names = {"no scheduler", "random", "factor 2", "factor 3", "factor 4"}
    assert set(found["alternatives"]) < names and len(found["alternatives"]) >= 4
    assert sum(found["plan"]["verdicts"].values()) == 2
    none = found["alternatives"]["no scheduler"]["forecast"]
    assert none["stopped_best"] is None
    assert none["epochs"]["mean"] > found["plan"]["forecast"]["epochs"]["mean"]
    settings = [part for one in found["plan"]["overrides"] for part in ("--set", one)]
    checked = run("spaces", "check", small, *settings)
    assert checked.code == 0, checked.err
    table = run("plan", small, *budget, *OPTIONS)
    assert table.code == 0, table.err
    for words in ("--set budget.trials=", "power", "no scheduler", "hours to 95 %"):
        assert words in table.out
    text = " ".join(table.out.split())
    assert "for 8 USD, confirmation included: 4 GPUs, 2 USD per GPU and hour." in text
    assert "an epoch is taken to last 60 s (--epoch-seconds)" in text
    (command,) = [line for line in table.out.splitlines() if line.startswith("fer-tune search ")]
    given = command.split()[5:]
    assert [part for one in found["plan"]["overrides"] for part in ("--set", one)] == given
    assert f"{found['plan']['forecast']['fleet_price']['mean']:.2f}" in _line(table.out, "spent of")
    over = {name for name, look in found["alternatives"].items() if look["spent"] > 8}
    assert over == {name for name in found["alternatives"] if " * " in _line(table.out, name)}


def _line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


@pytest.mark.parametrize(
    ("budget", "words"), [("40gpuh", "spent of 40 GPU hours"), ("9h", "spent of 9 hours")]
)
def test_what_is_spent_is_in_the_budgets_unit(
    run: Run, small: str, budget: str, words: str
) -> None:
    machines = ("--spot-loss", "0.05", "--autoscale-delay", "180")
    given = ("--set", "seeds.search=7")
    done = run("plan", small, "--budget", budget, *OPTIONS, *machines, *given)
    assert done.code == 0, done.err
    assert words in done.out and "--data DATA --set seeds.search=7 --set" in done.out
    text = " ".join(done.out.split())
    assert "4 GPUs, each lost 0.05 times per hour, 180 s until one comes." in text


def test_a_budget_that_nothing_fits_is_one_message(run: Run, small: str) -> None:
    done = run("plan", small, "--budget", "0.001h", *OPTIONS)
    assert done.code == 2 and "no plan fits: the cheapest costs about" in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["50", "0usd", "5 eur", "-3h", "infh", ""])
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="50usd, 20gpuh or 6h"):
        parse_budget(text, 2.0)


def test_money_needs_a_price() -> None:
    for price in (None, 0.0):
        with pytest.raises(UserError, match="Give --price-per-hour above 0"):
            parse_budget("50usd", price)
    assert parse_budget("1.5 USD", 3.0).words == "1.5usd"


def test_what_is_spent() -> None:
    space = SearchSpace.from_dict(SPACE)
    search = simulate(space, AnalyticWorld(space=space), Fleet(gpus=2))
    assert parse_budget("1h", None).spent(search) == pytest.approx(search.seconds / 3600)
    assert parse_budget("1gpuh", None).spent(search) == pytest.approx(search.seconds / 1800)
    assert parse_budget("1usd", 3.0).spent(search) == pytest.approx(search.seconds / 600)


def test_the_grid_has_the_spaces_own_settings() -> None:
    space = SearchSpace.from_dict({**SPACE, "confirm": {"seeds": 5}})
    found = list(grid(space))
    own = Candidate(replicates=1, trials=8, epochs=6, grace=1, factor=3, seeds=5)
    assert own in found and len(set(found)) == len(found)
    assert {c.replicates for c in found} == set(REPLICATES)
    assert all(c.seeds >= 5 for c in found if c.replicates == 1)


# -- choosing -------------------------------------------------------------------------------------


def planner(
    folder: Path, amount: str, *, gpus: int = 4, space: dict[str, Any] | None = None
) -> Planner:
    """Of simulated searches without records, two for each figure."""
    options = Answers(
        results=(),
        curves="analytic",
        epoch_s=60.0,
        gpus=gpus,
        spot_loss=0.0,
        autoscale_delay_s=0.0,
        runs=2,
        seed=5,
    )

    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(space or SPACE))
    return Planner(load_with(str(path), []), options.worlds(), options, parse_budget(amount, None))


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(runs, seed) of what is simulated."""
    found: list[tuple[int, int]] = []
    real = choosing.jobs

    def spied(*args: Any, runs: int, seed: int) -> Any:
        found.append((runs, seed))
        return real(*args, runs=runs, seed=seed)

    monkeypatch.setattr(choosing, "jobs", spied)
    return found


def test_a_plan_is_judged_by_searches_that_did_not_choose_it(
    small: str, tmp_path: Path, seeds: list[tuple[int, int]]
) -> None:
    planner(tmp_path, "8h").choose()
    assert {runs for runs, seed in seeds if seed == 5} == {2}
    choosing_runs = {(runs, seed) for runs, seed in seeds if seed != 5}
    assert len({seed for _, seed in choosing_runs}) == 1 and {r for r, _ in choosing_runs} == {1}


@pytest.mark.parametrize("flaw", [{"spent": 9.0}, {"cut": 0.6}])
def test_a_plan_beyond_the_budget_in_full_gives_way_to_the_next(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flaw: dict[str, float]
) -> None:
    """It costs too much, or its limit ends most searches early."""
    real, dropped = Planner.looks, []

    def looks(
        self: Planner, plans: Sequence[Sequence[str]], runs: int, seed: int | None = None
    ) -> Any:
        found = real(self, plans, runs, seed)
        if seed is None and not dropped:  # the first full look
            dropped.append(found[0].overrides)
            return [replace(found[0], **flaw)]
        return found

    monkeypatch.setattr(Planner, "looks", looks)
    chosen = planner(tmp_path, "8h").choose()
    assert chosen.spent <= 8 and chosen.overrides != dropped[0]


def test_where_the_limit_ends_every_plan_early_the_first_is_taken(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = Planner.looks, []

    def looks(
        self: Planner, plans: Sequence[Sequence[str]], runs: int, seed: int | None = None
    ) -> Any:
        found = real(self, plans, runs, seed)
        if seed is None:
            full.append(replace(found[0], cut=1.0))
            return full[-1:]
        return found

    monkeypatch.setattr(Planner, "looks", looks)
    assert planner(tmp_path, "8h").choose() is full[0] and len(full) > 1


def test_a_budget_that_ends_searches_is_shown(run: Run, small: str, tmp_path: Path) -> None:
    some = planner(tmp_path, "8h")
    (free, tight) = some.looks([[], ["budget.wall_time=1200"]], 2)
    assert free.cut == 0.0 and tight.cut == 1.0
    assert tight.forecast.hours.mean < free.forecast.hours.mean
    table = run("plan", small, "--budget", "8h", *OPTIONS)
    assert "ended early by the budget" in table.out


def test_alternatives_take_fewer_searches_than_the_plan(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr(choosing, "ALTERNATIVE_RUNS", 1)
    some = planner(tmp_path, "8h")
    (chosen,) = some.looks([[]], 2)
    del seeds[:]
    found = some.alternatives(chosen)
    assert seeds == [(1, 5)] * len(found) and {look.forecast.runs for look in found.values()} == {1}


def test_plans_that_fill_a_large_fleet_are_simulated(tmp_path: Path) -> None:
    """Its own four trials leave most of 32 GPUs idle, so an epoch seems dear."""
    few = {**SPACE, "budget": {"trials": 4, "max_epochs": 6}, "confirm": {"seeds": 5}}
    first = next(planner(tmp_path, "1h", gpus=32, space=few)._batches())
    assert any("budget.trials=320" in own for own in first)


def test_the_refusal_quotes_a_cost_above_the_budget(small: str, tmp_path: Path) -> None:
    two = parse_budget("2h", None)
    assert two.beyond(2.00001) == "2.00001h" and two.beyond(2.5) == "2.5h"
    with pytest.raises(UserError, match="no plan fits") as error:
        planner(tmp_path, "0.1h", gpus=64).choose()
    quoted = float(str(error.value).split("costs about ")[1].split("h")[0])
    # Two seeds cannot decide, 5 are confirmed; with a GPU each, runs of 3 epochs follow another.
    assert 0.1 < quoted < 0.5


@pytest.mark.parametrize(
    ("budget", "own", "limits"),
    [
        ("2h", {}, ["budget.wall_time=7200"]),
        ("2h", {"wall_time": "1h"}, []),
        ("2h", {"wall_time": "3h"}, ["budget.wall_time=7200"]),
        ("2gpuh", {"wall_time": "1h"}, ["budget.accelerator_hours=2"]),
        ("2gpuh", {"accelerator_hours": 2.0}, []),
        ("2gpuh", {"money": 4.0, "price_per_hour": 4.0}, []),
        ("6usd", {"accelerator_hours": 2.0}, []),
        ("6usd", {}, ["budget.money=6", "budget.price_per_hour=3"]),
    ],
)
def test_the_settings_hold_a_search_to_the_budget(
    tmp_path: Path, budget: str, own: dict[str, Any], limits: list[str]
) -> None:
    space = {**SPACE, "budget": {**SPACE["budget"], **own}}
    wanted = parse_budget(budget, 3.0)
    assert wanted.limits(SearchSpace.from_dict(space).budget) == limits
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(space))
    kept = load(str(path), limits).budget
    if budget == "2h":
        assert kept.wall_time is not None and kept.wall_time <= 7200
    else:
        assert kept.hours <= 2


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"no scheduler", "random", "factor 2", "factor 4"}),
        ({"scheduler": {"kind": "none", "grace_epochs": 1}}, {"asha", "random"}),
        ({"scheduler": {"kind": "none", "grace_epochs": 6}}, {"random"}),
        ({"sampler": "random"}, {"no scheduler", "factor 2", "factor 4"}),
        ({"cohorts": {"random": 1.0}}, {"no scheduler", "factor 2", "factor 4"}),
    ],
)
def test_alternatives_change_something(
    tmp_path: Path, changes: dict[str, Any], names: set[str]
) -> None:
    some = planner(tmp_path, "8h", space={**SPACE, **changes})
    (chosen,) = some.looks([some._limited([])], 1)
    found = some.alternatives(chosen)
    assert set(found) == names
    assert not any("wall_time" in one for look in found.values() for one in look.overrides)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"confirm": {"seeds": 0}},
        {"budget": {"trials": 2, "max_epochs": 6}},
        {"scheduler": {"kind": "none", "grace_epochs": 6}},
    ],
)
def test_the_settings_of_the_space_are_the_first_candidate(changes: dict[str, Any]) -> None:
    space = SearchSpace.from_dict({**SPACE, **changes})
    found = list(grid(space))
    mine = found[0]
    assert (mine.replicates, mine.epochs, mine.seeds) == (1, 6, space.confirm.seeds)
    assert 2 * mine.trials == space.budget.trials
    assert len(set(found)) == len(found)
