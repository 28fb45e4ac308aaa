"""The chapter on prediction and outcome: actual figures by hand, and its words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from answered_search import blocks_of
from trained_search import EPOCHS, PLANS, planned, reported, trained

from analysis.inputs.search import Search
from analysis.report.prediction.chapter import chapter
from analysis.report.prediction.section import section
from analysis.report.presentation.blocks import Chapter, Table, Text
from analysis.report.quantities import Json

PREDICTION: dict[str, Any] = {
    "source": "plan",
    "curves": "records of earlier",
    "runs": 20,
    "currency": "EUR",
    "price_per_hour": 36.0,
    "epochs": {"mean": 30.0, "low": 20.0, "high": 34.5},
    "hours": {"mean": 2.0, "low": 1.5, "high": 2.5},
    "accelerator_hours": {"mean": 0.1, "low": 0.05, "high": 0.2},
    "price": {"mean": 3.6, "low": 2.0, "high": 7.0},
    "best": {"densenet161": {"mean": 0.55, "low": 0.52, "high": 0.58}, "resnet152": None},
    "verdicts": {"better": 12, "inconclusive": 8},
}
TRIALS: list[dict[str, Any]] = [
    {"scores": [0.5] * EPOCHS, "setup_seconds": 15.0},
    {"state": "pruned", "scores": [0.9] * 2, "setup_seconds": 5.0},  # it may not be chosen
    {"scores": [0.57] * EPOCHS},
]
RUN = {"cohort": "confirm", "epochs": EPOCHS, "seconds": 60.0, "test_macro_f1": 0.5}


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "prediction", section, chapter)


def _predicted(state: str = "finished", **more: Any) -> Search:
    found = trained(TRIALS, confirmations=[RUN], space={"resources": {"gpu": 0.5}})
    manifest = {**found.manifest, "state": state, "wall_seconds": 7200.0, "prediction": PREDICTION}
    return replace(found, manifest={**manifest, **more}, manifests=(manifest,))


def test_actual_figures_are_those_of_all_runs() -> None:
    found = _both(_predicted())[0]
    actual = {figure["name"]: (figure["actual"], figure["inside"]) for figure in found["figures"]}
    held = 0.5 * (100 + 15 + 20 + 5 + 100 + 60) / 3600
    assert actual["epochs"] == (32, True)
    assert actual["hours"] == (2.0, True)
    assert actual["accelerator hours"] == (pytest.approx(held), False)
    assert actual["price"] == (pytest.approx(36 * held), False)
    assert actual["best value"] == (0.57, True)
    assert [f["unit"] for f in found["figures"]][3:] == ["EUR", "validation macro-F1"]


def test_the_lead_counts_what_lies_inside_and_the_table_has_a_row_each() -> None:
    made = _both(_predicted())[1]
    assert made.lead == (
        "Predicted by the command `plan` from 20 simulated searches (curves: records of earlier); "
        "3 of 5 figures of this search lie in the interval that holds 90 % of those."
    )
    (table,) = (block for block in blocks_of(made) if isinstance(block, Table))
    rows = {row.cells[0].main.text: [cell.main.text for cell in row.cells] for row in table.rows}
    assert rows["best value of densenet161"][1:] == ["0.550", "0.570", "yes"]
    assert rows["price"][3] == "no"
    (words,) = (block.words for block in blocks_of(made) if isinstance(block, Text))
    assert "better 12, inconclusive 8" in words


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, False),
        ({"confirm_asked": 2}, False),
        ({"confirm_asked": 5}, True),
        ({"superseded": [{"choices": []}]}, True),
        ({"prediction": {**PREDICTION, "trials": 3}}, False),
        ({"prediction": {**PREDICTION, "trials": 2}}, True),
    ],
)
def test_a_search_that_was_enlarged_since_says_so(more: dict[str, Any], says: bool) -> None:
    search = _predicted()
    space = {**search.manifest["space"], "budget": {"trials": 3}, "confirm": {"seeds": 2}}
    found, made = _both(replace(search, manifest={**search.manifest, "space": space, **more}))
    assert found["enlarged"] is says
    assert ("has been enlarged since" in made.lead) is says


def test_a_running_search_is_not_judged() -> None:
    found, made = _both(_predicted(state="running"))
    assert {figure["actual"] for figure in found["figures"]} == {None}
    assert made.lead.endswith("; the search has not finished.")
    assert found["actual_verdict"] is None


def test_merged_folders_and_searches_without_a_prediction_say_so() -> None:
    search = _predicted()
    merged = replace(search, manifests=(search.manifest, search.manifest))
    for found, made in (_both(merged), _both(trained(TRIALS))):
        assert not found["saved"] and found["figures"] == []
        assert made.lead.startswith("No prediction was saved with this search")


@pytest.mark.parametrize("name", ["whole", "three", "nothing", "all failed"])
def test_every_search_with_a_prediction_has_a_chapter(name: str) -> None:
    search = planned(name)
    best = dict.fromkeys(search.arms, PREDICTION["epochs"])
    manifest = {**search.manifest, "prediction": {**PREDICTION, "best": best}}
    found, made = _both(replace(search, manifest=manifest, manifests=(manifest,)))
    assert found["saved"] and made.blocks
    if name == "whole":
        assert found["actual_verdict"] in ("better", "small", "inconclusive", "not comparable")
        assert PLANS[name].confirmed
