"""Probing drawn faces: what is read, what the bank keeps, and which cases a space has."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_tune.data import PackedDataset
from fer_tune.errors import DataError, UserError
from fer_tune.features.bank import FeatureBank
from fer_tune.probing import probe as module
from fer_tune.probing.cases import cases
from fer_tune.probing.probe import probe
from fer_tune.schema.probe import Probe
from fer_tune.space import SearchSpace
from fer_tune.training.context import TrialContext
from fer_tune.training.inputs import data_of
from fer_tune.training.trial import RunSeeds, TrialRun
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.settings import trial_context

SPACE: dict[str, Any] = {
    "name": "probed",
    "purpose": "Probed.",
    "compare": {"arms": ["resnet18", "resnet34"]},
    "parameters": {
        "unfreeze_depth": 0,
        "crop_size": {"type": "choice", "values": [48, 32]},
        "augment_policy": {"type": "choice", "values": ["plain", "moderate"]},
    },
    "budget": {"trials": 8, "max_epochs": 2},
    "scheduler": {"kind": "none"},
    "stopper": {"enabled": False},
    "resources": {"cpu": 1, "gpu": 0},
    "augment": {"views": 2},
    "precision": "float32",
    "weights": "none",
}


def space(**changes: Any) -> SearchSpace:
    return SearchSpace.from_dict({**SPACE, **changes})


@pytest.fixture(scope="module")
def context(faces: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> TrialContext:
    bank = tmp_path_factory.mktemp("probed") / "bank"
    return trial_context(space(), faces, SearchOptions(), bank)


@pytest.fixture(scope="module")
def probed(context: TrialContext) -> tuple[Probe, list[str]]:
    said: list[str] = []
    one = cases(space(), ["resnet18"], [32])
    return probe(space(), context, one, folds=3, say=said.append), said


def test_scores_strengths_and_times_are_recorded(
    probed: tuple[Probe, list[str]], context: TrialContext
) -> None:
    found, said = probed
    (row,) = found.rows
    assert (row.arm, row.crop_size, row.augment_policy, row.features) == (
        "resnet18", 32, "plain", 512,
    )  # fmt: skip
    assert len(row.strengths) == found.folds == 3 and row.from_bank is False
    assert row.scores.macro_f1.low <= row.scores.macro_f1.value <= row.scores.macro_f1.high
    assert found.pictures == len(data_of(context)[1].train) and found.metric == "macro_f1"
    assert found.seconds >= row.feature_seconds + row.fit_seconds
    assert said[0].startswith("resnet18, 32 px: features of ") and said[-1].endswith("fold 3 of 3")
    assert Probe.model_validate(found.model_dump()) == found


def test_a_second_probe_and_a_search_read_the_bank(
    probed: tuple[Probe, list[str]], context: TrialContext
) -> None:
    again = probe(
        space(), context, cases(space(), ["resnet18"], [32]), folds=3, say=lambda _: None
    ).rows[0]
    assert again.from_bank is True and again.scores == probed[0].rows[0].scores
    config = space().config("resnet18", {"crop_size": 32, "augment_policy": "plain"})
    seeds = RunSeeds(run=5, weights=context.weights_seed, views=context.view_seed)
    run = TrialRun(context, config, seeds)
    report = run.run_epoch()
    assert report is not None
    assert (report.bank_hits, report.bank_misses) == (1, 1)  # training view 0; validation is new


def test_only_training_pictures_are_read(
    context: TrialContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[int] = set()
    original = PackedDataset.picture

    def watched(self: PackedDataset, position: int) -> Any:
        read.add(int(position))
        return original(self, position)

    monkeypatch.setattr(PackedDataset, "picture", watched)
    fresh = replace(context, bank=str(tmp_path / "bank"))
    probe(space(), fresh, cases(space(), ["resnet18"], [32]), folds=3, say=lambda _: None)
    assert read == set(data_of(context)[1].train.tolist())


def test_features_are_those_of_a_trial_calibrated_on_training(
    context: TrialContext, probed: tuple[Probe, list[str]]
) -> None:
    (case,) = cases(space(), ["resnet18"], [32])
    found = module._features(context, case)
    seeds = RunSeeds(run=1, weights=context.weights_seed, views=context.view_seed)
    run = TrialRun(replace(context, bank=None), case.config, seeds)
    run.prepare()
    places = np.arange(len(run.split.train))
    fresh = run.features.train.streamed(0).rows(places).numpy()
    assert found.fitted == pytest.approx(fresh, abs=1e-5)
    evaluated = run.features.train.streamed(None).rows(places).numpy()
    assert found.scored == pytest.approx(evaluated, abs=1e-5)
    assert (found.scored != found.fitted).any()


def test_arms_with_the_same_features_are_fitted_once(
    context: TrialContext, probed: tuple[Probe, list[str]]
) -> None:
    compared = {"parameter": "optimizer", "arms": ["adamw", "sgd"]}
    fixed = {"backbone": "resnet18", "crop_size": 32,
             "lr_head": {"type": "float", "low": 1e-4, "high": 1e-2}}  # fmt: skip
    other, said = space(compare=compared, parameters=fixed), list[str]()
    found = probe(other, context, cases(other), folds=3, say=said.append)
    assert [row.arm for row in found.rows] == ["adamw", "sgd"] and len(said) == 1 + 3
    assert found.rows[0].scores == found.rows[1].scores == probed[0].rows[0].scores


def test_too_few_pictures_are_one_message(context: TrialContext) -> None:
    with pytest.raises(DataError, match="too few training pictures for 50 folds"):
        probe(space(), context, cases(space()), folds=50, say=lambda _: None)


def test_groups_join_near_copies_and_persons(
    context: TrialContext, faces: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, split = data_of(context)
    persons = np.arange(len(dataset)) // 2
    monkeypatch.setattr(dataset, "subjects", persons)
    monkeypatch.setattr(
        dataset, "recorded_related", np.where(np.arange(len(dataset)) == 2, 1, dataset.related)
    )
    groups = module._groups(context)
    of = dict(zip(split.train.tolist(), groups.tolist(), strict=True))
    for one, other in zip(split.train[:-1], split.train[1:], strict=True):
        if persons[one] == persons[other]:
            assert of[one] == of[other]
    linked = [of[p] for p in (0, 1, 2, 3) if p in of]
    assert len(linked) > 1 and len(set(linked)) == 1


# -- cases ----------------------------------------------------------------------------------------


def test_cases_are_arms_by_crop_with_the_heads_features() -> None:
    found = cases(space())
    assert [case.features for case in found] == [
        ("resnet18", 32, "plain"), ("resnet18", 48, "plain"),
        ("resnet34", 32, "plain"), ("resnet34", 48, "plain"),
    ]  # fmt: skip
    assert {case.config.unfreeze_depth for case in found} == {0}
    assert [case.features[1] for case in cases(space(), ["resnet34"] * 2, [64, 64])] == [64]


def test_compared_depths_and_crops_are_probed_at_the_head() -> None:
    free = {"lr_head": {"type": "float", "low": 1e-4, "high": 1e-2}}
    compared = {"parameter": "unfreeze_depth", "arms": {"shallow": 1, "deep": 3}}
    depths = space(compare=compared, parameters={**free, "backbone": "resnet18"})
    assert {case.config.unfreeze_depth for case in cases(depths)} == {0}
    compared = {"parameter": "crop_size", "arms": {"small": 32, "large": 64}}
    crops = space(compare=compared, parameters={**free, "backbone": "resnet18"})
    assert [(case.arm, case.config.crop_size) for case in cases(crops)] == [
        ("small", 32), ("large", 64),
    ]  # fmt: skip
    with pytest.raises(UserError, match="Choose among them with --arm"):
        cases(crops, (), [48])


def test_an_unknown_arm_is_one_message() -> None:
    with pytest.raises(UserError, match=re.escape("Its arms are resnet18, resnet34")):
        cases(space(), ["vgg"])


def test_a_bank_without_room_changes_times_alone(
    context: TrialContext, probed: tuple[Probe, list[str]], tmp_path: Path
) -> None:
    full = replace(context, bank=str(tmp_path / "bank"), bank_bytes=10_000)
    one = cases(space(), ["resnet18"], [32])
    row = probe(space(), full, one, folds=3, say=lambda _: None).rows[0]
    assert row.from_bank is None
    assert row.scores.loss.value == pytest.approx(probed[0].rows[0].scores.loss.value, abs=0.05)
    assert FeatureBank(tmp_path / "bank").max_bytes
