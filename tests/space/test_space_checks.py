"""Every rule between keys, each broken alone, and several at once."""

from __future__ import annotations

import pytest

from fer_tune.space import SearchSpace


def _put(values, key, value):
    *path, last = key.split(".")
    for step in path:
        values = values.setdefault(step, {})
    values[last] = value


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        ({"budget.trials": 7}, "budget.trials", "6 or 8"),
        ({"budget.trials": 1}, "budget.trials", "numbers: 2"),
        ({"compare.replicates": 3}, "budget.trials", "6 or 12"),
        ({"compare.replicates": 0}, "compare.replicates", "at least 1"),
        ({"compare.arms": []}, "compare.arms", "at least 1 arm"),
        ({"compare.arms": ["resnet18", "resnet18"]}, "compare.arms", "twice"),
        ({"compare.arms": {"majority": "resnet18"}}, "compare.arms", "floor"),
        ({"compare.arms": {"a/b": "resnet18"}}, "compare.arms", "letters"),
        ({"compare.parameter": "backbon"}, "compare.parameter", "'backbone'"),
        ({"compare.allocation": "sampled", "compare.replicates": 2}, "compare.replicates", "equal"),
        ({"parameters.backbone": "resnet18"}, "parameters.backbone", "compared parameter"),
        ({"parameters.lr_heat": 1e-3}, "parameters.lr_heat", "'lr_head'"),
        ({"parameters.crop_size": 31}, "parameters.crop_size", "from 32 to 512"),
        ({"parameters.crop_size": 513}, "parameters.crop_size", "default is 48"),
        ({"parameters.crop_size": True}, "parameters.crop_size", "single text or number"),
        ({"parameters.crop_size": float("nan")}, "parameters.crop_size", "finite"),
        ({"parameters.batch_size": [32, 64]}, "parameters.batch_size", "type: choice"),
        ({"parameters.optimizer": "adam"}, "parameters.optimizer", "'adamw'"),
        ({"parameters.unfreeze_depth.high": 6}, "parameters.unfreeze_depth.high", "from 0 to 5"),
        ({"parameters.unfreeze_depth.type": "flaot"}, "parameters.unfreeze_depth.type", "'float'"),
        ({"parameters.unfreeze_depth.type": "float"}, "parameters.unfreeze_depth.type", "choice"),
        ({"parameters.lr_head.low": 1}, "parameters.lr_head", "below high"),
        ({"parameters.lr_head.hihg": 1}, "parameters.lr_head.hihg", "'high'"),
        ({"parameters.warmup_epochs": 10}, "parameters.warmup_epochs", "budget.max_epochs (10)"),
        ({"scheduler.grace_epochs": 10}, "scheduler.grace_epochs", "budget.max_epochs (10)"),
        ({"scheduler.reduction_factor": 1}, "scheduler.reduction_factor", "at least 2"),
        ({"stopper.patience": 10}, "stopper.patience", "budget.max_epochs (10)"),
        ({"stopper.window": 4}, "stopper.window", "odd"),
        ({"resources.gpu": 0.3}, "resources.gpu", "1/8"),
        ({"resources.cpu": 0}, "resources.cpu", "above 0"),
        ({"confirm.seeds": 1}, "confirm.seeds", "at least 2"),
        ({"augment.views": 0}, "augment.views", "fresh"),
        ({"augment.resize_ratio": 0.9}, "augment.resize_ratio", "at least 1"),
        ({"budget.wall_time": "0m"}, "budget.wall_time", "above 0"),
        ({"budget.wall_time": "soon"}, "budget.wall_time", "45m"),
        ({"weights": "imagenet"}, "weights", "imagenet-v1"),
        ({"weights": None}, "weights", "none"),
        ({"seeds.search": -1}, "seeds.search", "at least 0"),
        ({"stop_when": "later"}, "stop_when", "no_gain"),
        (
            {"stop_when": "no_gain", "compare.allocation": "sampled"},
            "compare.allocation",
            "every arm",
        ),
        ({"stop_when": "no_gain", "confirm.seeds": 0}, "confirm.seeds", "noise"),
        ({"stop_when": "no_gain", "budget.max_epochs": 3}, "budget.max_epochs", "at least 4"),
        ({"stop_when": "no_gain", "budget.trials": 24}, "budget.trials", "at least 26"),
        ({"metric": "macro-f1"}, "metric", "macro_f1"),
        ({"data": None}, "data", "Known keys: validation_share"),
        ({"budgett": {}}, "budgett", "'budget'"),
        ({"stopper.enabled": "yes"}, "stopper.enabled", "true or false"),
        ({"cohorts.random": 1.1}, "cohorts.random", "at most 1"),
        ({"name": "../up"}, "name", "letters"),
        ({"purpose": " "}, "purpose", "not empty"),
    ],
)
def test_each_rule_alone_is_told_with_its_key_and_remedy(valid, faults, change, key, says):
    for dotted, value in change.items():
        _put(valid, dotted, value)
    found = faults(valid)
    assert key in found
    assert says in str(found[key])
    assert found[key].remedy


