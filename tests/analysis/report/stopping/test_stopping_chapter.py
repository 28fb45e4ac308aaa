"""The chapter on early stopping: epochs, ranks and regret by hand, and its words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from answered_search import blocks_of
from scipy import stats
from trained_search import EPOCHS, PLANS, page, planned, reported, trained

from analysis.inputs.search import Search
from analysis.report.presentation.blocks import Chapter, Picture, Table, Text
from analysis.report.quantities import Json
from analysis.report.stopping.chapter import chapter
from analysis.report.stopping.rungs import rungs
from analysis.report.stopping.section import section

AUDITED: dict[str, Any] = {"state": "pruned", "audit_epoch": 2}


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "stopping", section, chapter)


def _words(made: Chapter) -> str:
    return " ".join(block.words for block in made.blocks if isinstance(block, Text))


def _named(made: Chapter, name: str) -> Table:
    tables = [b.data if isinstance(b, Picture) else b for b in blocks_of(made)]
    (table,) = (t for t in tables if isinstance(t, Table) and t.name == name)
    return table


# -- epochs -----------------------------------------------------------------------------------

ENDS: list[dict[str, Any]] = [
    {"scores": [0.5] * EPOCHS},
    {"state": "pruned", "scores": [0.4] * 2, "pace": 30.0},  # ASHA spares 8
    {"state": "overfit", "scores": [0.5] * 7},  # the stopper spares 3
    {"state": "diverged", "scores": [0.1]},  # 9
    {"state": "failed", "epochs": 0},  # loses 10
    {"state": "oom", "scores": [0.3] * 4},  # loses 6
    {**AUDITED, "stop_reason": "asha/completed", "scores": [0.3] * EPOCHS},  # spares nothing
    {**AUDITED, "stop_reason": "asha/overfit", "scores": [0.3] * 6},  # the stopper spares 4
    {**AUDITED, "stop_reason": "asha/error", "scores": [0.3] * 5},  # loses 5
]


def test_every_epoch_allowed_was_run_spared_or_lost() -> None:
    arm = _both(trained(ENDS))[0]["arms"][0]
    assert (arm["allowed"], arm["run"]) == (90, 45)
    assert arm["saved"] == {"asha": 8, "overfit_stopper": 7, "divergence": 9}
    assert arm["lost_to_failure"] == 21
    assert arm["allowed"] == arm["run"] + sum(arm["saved"].values()) + arm["lost_to_failure"]
    assert arm["states"] == {
        "complete": 1, "pruned": 4, "overfit": 1, "diverged": 1, "oom": 1, "failed": 1
    }  # fmt: skip
    assert (arm["audited"], arm["spent_on_audit"]) == (3, 8 + 4 + 3)


def test_time_saved_goes_by_each_trials_own_pace_and_share() -> None:
    found, made = _both(trained(ENDS))
    # Half an accelerator each: 8 epochs of 30 s, 3 + 9 + 4 of 10 s.
    saved = found["arms"][0]["saved_hours"]
    assert saved["value"] == pytest.approx((8 * 30 + 16 * 10) / 2 / 3600)
    assert saved["n"] == 4 and saved["estimator"].startswith("estimate")
    assert made.lead.startswith(
        "Early stopping saved 24 of 90 epochs (27 %: ASHA 8, overfit stopper 7, divergence 9), "
        "an estimated 0.06 accelerator-hours; "
    )


def test_time_on_cpus_is_counted_where_nothing_held_an_accelerator() -> None:
    found, made = _both(trained([{**end, "accelerator_seconds": 0.0} for end in ENDS]))
    assert found["arms"][0]["saved_hours"]["value"] == pytest.approx(2 * 400 / 3600)
    assert "0.22 CPU-hours" in made.lead


@pytest.mark.parametrize("name", ["studies", "three", "six", "processors"])
def test_epochs_of_made_up_searches_add_up(name: str) -> None:
    for arm in _both(planned(name))[0]["arms"]:
        spent = arm["run"] + sum(arm["saved"].values()) + arm["lost_to_failure"]
        assert arm["allowed"] == spent == 16 * arm["trials"]


def test_a_search_that_stops_nothing_says_so() -> None:
    off = {"scheduler": {"kind": "none"}, "stopper": {"enabled": False}}
    found, made = _both(trained([{"scores": [0.5] * EPOCHS}], space=off))
    assert found["rungs"] == [] and found["fidelity"] == []
    assert made.lead.startswith("This search uses no early stopping")
    assert {block.name for block in made.blocks if isinstance(block, Table)} == {"stopping-arms"}


# -- rungs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grace", "factor", "epochs", "expected"),
    [(2, 2, 10, (2, 4, 8)), (3, 3, 30, (3, 9, 27)), (4, 3, 12, (4,)), (5, 2, 5, ())],
)
def test_rungs_lie_below_the_last_epoch(
    grace: int, factor: int, epochs: int, expected: tuple[int, ...]
) -> None:
    space = {
        "scheduler": {"kind": "asha", "grace_epochs": grace, "reduction_factor": factor},
        "budget": {"max_epochs": epochs},
    }
    assert rungs(trained([], space=space)) == expected


def _rising(at_rung: float, final: float, **row: Any) -> dict[str, Any]:
    """Ten epochs whose best is ``at_rung`` from the first on, and ``final`` at the last."""
    return {"scores": [at_rung, *[0.0] * 8, final], **row}


def test_correlation_is_spearmans_over_ranks_within_studies() -> None:
    rng = np.random.default_rng(5)
    early = rng.uniform(0.1, 0.3, (2, 6))
    final = early + rng.uniform(0.2, 0.4, (2, 6))
    # A study that is better throughout must not make for a correlation.
    final[1] += 0.3
    trials = [
        _rising(a, b, replicate=study)
        for study in (0, 1)
        for a, b in zip(early[study], final[study], strict=True)
    ]
    found = _both(trained(trials))[0]["fidelity"][0]
    ranks = [np.concatenate([stats.rankdata(part) for part in both]) for both in (early, final)]
    expected = float(stats.spearmanr(*ranks).statistic)
    correlation = found["arms"][0]["correlation"]
    assert found["epoch"] == 2 and correlation["n"] == 12
    assert correlation["value"] == pytest.approx(expected)
    assert correlation["low"] < expected < correlation["high"]
    # Two studies: one rank of each but the first is not free.
    assert correlation["estimator"].endswith("effective n of 11")
    pooled = float(stats.spearmanr(early.ravel(), final.ravel()).statistic)
    assert abs(pooled - expected) > 0.05


def test_only_trials_that_ran_on_past_a_rung_to_their_own_end_are_ranked() -> None:
    trials = [_rising(0.1, 0.5), _rising(0.2, 0.6), _rising(0.3, 0.4)]
    trials.append(_rising(0.4, 0.9, **AUDITED, stop_reason="asha/completed"))
    others: list[dict[str, Any]] = [
        _rising(0.9, 0.9, **AUDITED, stop_reason="asha/error"),
        {"state": "pruned", "scores": [0.9, 0.9, 0.9]},
        {"state": "overfit", "scores": [0.1, 0.9]},  # ended at the rung
        _rising(0.1, 0.9, replicate=1),  # the only one of its study
    ]
    first = _both(trained(trials + others))[0]["fidelity"][0]["arms"][0]["correlation"]
    expected = stats.spearmanr([1, 2, 3, 4], [2, 3, 1, 4]).statistic
    assert first["n"] == 4 and first["value"] == pytest.approx(expected)


def test_values_without_a_finite_loss_do_not_count_and_losses_rank_the_other_way() -> None:
    blown = {"scores": [0.9, 0.1, *[0.2] * 7, 0.95], "val": [np.nan, *[1.0] * 9]}
    trials = [blown, _rising(0.2, 0.5), _rising(0.3, 0.6), _rising(0.4, 0.7)]
    found = _both(trained(trials))[0]["fidelity"][0]["arms"][0]["correlation"]
    assert found["value"] == pytest.approx(stats.spearmanr([1, 2, 3, 4], [4, 1, 2, 3]).statistic)
    falling = [
        {"scores": [0.5] * EPOCHS, "val": [2.0, 1.0 + k / 10, *[k / 10] * 8]} for k in range(4)
    ]
    by_loss = trained(falling, space={"metric": "loss"})
    found = _both(by_loss)[0]["fidelity"][0]["arms"][0]["correlation"]
    assert found["n"] == 4 and found["value"] == pytest.approx(1.0)


def test_too_few_to_rank_is_said() -> None:
    made = _both(trained([_rising(0.1, 0.2)]))[1]
    assert "Too few trials continued past a rung" in _words(made)


# -- regret -----------------------------------------------------------------------------------


def _audit(*scores: float, **row: Any) -> list[dict[str, Any]]:
    reason = {"stop_reason": "asha/completed"}
    return [{**AUDITED, **reason, "scores": [score] * EPOCHS, **row} for score in scores]


STOPPED = [{"state": "pruned", "scores": [0.2, 0.2]}] * 6


def test_audited_trials_are_set_against_their_own_studys_choice() -> None:
    trials = [
        {"scores": [0.60] * EPOCHS},
        {"scores": [0.80] * EPOCHS, "replicate": 1},
        *_audit(0.50, 0.625),
        *_audit(0.70, replicate=1),
        *_audit(0.99, stop_reason="asha/error"),  # its end is unknown
        *_audit(0.99, stop_reason="asha/diverged"),  # could not have been chosen
        *_audit(0.99, replicate=2),  # nothing was chosen there
        *STOPPED,
    ]
    regret = _both(trained(trials))[0]["regret"][0]
    assert (regret["audited"], regret["compared"], regret["above"]) == (6, 4, 1)
    exact = stats.binomtest(1, 4).proportion_ci(0.95, method="exact")
    chance = regret["chance"]
    assert (chance["value"], chance["low"], chance["high"]) == (
        0.25, pytest.approx(exact.low), pytest.approx(exact.high)
    )  # fmt: skip
    # Six stopped for good in three studies.
    assert regret["stopped_per_study"] == 2
    assert regret["chance_in_study"]["value"] == pytest.approx(1 - 0.75**2)
    assert regret["chance_in_study"]["high"] == pytest.approx(1 - (1 - exact.high) ** 2)
    assert regret["margin"]["value"] == pytest.approx(-0.10)
    assert regret["margin"]["n"] == 3
    assert regret["largest_regret"]["value"] == pytest.approx(0.025)
    assert regret["regret"]["value"] == 0


def test_the_frozen_choice_counts_not_the_best_since() -> None:
    trials = [{"scores": [0.6] * EPOCHS}, {"scores": [0.9] * EPOCHS}, *_audit(0.7), *STOPPED]
    assert _both(trained(trials, choices=[0]))[0]["regret"][0]["above"] == 1
    assert _both(trained(trials))[0]["regret"][0]["above"] == 0


def test_lead_tells_what_was_seen_and_by_how_much() -> None:
    best = {"scores": [0.6] * EPOCHS}
    said = [
        _both(trained([best, *_audit(*scores), *STOPPED]))[1].lead
        for scores in ((0.5, 0.625), (0.5, 0.6001), (0.5, 0.4, 0.3))
    ]
    assert said[0].endswith(
        "; 1 of 2 audited trials ended above its study's choice, by 2.5 points at most."
    )
    assert said[1].endswith("by less than 0.1 points at most.")
    assert said[2].endswith("; of 3 audited trials none ended above its study's choice.")


def test_none_seen_is_given_its_upper_bound() -> None:
    trials = [{"scores": [0.6] * EPOCHS}, *_audit(0.5, 0.4, 0.3), *STOPPED]
    made = _both(trained(trials))[1]
    high = stats.binomtest(0, 3).proportion_ci(0.95, method="exact").high
    assert f"densenet161 up to {100 * high:.0f} %" in _words(made)


@pytest.mark.parametrize(
    ("share", "why"), [(0.1, "of 6 such trials none was audited"), (0.0, "the share is 0")]
)
def test_without_an_audited_trial_nothing_is_known(share: float, why: str) -> None:
    trials = [{"scores": [0.6] * EPOCHS}, *STOPPED]
    made = _both(trained(trials, space={"audit": {"share": share}}))[1]
    assert made.lead.endswith("; its regret is unknown because no trial was audited.")
    assert why in _words(made) and "regret is unknown" in _words(made)
    assert "stopping-regret" not in {b.name for b in blocks_of(made) if isinstance(b, Table)}


def test_audited_trials_without_a_known_end_are_said_to_be_that() -> None:
    trials = [{"scores": [0.6] * EPOCHS}, *_audit(0.5, 0.4, stop_reason="asha/error"), *STOPPED]
    made = _both(trained(trials))[1]
    assert made.lead.endswith(
        "; its regret is unknown because none of 2 audited trials has a known result."
    )


def test_where_nothing_was_stopped_it_cost_nothing() -> None:
    made = _both(trained([{"scores": [0.6] * EPOCHS}] * 2))[1]
    assert "ASHA stopped no trial, so there is no regret." in _words(made)
    assert "regret is unknown" not in _words(made)


def test_an_arm_without_audited_trials_is_named() -> None:
    best = {"scores": [0.6] * EPOCHS}
    trials = [best, *_audit(0.5), best | {"arm": "b"}, *STOPPED]
    made = _both(trained(trials, arms=("densenet161", "b")))[1]
    assert "Unknown in" not in _words(made)
    trials.append({"state": "pruned", "scores": [0.2, 0.2], "arm": "b"})
    made = _both(trained(trials, arms=("densenet161", "b")))[1]
    assert "Unknown in b: no audited trial has a known result." in _words(made)
    cells = {row.cells[0].main.text: row.cells[2].main.text
             for row in _named(made, "stopping-regret").rows}  # fmt: skip
    assert cells["chance that a stopped trial was the best"] == "\N{EN DASH}"


def test_regret_of_a_loss_is_in_nats() -> None:
    level = [0.5] * EPOCHS
    trials = [
        {"scores": level, "best_val_loss": 0.9},
        {**AUDITED, "stop_reason": "asha/completed", "scores": level, "best_val_loss": 0.65},
        *STOPPED,
    ]
    found, made = _both(trained(trials, space={"metric": "loss"}))
    assert found["regret"][0]["largest_regret"]["value"] == pytest.approx(0.25)
    assert made.lead.endswith("by 0.250 nats at most.")
    assert "in nats" in _named(made, "stopping-regret").caption


# -- the page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_every_stage_of_a_search_renders(name: str) -> None:
    made = _both(planned(name))[1]
    html = page(planned(name), made)
    assert made.lead.endswith(".") and made.lead in html.replace("&#39;", "'")
    assert not re.search(r"\b(None|nan|inf|Undefined)\b", html)
    assert len(html) < 100_000
    tables = [block for block in blocks_of(made) if isinstance(block, Table)]
    assert all(table.rows for table in tables)


# -- more trials that do not pay ----------------------------------------------------------------


def test_a_search_without_gain_says_why_it_ended() -> None:
    search = trained(ENDS)
    arms = {"densenet161": {"gain": 0.0012, "noise": 0.0049}}
    manifest = {**search.manifest, "no_gain": {"trials": 14, "left": 6, "arms": arms}}
    found, made = _both(replace(search, manifest=manifest, manifests=(manifest,)))
    (ended,) = found["without_gain"]
    assert (ended["trials"], ended["left"]) == (14, 6)
    assert ended["arms"] == [{"arm": "densenet161", "gain": 0.0012, "noise": 0.0049}]
    assert _words(made).startswith(
        "The search ended after 14 trials of each study, 6 fewer than its budget allowed: the gain "
        "expected of these was below the noise of confirmation in every arm (validation macro-F1: "
        "densenet161 0.0012 against 0.0049)."
    )
    assert _both(search)[0]["without_gain"] == []


def test_a_search_that_its_budget_ended_says_so() -> None:
    search = trained(ENDS)
    limits = {
        "wall_time": {"limit": 7200.0, "needed": 9000.0},
        "money": {"limit": 20.0, "needed": 22.5},
    }
    used_up = {"not_started": 40, "planned": 60, "round": 10, "limits": limits}
    manifest = {**search.manifest, "used_up": used_up}
    found, made = _both(replace(search, manifest=manifest, manifests=(manifest,)))
    (ended,) = found["by_budget"]
    assert ended["limits"] == [{"key": key, **of} for key, of in limits.items()]
    assert _words(made).startswith(
        "The search's budget was used up: 40 of 60 planned trials were not started. A further "
        "round of 10 trials needed wall_time 2 h 30 min of 2 h"
    )
    assert "money 22.50 of 20.00" in _words(made) and _both(search)[0]["by_budget"] == []
