"""The chapter on hyperparameters: importance of a planted parameter, figures, the trial table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from answered_search import blocks_of
from trained_search import PLANS, planned, reported, trained

from analysis.estimators.tuning.importance import BEST, NEEDED, SHUFFLES, importance
from analysis.inputs.search import Search
from analysis.inputs.studies import NUMBER, rebuild
from analysis.report.parameters.axes import place
from analysis.report.parameters.chapter import chapter
from analysis.report.parameters.schema import Domain
from analysis.report.parameters.section import section
from analysis.report.parameters.trial_table import DRAWN, ROWS, selected
from analysis.report.presentation.blocks import Bullets, Chapter, Picture, Table
from analysis.report.quantities import Json
from analysis.report.reading import traced

SPACE: dict[str, Any] = {
    "parameters": {
        "lr_head": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        "unfreeze_depth": {"type": "int", "low": 0, "high": 4},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "augment_policy": {"type": "choice", "values": ["plain", "strong"]},
    }
}


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "parameters", section, chapter)


def _drawn(number: int, seed: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """Trials of random configurations, whose score is the head's learning rate's alone."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        rate = float(10 ** rng.uniform(-4, -2))
        rows.append(
            {
                "lr_head": rate,
                "unfreeze_depth": int(rng.integers(5)),
                "dropout": float(rng.uniform(0, 0.5)),
                "augment_policy": str(rng.choice(["plain", "strong"])),
                "scores": [0.6 - 0.1 * abs(np.log10(rate) + 3)],
                **changes,
            }
        )
    return rows


# -- the rebuilt study ------------------------------------------------------------------------


def test_a_study_is_told_what_the_platform_told_it() -> None:
    states = ("complete", "overfit", "pruned", "diverged", "oom", "failed")
    rows = [{**row, "state": state} for row, state in zip(_drawn(6), states, strict=True)]
    rebuilt = rebuild(trained(rows, space=SPACE), "densenet161", curves=True)
    trials = rebuilt.study.get_trials()
    assert [trial.state.name for trial in trials] == [
        "COMPLETE",
        "COMPLETE",
        "PRUNED",
        "PRUNED",
        "FAIL",
        "FAIL",
    ]
    assert [trial.value for trial in trials[:2]] == [row["scores"][0] for row in rows[:2]]
    assert all(trial.value is None for trial in trials[2:])
    assert trials[2].intermediate_values == {1: rows[2]["scores"][0]}
    assert [trial.user_attrs[NUMBER] for trial in trials] == list(range(6))
    assert rebuilt.parameters == tuple(SPACE["parameters"]) and rebuilt.outside == 0
    assert trials[0].params["unfreeze_depth"] == rows[0]["unfreeze_depth"]


@pytest.mark.parametrize(
    "odd",
    [{"lr_head": 0.5}, {"unfreeze_depth": 5}, {"augment_policy": "moderate"}, {"batch_size": 8}],
    ids=lambda odd: next(iter(odd)),
)
def test_a_baseline_that_could_not_be_sampled_is_left_out(odd: dict[str, Any]) -> None:
    rows = _drawn(12, batch_size=64)
    rows[0] |= {"cohort": "baseline", **odd}
    rows[1] |= {"cohort": "baseline"}
    rebuilt = rebuild(trained(rows, space=SPACE), "densenet161")
    assert rebuilt.outside == 1
    assert 0 not in [trial.user_attrs[NUMBER] for trial in rebuilt.study.get_trials()]


def test_an_arm_has_the_parameters_that_it_sampled() -> None:
    space = {
        "parameters": {
            **SPACE["parameters"],
            "momentum": {"per_arm": {"b": {"type": "float", "low": 0.0, "high": 0.9}}},
        }
    }
    rows = [*_drawn(3, arm="a", momentum=0.9), *_drawn(3, arm="b", momentum=0.5)]
    search = trained(rows, arms=("a", "b"), space=space)
    assert "momentum" not in rebuild(search, "a").parameters
    assert "momentum" in rebuild(search, "b").parameters
    parameters, _ = _both(search)
    assert parameters["sampled"][-1]["arms"] == ["b"]


# -- importance -------------------------------------------------------------------------------


def test_the_parameter_that_decides_stands_out() -> None:
    search = trained(_drawn(80), space=SPACE)
    found = importance(rebuild(search, "densenet161"), np.random.default_rng(0))
    assert found is not None
    assert sum(found.shares.values()) == pytest.approx(1)
    assert max(found.shares, key=lambda name: found.shares[name]) == "lr_head"
    above = [name for name, share in found.shares.items() if share > found.noise[name]]
    assert above == ["lr_head"]
    _, made = _both(search)
    assert made.lead.startswith("Most important hyperparameters: lr head (")