def test_one_broken_rule_is_one_fault(valid, faults):
    valid["budget"]["trials"] = 7
    assert list(faults(valid)) == ["budget.trials"]


def test_unknown_arms_are_named_with_the_nearest(valid, faults):
    valid["parameters"]["dropout"]["per_arm"] = {"densenet16": 0.1}
    valid["cohorts"] = {"baseline": [{"arm": "resnet125"}]}
    found = faults(valid)
    assert "'densenet161'" in found["parameters.dropout.per_arm.densenet16"].remedy
    assert "'resnet152'" in found["cohorts.baseline[0].arm"].remedy


def test_baselines_are_checked_like_parameters(valid, faults):
    valid["cohorts"] = {"baseline": [{"backbone": "resnet18", "momentum": 1}, {"dropuot": 0.1}]}
    found = faults(valid)
    assert "compared parameter" in found["cohorts.baseline[0].backbone"].rule
    assert "below 1" in found["cohorts.baseline[0].momentum"].rule
    assert "'dropout'" in found["cohorts.baseline[1].dropuot"].remedy
    valid["cohorts"] = {"baseline": [{"dropout": [1]}]}
    assert "single text or number" in faults(valid)["cohorts.baseline[0].dropout"].rule


def test_per_arm_stands_alone_and_is_not_nested(valid, faults):
    valid["parameters"]["lr_head"]["per_arm"] = {"resnet152": 1}
    assert set(faults(valid)) == {f"parameters.lr_head.{k}" for k in ("type", "low", "high", "log")}
    valid["parameters"]["lr_head"] = {"per_arm": {"resnet152": {"per_arm": {"resnet152": 1}}}}
    assert "another per_arm" in faults(valid)["parameters.lr_head.per_arm.resnet152"].rule
    valid["parameters"]["lr_head"] = {"per_arm": {}}
    assert "at least 1 arm" in faults(valid)["parameters.lr_head.per_arm"].rule


def test_baselines_must_fit_into_a_study(valid, faults):
    valid["cohorts"] = {"baseline": [{"unfreeze_depth": d} for d in range(5)]}
    fault = faults(valid)["cohorts.baseline"]
    assert "4 trials, but needs 5" in fault.rule and "at least 10" in fault.remedy
    valid["cohorts"]["baseline"][0]["arm"] = "resnet152"
    assert "but needs 5" in faults(valid)["cohorts.baseline"].rule
    valid["cohorts"]["baseline"][1]["arm"] = "densenet161"
    SearchSpace.from_dict(valid)


def test_a_study_of_all_arms_needs_room_for_the_baselines_of_all(valid, faults):
    valid["compare"]["allocation"] = "sampled"
    valid["cohorts"] = {"baseline": [{"unfreeze_depth": d} for d in range(5)]}
    assert "8 trials, but needs 10" in faults(valid)["cohorts.baseline"].rule
    del valid["cohorts"]["baseline"][0]
    SearchSpace.from_dict(valid)


def test_trials_that_would_repeat_one_configuration_are_refused(valid, faults):
    valid["parameters"] = {}
    assert "set budget.trials to 2" in faults(valid)["parameters"].remedy
    valid["budget"]["trials"] = 2
    SearchSpace.from_dict(valid)


def test_the_backbone_is_set_and_fixed_within_an_arm(valid, faults):
    del valid["parameters"]["unfreeze_depth"]
    valid["compare"] = {"parameter": "unfreeze_depth", "arms": {"head": 0, "all": 4}}
    valid["parameters"]["dropout"] = 0.0
    assert "missing" in faults(valid)["parameters.backbone"].rule
    valid["parameters"]["backbone"] = {"type": "choice", "values": ["resnet18", "resnet34"]}
    assert "fixed within an arm" in faults(valid)["parameters.backbone"].rule
    valid["parameters"]["backbone"] = {"per_arm": {"head": "resnet18"}}
    assert "missing: all" in faults(valid)["parameters.backbone"].rule
    valid["parameters"]["backbone"] = "resnet20"
    assert "must be one of densenet121" in faults(valid)["parameters.backbone"].rule


def test_checks_switched_off_do_not_bite(valid):
    valid["budget"]["max_epochs"] = 1
    valid["scheduler"] = {"kind": "none", "grace_epochs": 5}
    valid["stopper"] = {"enabled": False, "patience": 5}
    SearchSpace.from_dict(valid)


def test_single_and_cross_field_faults_are_told_together(valid, faults):
    valid["budget"] = {"trials": 7, "max_epochs": 3, "wall_time": "soon"}
    valid["scheduler"] = {"kind": "asha", "grace_epochs": 5, "reduction_factor": 1}
    valid["parameters"]["crop_sise"] = 48
    assert set(faults(valid)) == {
        "budget.trials",
        "budget.wall_time",
        "scheduler.grace_epochs",
        "scheduler.reduction_factor",
        "stopper.patience",
        "parameters.crop_sise",
    }


def test_everything_required_is_asked_for_at_once(faults):
    assert set(faults({})) == {
        "name",
        "purpose",
        "compare.arms",
        "budget.trials",
        "budget.max_epochs",
    }
