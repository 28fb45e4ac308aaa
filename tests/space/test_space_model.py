"""What a valid space resolves to."""

from __future__ import annotations

import json

import pytest

from fer_tune.space import FloatDomain, IntDomain, SearchSpace, TrialConfig


def test_sampled_and_fixed_parameters_of_each_arm(valid):
    space = SearchSpace.from_dict(valid)
    assert space.domains("densenet161") == {
        "unfreeze_depth": IntDomain(low=0, high=3),
        "lr_head": FloatDomain(low=1e-4, high=1e-2, log=True),
        "dropout": FloatDomain(low=0, high=0.5),
    }
    assert list(space.domains("resnet152")) == ["unfreeze_depth", "lr_head"]
    assert space.fixed("resnet152") == {"backbone": "resnet152", "batch_size": 32}
    assert space.conditional == {"dropout"}


def test_an_arm_that_per_arm_leaves_out_takes_the_default(valid):
    valid["parameters"]["dropout"] = {"per_arm": {"densenet161": 0.3}}
    space = SearchSpace.from_dict(valid)
    assert space.config("densenet161", {}).dropout == 0.3
    assert space.config("resnet152", {}).dropout == TrialConfig(backbone="x").dropout


def test_config_casts_to_the_declared_types(valid):
    valid["parameters"]["warmup_epochs"] = {"type": "int", "low": 0, "high": 2}
    config = SearchSpace.from_dict(valid).config("resnet152", {"warmup_epochs": 1, "lr_head": 1})
    assert config == TrialConfig(
        backbone="resnet152", batch_size=32, warmup_epochs=1.0, lr_head=1.0
    )
    assert isinstance(config.warmup_epochs, float) and isinstance(config.lr_head, float)


def test_baselines_fit_their_arm_and_tell_whether_the_sampler_could_draw_them(valid):
    valid["cohorts"] = {
        "baseline": [
            {"unfreeze_depth": 1, "lr_head": 1e-3},
            {"arm": "resnet152", "unfreeze_depth": 5},
            {"batch_size": 64},
        ]
    }
    space = SearchSpace.from_dict(valid)
    assert [c.unfreeze_depth for c in space.baselines("densenet161")] == [1, 1]
    inside, outside, other = space.baselines("resnet152")
    assert inside.batch_size == 32 and other.batch_size == 64
    assert space.covers("resnet152", inside)
    assert not space.covers("resnet152", outside)
    assert not space.covers("resnet152", other)


def test_resolved_form_is_json_and_inverts(valid):
    valid["budget"]["wall_time"] = "1h30m"
    valid["resources"] = {"gpu": "1/4"}
    valid["augment"] = {"views": "fresh"}
    valid["cohorts"] = {"baseline": [{"arm": "resnet152", "unfreeze_depth": 2}]}
    space = SearchSpace.from_dict(valid)
    resolved = json.loads(json.dumps(space.as_dict()))
    assert resolved["budget"]["wall_time"] == 5400
    assert resolved["resources"]["gpu"] == 0.25
    assert resolved["compare"]["arms"] == {"densenet161": "densenet161", "resnet152": "resnet152"}
    assert SearchSpace.from_dict(resolved) == space


def test_arms_may_be_named_and_another_parameter_compared(valid):
    del valid["parameters"]["unfreeze_depth"]
    valid["compare"] = {"parameter": "unfreeze_depth", "arms": {"head": 0, "all": 4}}
    valid["parameters"] |= {"backbone": "resnet18", "dropout": 0.1}
    space = SearchSpace.from_dict(valid)
    assert space.config("all", {}).unfreeze_depth == 4
    assert space.config("head", {}).backbone == "resnet18"


def test_numeric_arms_in_a_list_are_named_by_their_value(valid):
    del valid["parameters"]["unfreeze_depth"]
    valid["compare"] = {"parameter": "unfreeze_depth", "arms": [0, 4]}
    valid["parameters"] |= {"backbone": "resnet18", "dropout": {"per_arm": {"4": 0.2}}}
    assert SearchSpace.from_dict(valid).config("4", {}).dropout == 0.2


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("45m", 2700.0), ("2h", 7200.0), ("90s", 90.0), (600, 600.0), (0.5, 0.5), (None, None)],
)
def test_wall_time(valid, written, seconds):
    valid["budget"]["wall_time"] = written
    assert SearchSpace.from_dict(valid).budget.wall_time == seconds


def test_spaces_cannot_be_changed(valid):
    space = SearchSpace.from_dict(valid)
    with pytest.raises(ValueError, match="frozen"):
        space.metric = "loss"  # type: ignore[misc]
