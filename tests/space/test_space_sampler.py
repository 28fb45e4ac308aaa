"""Which search spaces a sampler takes; what it cannot sample is refused, with the remedy."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from fer_tune.errors import SpaceError
from fer_tune.space import SearchSpace, plan, recorded_space
from fer_tune.space.plan import resolved_sampler
from fer_tune.space.sections import Sampler

NUMBERS: dict[str, Any] = {
    "lr_head": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "unfreeze_depth": {"type": "int", "low": 0, "high": 5},
}
CHOICE = {"crop_size": {"type": "choice", "values": [32, 48]}}
PER_ARM = {"dropout": {"per_arm": {"resnet18": {"type": "float", "low": 0.0, "high": 0.5}}}}
SAMPLERS = get_args(Sampler)


def space_of(sampler: str, parameters: dict[str, Any], **changes: Any) -> SearchSpace:
    values = {
        "name": "sampled",
        "purpose": "Sampled.",
        "compare": {"arms": ["resnet18", "resnet34"]},
        "sampler": sampler,
        "parameters": parameters,
        "budget": {"trials": 20, "max_epochs": 9},
        "weights": "none",
    }
    return SearchSpace.from_dict({**values, **changes})


SAMPLED = {"compare": {"arms": ["resnet18", "resnet34"], "allocation": "sampled"}}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_takes_numbers(sampler: str) -> None:
    assert space_of(sampler, NUMBERS).sampler == sampler


@pytest.mark.parametrize(
    ("refused", "parameters", "changes", "says"),
    [
        (["cmaes"], NUMBERS | CHOICE, {}, "cannot sample choices: crop_size"),
        (
            ["cmaes"],
            NUMBERS | {"crop_size": {"per_arm": {"resnet34": CHOICE["crop_size"]}}},
            {},
            "cannot sample choices: crop_size",
        ),
        (["cmaes"], {"lr_head": NUMBERS["lr_head"]}, {}, "at least 2 parameters, and resnet18"),
        (["cmaes"], NUMBERS, SAMPLED, "cannot sample the arm"),
        (["qmc", "gp", "cmaes", "cqr"], NUMBERS | PER_ARM, SAMPLED, "sampled arm: dropout"),
        ([], NUMBERS | PER_ARM, {}, ""),
    ],
    ids=["choice", "choice in one arm", "one number", "sampled arm", "condition", "per arm"],
)
def test_what_a_sampler_cannot_sample_is_refused(
    refused: list[str], parameters: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    for sampler in SAMPLERS:
        if sampler == "cmaes" and sampler not in refused:
            parameters = {k: v for k, v in parameters.items() if k not in CHOICE}
        if sampler not in refused:
            space_of(sampler, parameters, **changes)
            continue
        with pytest.raises(SpaceError) as error:
            space_of(sampler, parameters, **changes)
        (fault,) = error.value.faults
        assert fault.key == "sampler" and says in fault.rule and fault.value == sampler
        assert "sampler: tpe or random" in fault.remedy


def test_an_unknown_sampler_is_named_with_the_known_ones() -> None:
    with pytest.raises(SpaceError, match="cqr"):
        space_of("bohb", NUMBERS)


def test_a_random_sampler_draws_all_but_the_baselines() -> None:
    baseline = [{"lr_head": 1e-3, "unfreeze_depth": 1}]
    planned = plan(space_of("random", NUMBERS, cohorts={"random": 0.25, "baseline": baseline}))
    assert {(s.baseline, s.random, s.proposed) for s in planned.studies} == {(1, 9, 0)}
    assert dict(planned.rows())["trials"] == "20 (2 baseline, 18 random)"


def test_the_plan_names_the_sampler() -> None:
    assert "6 random, 14 cqr" in dict(plan(space_of("cqr", NUMBERS)).rows())["trials"]


def test_auto_fits_every_space() -> None:
    assert resolved_sampler(space_of("auto", NUMBERS | PER_ARM, **SAMPLED)) == "tpe"
    chosen = resolved_sampler(space_of("auto", NUMBERS | CHOICE))
    assert space_of(chosen, NUMBERS | CHOICE).sampler == chosen != "auto"


@pytest.mark.parametrize(
    ("each", "chosen"), [(2, "tpe"), (20, "tpe"), (21, "gp"), (60, "gp"), (61, "tpe"), (500, "tpe")]
)
def test_auto_depends_on_the_trials_of_a_study(each: int, chosen: str) -> None:
    space = space_of("auto", NUMBERS | CHOICE)
    studies = len(space.compare.arms) * space.compare.replicates
    values = space.as_dict()
    values["budget"]["trials"] = each * studies
    assert resolved_sampler(SearchSpace.from_dict(values)) == chosen


def test_a_search_from_before_there_was_a_choice_has_tpe() -> None:
    values = space_of("auto", NUMBERS).as_dict()
    del values["sampler"]
    assert recorded_space(values, where="manifest.json").sampler == "tpe"