def test_where_nothing_decides_nothing_stands_out_but_by_chance() -> None:
    """One idle parameter in SHUFFLES + 1 exceeds what chance gives, in theory and here."""
    rng, above, all_ = np.random.default_rng(3), 0, 0
    for seed in range(25):
        rows = [{**row, "scores": [float(rng.random())]} for row in _drawn(30, seed=seed)]
        found = importance(rebuild(trained(rows, space=SPACE), "densenet161"), rng)
        assert found is not None
        above += sum(share > found.noise[name] for name, share in found.shares.items())
        all_ += len(found.shares)
    assert all_ == 100
    # Binomial(100, 1 / 20) lies above 13 with a chance of 0.0005.
    assert 1 / (SHUFFLES + 1) == 0.05 and above <= 13


def test_only_trials_with_a_final_value_count() -> None:
    rows = _drawn(40)
    for row in rows[::2]:
        row["state"] = "pruned"
    few = importance(rebuild(trained(rows, space=SPACE), "densenet161"), np.random.default_rng(0))
    assert few is not None and few.trials == 20
    # The stopped ones may say what they like.
    for row in rows[::2]:
        row["scores"] = [0.99]
    same = importance(rebuild(trained(rows, space=SPACE), "densenet161"), np.random.default_rng(0))
    assert same == few


def test_the_best_are_a_tenth_but_five_at_least() -> None:
    for number, best in ((NEEDED, BEST), (50, 5), (120, 12)):
        parameters, _ = _both(trained(_drawn(number), space=SPACE))
        assert parameters["importance"][0]["best"] == best


@pytest.mark.parametrize(
    ("number", "tied", "best"), [(55, 0, 6), (61, 0, 7), (50, 9, 9), (50, 4, 5)]
)
def test_the_best_are_counted_as_they_are_compared(number: int, tied: int, best: int) -> None:
    """A tenth is rounded up, and what ties with the last of them is among them."""
    rows = _drawn(number)
    for row in sorted(rows, key=lambda row: -row["scores"][0])[:tied]:
        row["scores"] = [0.9]
    assert _both(trained(rows, space=SPACE))[0]["importance"][0]["best"] == best
    falling = [{**row, "best_val_loss": 1 - row["scores"][0]} for row in rows]
    by_loss = _both(trained(falling, space={**SPACE, "metric": "loss"}))[0]
    assert by_loss["importance"][0]["best"] == best


def test_dealt_scores_have_their_better_end_where_the_scores_have_it() -> None:
    """Many ties at the worse end would make for other, larger groups of the best."""
    rows = _drawn(40)
    for row in sorted(rows, key=lambda row: row["scores"][0])[:25]:
        row["scores"] = [0.2]
    rebuilt = rebuild(trained(rows, space=SPACE), "densenet161")
    falling = [{**row, "best_val_loss": 1 - row["scores"][0]} for row in rows]
    by_loss = rebuild(trained(falling, space={**SPACE, "metric": "loss"}), "densenet161")
    noises = [importance(one, np.random.default_rng(4)) for one in (rebuilt, by_loss)]
    assert noises[0] is not None and noises[1] is not None
    assert noises[0].noise == pytest.approx(noises[1].noise)


def test_too_few_trials_have_no_importance() -> None:
    parameters, made = _both(trained(_drawn(NEEDED - 1), space=SPACE))
    assert parameters["importance"][0]["parameters"] == []
    assert made.lead == (
        "Too few trials with a final value to estimate importance: 9 in densenet161; 10 per arm "
        "are needed."
    )
    assert not any("importance" in picture.drawing.name for picture in _pictures(made))


def _pictures(made: Chapter) -> list[Picture]:
    return [block for block in blocks_of(made) if isinstance(block, Picture)]


def test_for_a_loss_the_lowest_are_the_best() -> None:
    rows = [{**row, "best_val_loss": 1 - row["scores"][0]} for row in _drawn(80)]
    parameters, _ = _both(trained(rows, space={**SPACE, "metric": "loss"}))
    shares = {
        p["parameter"]: p["share"]["value"] for p in parameters["importance"][0]["parameters"]
    }
    by_score = _both(trained(rows, space=SPACE))[0]["importance"][0]["parameters"]
    assert shares == pytest.approx({p["parameter"]: p["share"]["value"] for p in by_score})
    assert parameters["lower_is_better"]


# -- figures ----------------------------------------------------------------------------------


def _domain(**given: Any) -> Domain:
    unknown = dict.fromkeys(("low", "high", "whole", "values"))
    return Domain.model_validate(
        traced({"parameter": "one", "log": False, "arms": [], **unknown, **given})
    )


def test_values_stand_on_the_scale_on_which_they_were_sampled() -> None:
    ends = {"low": 1e-4, "high": 1e-2, "whole": False}
    rate, names = _domain(**ends, log=True), _domain(values=["a", "b", "c"])
    assert place(rate, 1e-3) == pytest.approx(0.5)
    assert place(_domain(**ends), 1e-3) == pytest.approx((1e-3 - 1e-4) / (1e-2 - 1e-4))
    assert place(rate, 1.0) is None
    assert place(names, "b") == 0.5
    assert place(names, "d") is None
    assert place(_domain(low=0, high=4, whole=True), 3) == 0.75


