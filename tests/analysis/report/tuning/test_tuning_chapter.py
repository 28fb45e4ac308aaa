"""The chapter on what tuning buys: curves against every draw written out, and its words."""

from __future__ import annotations

import math
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from answered_search import blocks_of
from trained_search import PLANS, planned, reported, trained

from analysis.inputs.search import Search
from analysis.report.presentation.blocks import Bullets, Chapter, Picture, Table
from analysis.report.quantities import Json
from analysis.report.tuning.chapter import chapter
from analysis.report.tuning.section import section

SCORES = [0.52, 0.31, 0.6, 0.45, 0.58, 0.4]


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "tuning", section, chapter)


def _random(score: float | None, **changes: Any) -> dict[str, Any]:
    return {"cohort": "random", "scores": [] if score is None else [score], **changes}


def _words(made: Chapter) -> str:
    """What the bullets of a chapter say."""
    lists = [block.items for block in blocks_of(made) if isinstance(block, Bullets)]
    return " ".join(item for items in lists for item in items)


def test_the_curve_is_that_of_every_draw() -> None:
    tuning, _ = _both(trained([_random(score) for score in SCORES]))
    curve = tuning["arms"][0]["curve"]
    assert curve["best_of"] == [1, 2, 3, 4, 5, 6] and curve["trials"] == 6
    for place, n in enumerate(curve["best_of"]):
        without = [max(draw) for draw in combinations(SCORES, n)]
        assert curve["expected_u"][place] == pytest.approx(np.mean(without))
        again = [max(draw) for draw in product(SCORES, repeat=n)]
        assert curve["expected_v"][place] == pytest.approx(np.mean(again))
        # Of an even number of draws the lower middle one: the quantile is a score that was had.
        assert curve["median"][place] == sorted(again)[(len(again) - 1) // 2]
        assert curve["low"][place] <= curve["median"][place] <= curve["high"][place]


def test_doubling_compares_half_of_the_cohort_with_all_of_it() -> None:
    tuning, made = _both(trained([_random(score) for score in SCORES]))
    doubling = tuning["arms"][0]["doubling"]
    assert (doubling["from"], doubling["to"]) == (3, 6)
    gain = 0.6 - np.mean([max(draw) for draw in combinations(SCORES, 3)])
    assert doubling["gain"]["value"] == pytest.approx(gain)
    assert made.lead == (
        "Going from 3 to 6 random trials raised the mean best validation macro-F1 by "
        f"{100 * gain:.1f} points in densenet161."
    )


def test_trials_that_ended_early_count_with_what_they_had() -> None:
    rows = [
        *(_random(score) for score in (0.5, 0.55, 0.6)),
        _random(0.3, state="pruned"),
        _random(0.65, state="pruned", stop_reason="asha/completed", audit_epoch=2),
        _random(0.2, state="diverged"),
        _random(None, state="failed"),
        {"cohort": "tpe", "scores": [0.9]},
    ]
    tuning, made = _both(trained(rows))
    arm = tuning["arms"][0]
    assert {key: n for key, n in arm["random"].items() if key != "unit"} == {
        "total": 7,
        "to_their_end": 4,
        "audited": 1,
        "cut_short": 2,
        "without_score": 1,
    }
    mean = np.mean([0.5, 0.55, 0.6, 0.3, 0.65, 0.2, 0.0])
    assert arm["curve"]["expected_u"][0] == pytest.approx(mean)
    assert arm["curve"]["median"][-1] == 0.65
    words = _words(made)
    assert "Of 7 random trials, 2 ended early" in words
    assert "1 ended without a value and count with 0" in words


def test_too_few_random_trials_have_no_curve() -> None:
    rows = [_random(score) for score in SCORES[:4]]
    tuning, made = _both(trained(rows))
    assert tuning["arms"][0]["curve"] is None and tuning["arms"][0]["doubling"] is None
    assert made.lead == (
        "Too few random trials for a tuning curve: 4 in densenet161; 5 per arm are needed."
    )
    names = [block.drawing.name for block in blocks_of(made) if isinstance(block, Picture)]
    assert names == ["tuning-spending"]


def test_arms_with_and_without_a_curve_stand_together() -> None:
    rows = [_random(score) for score in SCORES]
    rows += [_random(0.5, arm="resnet152"), _random(0.4, arm="resnet152")]
    tuning, made = _both(trained(rows, arms=("densenet161", "resnet152")))
    assert [arm["curve"] is None for arm in tuning["arms"]] == [False, True]
    assert "resnet152" not in made.lead
    assert "No curve, with fewer than 5 random trials: resnet152." in _words(made)


def test_arms_of_different_size_are_named_with_their_own_numbers() -> None:
    rows = [_random(score) for score in SCORES]
    rows += [_random(score, arm="resnet152") for score in [*SCORES, 0.3, 0.61]]
    _, made = _both(trained(rows, arms=("densenet161", "resnet152")))
    assert "in densenet161 (from 3 to 6) and " in made.lead
    assert made.lead.endswith("in resnet152 (from 4 to 8).")


def test_tpe_is_compared_at_the_number_of_trials_that_both_had() -> None:
    """Two studies: of three TPE trials the mean best of two stands against both random ones."""
    rows = [_random(0.4), _random(0.5)]
    rows += [{"scores": [score]} for score in (0.45, 0.6, 0.7)]
    rows += [_random(0.55, replicate=1), {"scores": [0.5], "replicate": 1}]
    tuning, made = _both(trained(rows))
    tpe = tuning["arms"][0]["tpe"]
    best = np.mean([0.6, 0.7, 0.7])
    assert [study["best_of"] for study in tpe["studies"]] == [2, 1]
    assert tpe["studies"][0]["random"] == pytest.approx(0.5)
    assert tpe["studies"][0]["tpe"] == pytest.approx(best)
    over = tpe["over_random"]
    assert over["value"] == pytest.approx(np.mean([best - 0.5, -0.05])) and over["n"] == 2
    assert over["low"] < over["value"] < over["high"]
    table = next(block for block in made.blocks if isinstance(block, Table))
    cell = next(r for r in table.rows if r.cells[0].main.text.startswith("best of TPE")).cells[1]
    assert cell.small == "best of 1 to 2, 2 studies"


def test_one_study_has_no_interval_and_a_search_of_one_cohort_no_comparison() -> None:
    one, _ = _both(trained([_random(0.4), {"scores": [0.5]}]))
    assert one["arms"][0]["tpe"]["over_random"]["low"] is None
    none, _ = _both(trained([{"scores": [0.5]}]))
    assert none["arms"][0]["tpe"]["over_random"] is None


def _paid(started: float, score: float | None, **changes: Any) -> dict[str, Any]:
    scores = [] if score is None else [score]
    return {"started": started, "scores": scores, "epochs": 1, "pace": 10.0, **changes}


def test_the_course_follows_the_order_in_which_trials_ended() -> None:
    """Half an accelerator for 10 s each; a slow one that started first ends last."""
    rows = [
        _paid(0.0, 0.7, pace=100.0),
        _paid(30.0, 0.5, state="pruned"),
        _paid(20.0, None, state="failed"),
        _paid(10.0, 0.4),
    ]
    tuning, _ = _both(trained(rows))
    spending = tuning["spending"]
    assert spending["cost_unit"] == "accelerator-seconds"
    study = spending["arms"][0]["studies"][0]
    steps = {"cost": [5.0, 15.0, 65.0], "best": [0.4, 0.5, 0.7]}
    assert study == {"replicate": 0, **steps}
    assert spending["arms"][0]["median"] == steps
    assert spending["arms"][0]["spent"]["value"] == 65.0


def test_the_median_goes_as_far_as_the_shortest_study() -> None:
    studies = ((0.3, 0.6, 0.6), (0.5, 0.5), (0.4, 0.7, 0.9))
    rows = [
        _paid(20.0 * place, score, replicate=replicate)
        for replicate, scores in enumerate(studies)
        for place, score in enumerate(scores)
    ]
    median = _both(trained(rows))[0]["spending"]["arms"][0]["median"]
    assert median == {"cost": [5.0, 10.0], "best": [0.4, 0.6]}


def test_without_accelerators_processors_are_paid_for() -> None:
    tuning, made = _both(planned("processors"))
    assert tuning["spending"]["cost_unit"] == "CPU-seconds"
    assert tuning["spending"]["arms"][0]["spent"]["unit"] == "CPU-seconds"
    assert any("CPU-hours" in row.cells[0].main.text for row in _summary(made).rows)


def _summary(made: Chapter) -> Table:
    return next(block for block in made.blocks if isinstance(block, Table))


def test_where_loss_ranks_trials_the_lowest_is_the_best() -> None:
    losses = [0.9, 1.5, 0.7, 2.0, 1.1]
    rows = [_random(0.5, best_val_loss=loss, started=10.0 * i) for i, loss in enumerate(losses)]
    tuning, made = _both(trained(rows, space={"metric": "loss"}))
    curve = tuning["arms"][0]["curve"]
    assert curve["median"][-1] == pytest.approx(math.exp(-0.7))
    assert tuning["spending"]["arms"][0]["studies"][0]["best"] == [0.9, 0.7, 0.7]
    assert "mean best exp(-validation loss)" in made.lead


def test_a_long_cohort_is_told_in_few_points() -> None:
    scores = np.linspace(0.2, 0.6, 300)
    curve = _both(trained([_random(float(s)) for s in scores]))[0]["arms"][0]["curve"]
    assert len(curve["best_of"]) <= 40
    assert (curve["best_of"][0], curve["best_of"][-1]) == (1, 300)


@pytest.mark.parametrize("name", PLANS)
def test_every_search_has_something_to_say(name: str) -> None:
    search = planned(name)
    tuning, made = _both(search)
    assert made.lead.endswith(".")
    nothing = not len(search.trials)
    assert nothing == (made.lead == "No trial has ended yet.") == (made.blocks == ())
    again = _both(search)[1]
    assert [b.drawing.svg for b in blocks_of(made) if isinstance(b, Picture)] == [
        b.drawing.svg for b in blocks_of(again) if isinstance(b, Picture)
    ]
    assert len(tuning["arms"]) == len(search.arms)
