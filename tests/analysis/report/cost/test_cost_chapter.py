"""The chapter on cost: sums, prices and fronts by hand, and its words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from answered_search import blocks_of
from trained_search import EPOCHS, PLANS, page, planned, reported, trained

from analysis.inputs.search import Search
from analysis.report.cost.chapter import chapter
from analysis.report.cost.fronts import MOST_POINTS
from analysis.report.cost.section import section
from analysis.report.presentation.blocks import Chapter, Picture, Table
from analysis.report.quantities import Json
from analysis.settings import Settings

ARMS = ("densenet161", "resnet152")
FULL = {"scores": [0.5] * EPOCHS}


def _both(search: Search, price: float | None = None) -> tuple[Json, Chapter]:
    settings = Settings(price_per_hour=price, currency="EUR")
    return reported(search, "cost", section, chapter, settings)


def _hours(seconds: float) -> float:
    return pytest.approx(seconds / 3600)


def _run(seconds: float, score: float = 0.6, **row: Any) -> dict[str, Any]:
    """A confirmation run that held half an accelerator for ``seconds``."""
    return {"cohort": "confirm", "seconds": seconds, "accelerator_seconds": seconds / 2,
            "cpu_seconds": 2 * seconds, "test_macro_f1": score, **row}  # fmt: skip


def _two_studies() -> Search:
    trials = [FULL, {**FULL, "pace": 20.0}, {**FULL, "replicate": 1}]
    runs = [_run(60), _run(80), _run(100, replicate=1), _run(120, replicate=1)]
    return trained(trials, confirmations=runs)


def test_hours_are_summed_by_stage_and_study() -> None:
    (arm,) = _both(_two_studies())[0]["arms"]
    assert arm["search"]["value"] == _hours((100 + 200 + 100) / 2)
    assert arm["confirmation"]["value"] == _hours(360 / 2)
    assert arm["both"]["value"] == _hours(380) and arm["both"]["n"] == 7
    first, second = arm["studies"]
    assert (first["replicate"], first["both"]["value"]) == (0, _hours((300 + 140) / 2))
    assert (second["replicate"], second["both"]["value"]) == (1, _hours((100 + 220) / 2))
    assert first["price"] is None


def test_one_more_of_each_costs_what_the_last_ones_did() -> None:
    (arm,) = _both(_two_studies())[0]["arms"]
    assert arm["one_more"]["seed"]["value"] == _hours(180 / 4)
    assert arm["one_more"]["study"]["value"] == _hours(380 / 2)
    alone = _both(trained([FULL]))[0]["arms"][0]["one_more"]
    assert alone["seed"]["value"] is None and alone["study"]["value"] == _hours(50)


def test_pace_is_per_hour_of_the_trials_own_time() -> None:
    (arm,) = _both(_two_studies())[0]["arms"]
    assert arm["epochs_per_hour"]["value"] == pytest.approx(3600 * 30 / 400)
    assert arm["seconds_per_epoch"]["value"] == 10


def test_prices_follow_from_the_hours_of_what_was_held() -> None:
    found, made = _both(_two_studies(), price=90.0)
    assert found["total"]["price"]["value"] == pytest.approx(380 / 3600 * 90)
    assert found["arms"][0]["price"]["unit"] == "EUR"
    assert made.lead == "densenet161 cost 0.11 accelerator-hours (9.50 EUR)."
    rows = [row.cells[0].main.text for row in _named(made, "cost-arms").rows]
    assert "price of both, EUR" in rows
    unpriced = _both(_two_studies())[1]
    assert not any("price" in row.cells[0].main.text for row in _named(unpriced, "cost-arms").rows)


def test_cpus_count_where_nothing_held_an_accelerator() -> None:
    found, made = _both(trained([{**FULL, "accelerator_seconds": 0.0}]))
    assert found["total"]["both"]["value"] == _hours(200)
    assert made.lead == "densenet161 cost 0.06 CPU-hours."


def test_latency_is_as_measured() -> None:
    latency = {"densenet161": {"p50_ms": 20.0, "p95_ms": 31.0, "peak_memory_mib": 5061.5,
                               "runs": [{}, {}]}}  # fmt: skip
    found, made = _both(trained([FULL], latency=latency))
    measured = found["arms"][0]["latency"]
    assert (measured["p95_ms"]["value"], measured["p95_ms"]["n"]) == (31.0, 2)
    cells = {row.cells[0].main.text: row.cells[1].main.text
             for row in _named(made, "cost-arms").rows}  # fmt: skip
    assert cells["peak memory in training, MiB"] == "5,062"
    assert cells["parameters"] == "1.0 M"


@pytest.mark.parametrize(
    ("others", "value", "cell"),
    [
        ([0, 0, 0], 0, "0 of 3 runs"),
        ([1, 0, 3], 2, "2 of 3 runs"),
        ([1, None], None, "not recorded"),
        ([None], None, "not recorded"),
        ([], None, "not recorded"),
    ],
)
def test_runs_measured_beside_others_are_counted(
    others: list[int | None], value: int | None, cell: str
) -> None:
    figures = {"p50_ms": 20.0, "p95_ms": 31.0, "peak_memory_mib": 5061.5}
    runs = [figures if n is None else {**figures, "others": n} for n in others]
    found, made = _both(trained([FULL], latency={"densenet161": {**figures, "runs": runs}}))
    counted = found["arms"][0]["measured_beside_others"]
    assert (counted["value"], counted["n"]) == (value, len(others))
    (shown,) = (row.cells[1] for row in _named(made, "cost-arms").rows
                if row.cells[0].main.text == "measured beside other runs")  # fmt: skip
    assert f"{shown.main.text} {shown.small}".strip() == cell


def test_nothing_is_said_of_a_latency_that_was_not_measured() -> None:
    assert _both(trained([FULL]))[0]["arms"][0]["measured_beside_others"] is None


def _named(made: Chapter, name: str) -> Table:
    tables = [b.data if isinstance(b, Picture) else b for b in blocks_of(made)]
    (table,) = (t for t in tables if isinstance(t, Table) and t.name == name)
    return table


# -- fronts -----------------------------------------------------------------------------------


def _compared(*, slower: float, better: float) -> Search:
    """Two arms; the first takes ``slower`` times the time and is ``better`` by that much."""
    trials = [{**FULL, "pace": 10 * slower}, {**FULL, "arm": ARMS[1]}]
    runs = [_run(60, 0.6 + better), _run(60, 0.6, arm=ARMS[1])]
    latency = {
        arm: {"p50_ms": 10.0 * k, "p95_ms": 20.0, "peak_memory_mib": 900.0, "runs": [{}]}
        for arm, k in zip(ARMS, (slower, 1.0), strict=True)
    }
    return trained(trials, arms=ARMS, confirmations=runs, latency=latency)


def test_the_better_and_slower_arm_shares_the_front_with_the_faster_one() -> None:
    found, made = _both(_compared(slower=2.0, better=0.05))
    assert found["fronts"] == {
        "search": list(ARMS), "latency": list(ARMS),
        # As dear in both arms, so that the better one beats the other.
        "memory": [ARMS[0]], "parameters": [ARMS[0]],
    }  # fmt: skip
    assert made.lead.endswith(
        "on the Pareto front of score against cost: densenet161 for search cost, latency, "
        "memory, parameters; resnet152 for search cost, latency."
    )


def test_an_arm_that_is_worse_and_slower_is_on_no_front() -> None:
    found, made = _both(_compared(slower=2.0, better=-0.05))
    assert all(on == [ARMS[1]] for on in found["fronts"].values())
    assert "cost: densenet161 for nothing; resnet152 for search cost" in made.lead


def test_without_scores_of_two_arms_there_is_no_front_of_arms() -> None:
    search = trained([FULL, {**FULL, "arm": ARMS[1]}], arms=ARMS, confirmations=[_run(60)])
    made = _both(search)[1]
    assert "Pareto" not in made.lead
    names = {block.drawing.name for block in made.blocks if isinstance(block, Picture)}
    assert names == {"cost-trials-front"}


def _trial(score: float, pace: float, memory: float, **row: Any) -> dict[str, Any]:
    return {"scores": [score, score], "pace": pace, "peak_memory_mib": memory, **row}


def test_fronts_of_trials_are_of_those_that_could_be_chosen() -> None:
    trials = [
        _trial(0.5, 10, 100),
        _trial(0.6, 20, 90),
        _trial(0.4, 30, 80),  # slow and poor, but small
        _trial(0.7, 5, 50, state="pruned"),  # was stopped
    ]
    found = _both(trained(trials))[0]["trials"]
    fronts = {point["trial"]: point["on_front"] for point in found["points"]}
    assert fronts == {
        0: ["seconds_per_epoch"],
        1: ["seconds_per_epoch", "peak_memory_mib"],
        2: ["peak_memory_mib"],
    }
    assert found["trials"] == 3


def test_fronts_of_trials_follow_a_loss_downwards() -> None:
    trials = [_trial(0.5, 10, 100, best_val_loss=0.9), _trial(0.5, 20, 100, best_val_loss=1.2)]
    found = _both(trained(trials, space={"metric": "loss"}))[0]["trials"]
    assert [bool(point["on_front"]) for point in found["points"]] == [True, False]
    assert found["score_unit"] == "validation loss"


def test_many_trials_are_thinned_but_no_front_is() -> None:
    number = 3 * MOST_POINTS
    # Only every fiftieth is on the front: the others are slower than the one before them.
    trials = [
        _trial(0.1 + 0.8 * k / number if k % 50 == 0 else 0.01, 1.0 + k, 100) for k in range(number)
    ]
    found, made = _both(trained(trials))
    points = found["trials"]["points"]
    assert found["trials"]["trials"] == number and len(points) == MOST_POINTS
    on = {point["trial"] for point in points if "seconds_per_epoch" in point["on_front"]}
    assert on == set(range(0, number, 50))
    (drawing,) = (block.drawing for block in made.blocks if isinstance(block, Picture))
    assert f"{MOST_POINTS} of {number} trials are shown" in drawing.description


# -- in a sentence ----------------------------------------------------------------------------


def test_lead_sets_the_arms_side_by_side() -> None:
    lead = _both(_compared(slower=72.0, better=0.05))[1].lead
    assert lead.startswith(
        "densenet161 cost 1.01 accelerator-hours, compared with 0.02 for resnet152 (1.03 in "
        "total); "
    )


def test_lead_of_many_arms_names_the_ends_and_who_is_on_the_front() -> None:
    lead = _both(planned("six"))[1].lead
    spent = {arm["arm"]: arm["both"]["value"] for arm in _both(planned("six"))[0]["arms"]}
    cheap, dear = min(spent, key=spent.__getitem__), max(spent, key=spent.__getitem__)
    assert re.match(rf"The arms cost from [\d.]+ \({cheap}\) to [\d.]+ \({dear}\) ", lead)
    assert "on the Pareto front of score against search cost: " in lead


def test_trials_that_still_run_are_said_to_be_left_out() -> None:
    open_one = planned("running")
    assert _both(open_one)[1].lead == "No trial has ended yet, so there is no cost to report."
    search = trained([FULL, FULL])
    half = _without_last_trial(search)
    words = " ".join(str(block) for block in _both(half)[1].blocks)
    assert "Excluding 1 trial still running." in words


def _without_last_trial(search: Search) -> Search:
    return replace(search, trials=search.trials.iloc[:-1])


@pytest.mark.parametrize("name", PLANS)
def test_every_stage_of_a_search_renders(name: str) -> None:
    made = _both(planned(name), price=2.0)[1]
    html = page(planned(name), made)
    assert made.lead.endswith(".") and made.lead in html.replace("&#39;", "'")
    assert not re.search(r"\b(None|nan|inf|Undefined)\b", html)
    assert len(html) < 200_000
    tables = [block for block in blocks_of(made) if isinstance(block, Table)]
    assert all(table.rows for table in tables)