def test_stopped_trials_are_told_from_those_with_a_final_value() -> None:
    rows = _drawn(12)
    rows[0] |= {"state": "pruned"}
    rows[1] |= {"state": "pruned", "stop_reason": "asha/completed", "audit_epoch": 2}
    parameters, made = _both(trained(rows, space=SPACE))
    drawn = {one["trial"]: one for one in parameters["trials"]["drawn"]}
    assert [number for number, one in drawn.items() if one["stopped"]] == [0]
    scores = [row["scores"][0] for row in rows]
    assert drawn[int(np.argmax(scores))]["better"] == 0
    assert drawn[int(np.argmin(scores))]["better"] == pytest.approx(11 / 12, abs=1e-4)
    assert [number for number, one in drawn.items() if one["chosen"]] == parameters["trials"][
        "chosen"
    ]
    names = [picture.drawing.name for picture in _pictures(made)]
    assert names == ["parameters-importance", "parameters-slices", "parameters-parallel"]


def test_a_baseline_beyond_the_domain_is_drawn_all_the_same() -> None:
    rows = _drawn(12)
    rows[0] |= {"cohort": "baseline", "lr_head": 0.5, "augment_policy": "moderate"}
    parameters, made = _both(trained(rows, space=SPACE))
    assert parameters["importance"][0]["outside"] == 1
    assert len(_pictures(made)) == 3
    lists = [block.items for block in blocks_of(made) if isinstance(block, Bullets)]
    words = " ".join(item for items in lists for item in items)
    assert "Excluded: 1 trial with a value" in words


# -- the table --------------------------------------------------------------------------------


def test_the_table_tells_shared_values_once_and_chosen_trials_in_bold() -> None:
    rows = _drawn(5, batch_size=64)
    parameters, made = _both(trained(rows, space=SPACE, choices=[2]))
    trials = parameters["trials"]
    names = [column["name"] for column in trials["columns"]]
    assert trials["shared"]["batch_size"] == 64 and "batch_size" not in names
    assert {"lr_head", "dropout"} <= set(names)
    table = next(b for b in blocks_of(made) if isinstance(b, Table) and b.name == "trials")
    assert [row.strong for row in table.rows] == [False, False, True, False, False]
    assert "batch size 64" in table.caption


def test_of_very_many_trials_the_telling_ones_are_kept() -> None:
    rows = [row for seed, arm in enumerate(("a", "b")) for row in _drawn(300, seed=seed, arm=arm)]
    worst = int(np.argmin([row["scores"][0] for row in rows]))
    search = trained(rows, arms=("a", "b"), space=SPACE, choices=[worst])
    kept = selected(search, search.trials, [worst], 40)
    assert len(kept) == 40 and kept["arm"].value_counts().to_dict() == {"a": 20, "b": 20}
    assert worst in set(kept["trial"]) and kept["trial"].is_monotonic_increasing
    for arm, part in search.trials.groupby("arm"):
        best = part.nlargest(9, "best_val_macro_f1")["trial"]
        assert set(best) <= set(kept["trial"]), arm
    crowd = search.trials["trial"].tolist()[:30]
    assert set(selected(search, search.trials, crowd, 40)["trial"]) >= set(crowd)
    parameters, made = _both(search)
    assert parameters["trials"]["total"] == 600
    assert len(parameters["trials"]["rows"]) == ROWS
    assert len(parameters["trials"]["drawn"]) == DRAWN
    table = next(b for b in blocks_of(made) if isinstance(b, Table) and b.name == "trials")
    assert "trials.parquet" in table.caption


# -- every search -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_every_search_has_something_to_say(name: str) -> None:
    search = planned(name)
    parameters, made = _both(search)
    assert made.lead.endswith(".")
    nothing = not len(search.trials)
    assert nothing == (made.lead == "No trial has ended yet.") == (made.blocks == ())
    again = [picture.drawing.svg for picture in _pictures(_both(search)[1])]
    assert [picture.drawing.svg for picture in _pictures(made)] == again
    assert len(parameters["importance"]) == len(search.arms)


def test_without_a_search_space_the_trials_are_told() -> None:
    _, made = _both(trained(_drawn(3)))
    assert made.lead == "The search space samples no hyperparameter."
    assert any(isinstance(block, Table) for block in blocks_of(made))


def test_many_arms_are_counted_in_the_lead() -> None:
    arms = [f"arm{number}" for number in range(4)]
    rows = [row for seed, arm in enumerate(arms) for row in _drawn(120, seed=seed, arm=arm)]
    _, made = _both(trained(rows, arms=arms, space=SPACE))
    assert made.lead.startswith("Hyperparameters whose importance exceeds chance: lr head in 4")
    assert made.lead.endswith("of 4 arms.")
