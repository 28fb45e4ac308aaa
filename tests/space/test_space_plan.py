"""How trials are dealt, and what they cost at most."""

from __future__ import annotations

import pytest

from fer_tune.space import SearchSpace, StudyPlan, plan
from fer_tune.space.evidence import NO_GAIN_UP_TO
from fer_tune.space.plan import halving


def test_equal_allocation_deals_the_same_to_every_study(valid):
    valid["compare"]["replicates"] = 3
    valid["budget"]["trials"] = 60
    valid["cohorts"] = {
        "random": 0.25,
        "baseline": [{"unfreeze_depth": 1}, {"arm": "resnet152", "unfreeze_depth": 2}],
    }
    planned = plan(SearchSpace.from_dict(valid))
    assert [(s.arm, s.replicate) for s in planned.studies] == [
        (arm, r) for arm in ("densenet161", "resnet152") for r in range(3)
    ]
    assert planned.studies[0] == StudyPlan(
        arm="densenet161", replicate=0, baseline=1, random=2, proposed=7
    )
    assert planned.studies[5] == StudyPlan(
        arm="resnet152", replicate=2, baseline=2, random=2, proposed=6
    )
    assert planned.trials == 60 and planned.worst_epochs == 600
    assert planned.confirm_runs == 12 and planned.confirm_epochs == 120


def test_sampled_allocation_is_one_study_that_confirms_every_arm(valid):
    valid["compare"]["allocation"] = "sampled"
    valid["budget"]["trials"] = 9
    valid["cohorts"] = {"baseline": [{"unfreeze_depth": 1}]}
    planned = plan(SearchSpace.from_dict(valid))
    assert planned.studies == (StudyPlan(arm=None, replicate=0, baseline=2, random=2, proposed=5),)
    assert planned.confirm_runs == 4
    assert any("unbalanced" in note for note in planned.notes)


@pytest.mark.parametrize(
    ("share", "random"), [(0.0, 0), (0.01, 1), (0.1, 1), (0.125, 1), (0.375, 2), (0.5, 2), (1.0, 4)]
)
def test_random_share_rounds_halves_up_and_gives_at_least_one(valid, share, random):
    valid["cohorts"] = {"random": share}
    study = plan(SearchSpace.from_dict(valid)).studies[0]
    assert (study.random, study.proposed) == (random, 4 - random)


def test_baselines_that_fill_a_study_leave_nothing_random(valid):
    valid["cohorts"] = {"baseline": [{"unfreeze_depth": d} for d in range(4)]}
    assert plan(SearchSpace.from_dict(valid)).studies[0] == StudyPlan(
        arm="densenet161", replicate=0, baseline=4, random=0, proposed=0
    )


@pytest.mark.parametrize(
    ("kind", "grace", "factor", "epochs", "rungs"),
    [
        ("asha", 1, 3, 27, (1, 3, 9)),
        ("asha", 1, 3, 28, (1, 3, 9, 27)),
        ("asha", 4, 2, 5, (4,)),
        ("none", 1, 3, 27, ()),
    ],
)
def test_rungs_lie_below_the_last_epoch(valid, kind, grace, factor, epochs, rungs):
    valid["scheduler"] = {"kind": kind, "grace_epochs": grace, "reduction_factor": factor}
    valid["budget"]["max_epochs"] = epochs
    assert plan(SearchSpace.from_dict(valid)).rungs == rungs


def test_halving_by_hand():
    # 9 trials run 1 epoch, 3 go on to epoch 3, 1 to epoch 9; 6 are spared 8 epochs, 2 are 6.
    assert halving(9, (1, 3), 3, 9) == (8, 9 * 1 + 3 * 2 + 1 * 6, 6 * 8 + 2 * 6)
    assert halving(4, (2,), 3, 5) == (2, 4 * 2 + 2 * 3, 2 * 3)
    assert halving(4, (), 3, 5) == (0, 20, 0)


@pytest.mark.parametrize(
    ("share", "epochs", "reported"),
    [
        (0.0, 40, "none"),
        (0.25, 50, "roughly 1.5 of 6 trials that ASHA would stop continue to their end"),
        (1.0, 80, "roughly 6.0 of 6 trials that ASHA would stop continue to their end"),
    ],
)
def test_audited_trials_run_on_in_the_plan(valid, share, epochs, reported):
    # Two studies of 4 trials, 10 epochs: rungs 2 and 6 leave 2, then 1.
    valid["audit"] = {"share": share}
    planned = plan(SearchSpace.from_dict(valid))
    assert planned.expected_epochs == epochs
    assert ("audit", reported) in planned.rows()


def test_without_a_scheduler_nothing_is_audited(valid):
    valid["audit"] = {"share": 1.0}
    valid["scheduler"] = {"kind": "none"}
    planned = plan(SearchSpace.from_dict(valid))
    assert planned.expected_audited == 0 and planned.expected_epochs == planned.worst_epochs
    assert ("audit", "none") in planned.rows()


def test_notes_tell_what_is_permitted_but_worth_knowing(valid):
    valid["sampler"] = "random"
    assert plan(SearchSpace.from_dict(valid)).notes == (
        "1 of 5 replicates: the verdict is about the configurations found, not about the families",
    )
    valid["compare"]["replicates"] = 5
    valid["budget"]["trials"] = 20
    valid["augment"] = {"views": 11}
    valid["confirm"] = {"seeds": 0}
    valid["cohorts"] = {"baseline": [{"unfreeze_depth": 5}]}
    notes = plan(SearchSpace.from_dict(valid)).notes
    assert [note.split(":")[0] for note in notes] == [
        "augment.views 11 exceeds max_epochs 10",
        "confirm.seeds 0",
        "baselines outside the sampled domains",
    ]


def test_rows_are_pairs_of_text(valid):
    rows = plan(SearchSpace.from_dict({**valid, "sampler": "tpe"})).rows()
    assert ("trials", "8 (0 baseline, 2 random, 6 tpe)") in rows
    assert ("rungs", "2, 6") in rows
    assert rows[-1][0] == "note"


def test_a_study_too_small_to_gain_on_random_search_is_noted(valid):
    expected = "no gain over random search is to be expected"

    def notes(each, **changes):
        values = {**valid, "budget": {"trials": 2 * each, "max_epochs": 10}, **changes}
        return [n for n in plan(SearchSpace.from_dict(values)).notes if expected in n]

    (note,) = notes(NO_GAIN_UP_TO)
    assert note.startswith(f"{NO_GAIN_UP_TO} trials per study: {expected}")
    assert not notes(NO_GAIN_UP_TO + 1)
    assert not notes(NO_GAIN_UP_TO, sampler="random")
    assert not notes(NO_GAIN_UP_TO, cohorts={"random": 1.0})
