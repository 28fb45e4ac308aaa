"""The chapter on learning curves: onsets and quantiles by hand, and its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from answered_search import blocks_of
from trained_search import EPOCHS, PLANS, page, planned, reported, trained

from analysis.estimators.tuning.order_median import median_interval
from analysis.inputs.search import Search
from analysis.report.curves.chapter import chapter
from analysis.report.curves.section import FEWEST, MOST_TRIALS, QUANTILES, section
from analysis.report.presentation.blocks import Bullets, Chapter, Picture, Table, Text
from analysis.report.quantities import Json
from fer_tune.curves import overfit_onset


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "curves", section, chapter)


def _overfit(onset: int, **row: Any) -> dict[str, Any]:
    return {"state": "overfit", "epochs": onset + 3, "onset_epoch": onset, **row}


def _deepening(shallow: Sequence[int], deep: Sequence[int], **row: Any) -> list[dict[str, Any]]:
    scores = [0.5]
    return [
        *(_overfit(onset, unfreeze_depth=0, scores=scores, **row) for onset in shallow),
        *(_overfit(onset, unfreeze_depth=4, scores=scores, **row) for onset in deep),
    ]


def _bullets(made: Chapter) -> str:
    return " ".join(i for block in made.blocks if isinstance(block, Bullets) for i in block.items)


def test_who_counts_in_a_median_onset_and_how() -> None:
    onsets = [2, 3, 4, 5, 5, 6, 7]
    trials = [_overfit(onset) for onset in onsets]
    trials += [
        {"epochs": EPOCHS},  # ran through: not reached
        {"state": "pruned", "stop_reason": "asha/completed", "audit_epoch": 2, "epochs": EPOCHS},
        {"state": "pruned", "epochs": 4},  # stopped before it could show one: left out
        {"state": "pruned", "stop_reason": "asha/error", "audit_epoch": 2, "epochs": EPOCHS},
        {"state": "failed", "epochs": 0},
        {"state": "diverged", "epochs": 3},
    ]
    found = _both(trained(trials))[0]["onsets"][0]["all"]
    expected = median_interval([*onsets, np.inf, np.inf])
    assert (found["overfitted"], found["not_reached"], found["left_out"]) == (7, 2, 4)
    assert found["median"]["value"] == expected.value == 5
    assert (found["median"]["low"], found["median"]["high"]) == (expected.low, None)
    assert found["median"]["n"] == 9 and found["median"]["level"] == 0.95


def test_depths_are_told_apart_and_unknown_ones_count_together_only() -> None:
    trials = [
        _overfit(7, unfreeze_depth=0),
        _overfit(3, unfreeze_depth=4),
        _overfit(9, unfreeze_depth=None),
    ]
    entry = _both(trained(trials))[0]["onsets"][0]
    assert [(row["depth"], row["median"]["value"]) for row in entry["depths"]] == [(0, 7), (4, 3)]
    assert entry["all"]["median"]["value"] == 7


def test_onsets_later_than_the_shortest_trials_could_show_are_not_reached() -> None:
    trials = [_overfit(4, max_epochs=6), _overfit(8, max_epochs=20), _overfit(15, max_epochs=20)]
    found = _both(trained(trials))[0]["onsets"][0]["all"]
    assert (found["overfitted"], found["not_reached"]) == (1, 2)
    assert found["median"]["value"] is None


def test_gap_is_of_trials_that_ended_by_themselves() -> None:
    trials = [
        _overfit(3, generalisation_gap=0.5),
        {"epochs": EPOCHS, "generalisation_gap": 0.1},
        {"state": "pruned", "epochs": 2, "generalisation_gap": 9.0},
        {"state": "pruned", "stop_reason": "asha/overfit", "audit_epoch": 2, "epochs": 8,
         "generalisation_gap": 0.3},
    ]  # fmt: skip
    gap = _both(trained(trials))[0]["onsets"][0]["gap"]
    assert gap["value"] == 0.3 and gap["n"] == 3


def test_a_score_that_still_rises_after_the_onset_is_counted() -> None:
    trials = [
        _overfit(2, epochs=5, scores=[0.1, 0.2, 0.3, 0.5, 0.4]),  # two epochs later
        _overfit(3, epochs=4, scores=[0.1, 0.2, 0.5, 0.5]),  # at the onset: the first of two
        _overfit(3, epochs=4, scores=[0.6, 0.2, 0.5, 0.5]),  # two before
        {"scores": [0.1, 0.2, 0.3]},  # no onset
    ]
    found, made = _both(trained(trials))
    late = found["onsets"][0]["late_best"]
    assert (late["share"]["value"], late["share"]["n"]) == (pytest.approx(1 / 3), 3)
    assert late["epochs"]["value"] == 0
    assert "33 % of 3 in densenet161 (median at the onset itself)" in _bullets(made)


@pytest.mark.parametrize(
    ("version", "space", "words"),
    [
        (None, {}, "3 epochs after its onset, so a later rise cannot be observed."),
        (1, {}, "3 epochs after its onset, so a later rise cannot be observed."),
        (2, {}, "or later if its macro-F1 still improves; a rise after that cannot be observed."),
        (2, {"metric": "accuracy"}, "or later if its accuracy still improves;"),
        (2, {"metric": "loss"}, "3 epochs after its onset, so a later rise cannot be observed."),
    ],
)
def test_what_the_stopper_hides_is_told(
    version: int | None, space: dict[str, Any], words: str
) -> None:
    search = trained([_overfit(2, epochs=5, scores=[0.1, 0.2, 0.3, 0.5, 0.4])], space=space)
    manifest = {**search.manifest, "training_version": version}
    made = _both(replace(search, manifest=manifest, manifests=(manifest,)))[1]
    assert words in _bullets(made)


def test_few_trials_are_told_each_and_chosen_ones_marked() -> None:
    trials = [{"scores": [0.1, 0.4]}, {"scores": [0.2, 0.5], "val": [1.23456789, np.nan]}]
    found = _both(trained(trials))[0]
    arm = found["arms"][0]
    assert found["each_trial"] and arm["bands"] is None
    assert [curve["chosen"] for curve in arm["curves"]] == [False, True]
    assert arm["curves"][1]["val_loss"] == [1.23457, None]
    assert arm["curves"][1]["val_macro_f1"] == [0.2, 0.5]


def test_many_trials_become_quantiles_over_those_that_ran_the_epoch() -> None:
    rng = np.random.default_rng(3)
    losses = rng.uniform(0.5, 2, (MOST_TRIALS + 5, 3))
    ran = [3] * FEWEST + [2] * (len(losses) - FEWEST - 1) + [1]
    ran[0] = 3
    trials = [
        {"scores": [0.5] * n, "val": row[:n].tolist()} for n, row in zip(ran, losses, strict=True)
    ]
    trials[-2]["val"][1] = np.nan
    found = _both(trained(trials))[0]
    bands = found["arms"][0]["bands"]
    assert not found["each_trial"]
    assert bands["epochs"] == [1, 2, 3]
    assert bands["trials"] == [len(losses), len(losses) - 2, FEWEST]
    second = losses[:-2, 1]
    np.testing.assert_allclose(bands["val_loss"][1], np.quantile(second, QUANTILES), rtol=1e-5)
    assert [curve["chosen"] for curve in found["arms"][0]["curves"]] == [True]


def test_epochs_that_few_trials_ran_have_no_quantiles() -> None:
    trials = [{"scores": [0.5] * (2 if k < FEWEST - 1 else 1)} for k in range(MOST_TRIALS + 1)]
    bands = _both(trained(trials))[0]["arms"][0]["bands"]
    assert bands["epochs"] == [1]


def test_lead_says_earlier_where_intervals_lie_apart_and_not_where_they_meet() -> None:
    apart = _both(trained(_deepening([7, 8, 8, 8, 9, 9], [2, 3, 3, 3, 4, 4])))[1]
    assert apart.lead.startswith("Median onset of overfitting: densenet161 epoch 5.5 (95 % ")
    assert "it is earlier at the largest unfreeze depth than at the smallest." in apart.lead
    assert (
        "the onset is earlier at the largest unfreeze depth than at the smallest: epoch 8 (95 % "
        "interval 7 to 9) at depth 0" in _bullets(apart)
    )
    meeting = _both(trained(_deepening([3, 8, 8, 8, 9, 9], [2, 3, 3, 3, 4, 8])))[1]
    assert "earlier at" not in meeting.lead
    assert "the intervals at the smallest and the largest unfreeze depth overlap" in _bullets(
        meeting
    )
    later = _both(trained(_deepening([2, 3, 3, 3, 4, 4], [7, 8, 8, 8, 9, 9])))[1]
    assert "earlier at" not in later.lead
    assert "the onset is later at the largest unfreeze depth than" in _bullets(later)


def test_lead_names_the_ends_of_many_arms() -> None:
    arms = ("a", "b", "c", "d")
    trials = [_overfit(3 + k, arm=arm, scores=[0.5]) for k, arm in enumerate(arms)]
    lead = _both(trained(trials, arms=arms))[1].lead
    assert lead == (
        "Median onset of overfitting: earliest in a, epoch 3 (of 1 trial), "
        "latest in d, epoch 6 (of 1 trial)."
    )


@pytest.mark.parametrize(
    ("trials", "lead"),
    [
        ([], "No trial has reported an epoch yet."),
        (
            [{"state": "pruned", "scores": [0.5]}],
            "No trial has run long enough to show whether it overfits.",
        ),
        (
            [{"scores": [0.5] * EPOCHS}, {"scores": [0.4] * EPOCHS}],
            "None of 2 trials trained to the end overfitted within 10 epochs.",
        ),
        (
            [_overfit(3, scores=[0.5]), {"scores": [0.5] * EPOCHS}, {"scores": [0.4] * EPOCHS}],
            "No more than half of the trials overfitted within 10 epochs: 1 of 3 in densenet161.",
        ),
        (
            [_overfit(3, scores=[0.5]), {"scores": [0.5] * EPOCHS}],
            "No more than half of the trials overfitted within 10 epochs: 1 of 2 in densenet161.",
        ),
    ],
)
def test_leads_where_nothing_overfitted(trials: list[dict[str, Any]], lead: str) -> None:
    assert _both(trained(trials))[1].lead == lead


def test_exactly_half_is_not_fewer_than_half() -> None:
    trials = [_overfit(3, scores=[0.5]), {"scores": [0.5] * EPOCHS}]
    trials += [_overfit(3, scores=[0.5], unfreeze_depth=2)]
    made = _both(trained(trials[:2]))[1]
    assert "densenet161: no more than half of the trials overfitted at all." in _bullets(made)
    (onset,) = (b.drawing for b in blocks_of(_both(trained(trials))[1])
                if isinstance(b, Picture) and b.drawing.name == "curves-onset")  # fmt: skip
    assert "where no more than half overfitted" in onset.description


def test_the_onset_is_defined_as_it_is_computed() -> None:
    """Between minimum and last epochs a loss may fall back: the last ones alone must lie above."""
    val = [2.0, 1.0, 1.0, 1.0, 1.5, 0.99, 1.5, 1.6, 1.7]
    assert overfit_onset(np.linspace(2, 1, 9), val) is not None
    made = _both(trained([_overfit(3, scores=[0.5])]))[1]
    words = [b.words for b in made.blocks if isinstance(b, Text)]
    assert any("exceeds it in each of the last 3 epochs, all of them after" in w for w in words)


def test_only_the_notebooks_backbones_are_set_against_it() -> None:
    arms = ("densenet161", "resnet152", "resnet50")
    trials = [
        _overfit(onset, arm=arm, scores=[0.5])
        for arm, onsets in zip(arms, ([3, 3, 4, 4, 5, 5], [4, 5, 5, 5, 6, 6], [7]), strict=True)
        for onset in onsets
    ]
    found, made = _both(trained(trials, arms=arms))
    assert [entry["by_hand"] for entry in found["onsets"]] == [15, 5, None]
    said = _bullets(made)
    assert "(densenet161 from epoch 15, resnet152 from epoch 5)" in said
    assert "densenet161 begins at epoch 4, earlier than in manual fine-tuning (outside" in said
    # Trials of 10 epochs that must rise for 3 show none later than 7.
    assert "An onset at 15 cannot be observed here" in said
    assert "resnet152 begins at epoch 5, the same as in manual fine-tuning (within" in said
    svg = _figure(made, "curves-onset")
    assert "manual: 15" in svg and "manual: 5" in svg and "resnet50\nmanual" not in svg
    other = _both(trained([_overfit(4, arm="resnet50", scores=[0.5])], arms=("resnet50",)))[1]
    assert "notebook" not in _bullets(other) and "manual" not in _figure(other, "curves-onset")


def _figure(made: Chapter, name: str) -> str:
    (svg,) = (b.drawing.svg for b in blocks_of(made)
              if isinstance(b, Picture) and b.drawing.name == name)  # fmt: skip
    return svg


def test_the_median_is_said_to_be_open_or_not_reached() -> None:
    trials = [_overfit(4, scores=[0.5]) for _ in range(4)]
    trials += [{"scores": [0.5] * EPOCHS} for _ in range(3)]
    trials += [_overfit(5, unfreeze_depth=2), {"epochs": EPOCHS, "unfreeze_depth": 2}]
    trials += [{"epochs": EPOCHS, "unfreeze_depth": 2}]
    found, made = _both(trained(trials))
    assert found["onsets"][0]["depths"][0]["median"]["high"] is None
    (table,) = (b.data for b in blocks_of(made)
                if isinstance(b, Picture) and b.drawing.name == "curves-onset")  # fmt: skip
    first, second = table.rows[0].cells[2], table.rows[1].cells[2]
    assert (first.main.text, first.small) == ("4", "95 % interval from 4, open above")
    assert second.main.text == "not reached"


def test_a_loss_far_above_the_others_is_cut_off_and_said_to_be() -> None:
    trials = [{"scores": [0.5] * EPOCHS, "val": [1.0] * EPOCHS} for _ in range(9)]
    (loss, *_) = (b for b in _both(trained(trials))[1].blocks if isinstance(b, Picture))
    assert "cut off" not in loss.drawing.description
    exploded = {"state": "diverged", "scores": [0.1], "val": [50.0]}
    (loss, *_) = (b for b in _both(trained([*trials, exploded]))[1].blocks
                  if isinstance(b, Picture))  # fmt: skip
    assert "Losses above 1.05 are cut off." in loss.drawing.description


def test_figures_of_onsets_need_one_that_was_reached() -> None:
    made = _both(trained([{"scores": [0.5] * EPOCHS}]))[1]
    names = {b.drawing.name for b in blocks_of(made) if isinstance(b, Picture)}
    assert names == {"curves-loss", "curves-score"}


@pytest.mark.parametrize("name", PLANS)
def test_every_stage_of_a_search_renders(name: str) -> None:
    found, made = _both(planned(name))
    html = page(planned(name), made)
    assert made.lead.endswith(".") and made.lead in html.replace("&#39;", "'")
    assert not re.search(r"\b(None|nan|inf|Undefined)\b", html)
    assert len(html) < 400_000
    tables = [block for block in blocks_of(made) if isinstance(block, Table)]
    assert all(table.rows for table in tables)
    assert [arm["arm"] for arm in found["arms"]] == list(planned(name).arms)
