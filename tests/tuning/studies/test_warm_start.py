"""Trials of earlier searches: which are used, what is required, and that a resume has them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.schema.manifest import WarmStart
from fer_tune.space import SearchSpace
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.tuning.log.events import BUDGET_VERSION, EventLog, History
from fer_tune.tuning.log.manifest import identity
from fer_tune.tuning.studies.searcher import StudySearcher
from fer_tune.tuning.studies.warm_start import earlier_trials, warm_start_entry
from tests.tuning.conftest import make_space

FINGERPRINT = "abc123"


def record(folder: Path, space: SearchSpace, rows: list[dict[str, Any]], **changes: Any) -> Path:
    """A results folder with these trials, numbered in order."""
    folder.mkdir()
    results = Results(folder)
    results.write_manifest(
        {
            "state": "finished",
            "space": space.as_dict(),
            "dataset": {"fingerprint": FINGERPRINT},
            "training_version": TRAINING_VERSION,
            "audit_version": AUDIT_VERSION,
            **changes,
        }
    )
    for number, row in enumerate(rows):
        arm = row["arm"]
        sampled = {"unfreeze_depth": 1, "crop_size": 48, "lr_head": row.pop("lr_head", 1e-3)}
        common = {"trial": number, "replicate": 0, "cohort": "random", "epochs": 9}
        config = space.config(arm, sampled).as_dict()
        results.append("trials", [{**common, **config, **row}], part=f"trial-{number:06d}")
    return folder


def row(arm: str, value: float, state: str = "complete", **changes: Any) -> dict[str, Any]:
    return {"arm": arm, "state": state, "best_val_macro_f1": value, **changes}


def two_arms(*values: float) -> list[dict[str, Any]]:
    return [row(arm, value) for value in values for arm in ("densenet161", "resnet152")]


def test_ended_trials_within_the_domains_are_used_as_many_of_each_arm(tmp_path: Path) -> None:
    space = make_space()
    rows = [
        row("densenet161", 0.5),
        row("densenet161", 0.4, "pruned", epochs=3),
        row("densenet161", 0.6, lr_head=0.5),  # outside
        row("densenet161", 0.9, cohort="confirm"),
        row("densenet161", 0.7, "overfit"),
        row("resnet152", 0.3),
        row("resnet152", 0.2, "failed"),
        row("resnet152", 0.1, "diverged", epochs=1),
    ]
    found = earlier_trials(space, FINGERPRINT, [record(tmp_path / "r", space, rows)])
    assert [(t.arm, t.value, t.is_complete, t.epochs) for t in found] == [
        ("densenet161", 0.5, True, 9),
        ("resnet152", 0.3, True, 9),
        ("densenet161", 0.4, False, 3),
        ("resnet152", 0.1, False, 1),
    ]


def test_several_searches_add_up(tmp_path: Path) -> None:
    space = make_space()
    folders = [record(tmp_path / name, space, two_arms(0.5)) for name in ("a", "b")]
    assert len(earlier_trials(space, FINGERPRINT, folders)) == 4
    assert earlier_trials(space, FINGERPRINT, []) == []


def test_a_folder_given_twice_is_refused(tmp_path: Path) -> None:
    folder = record(tmp_path / "a", make_space(), two_arms(0.5))
    with pytest.raises(ResultsError, match="the same results folder was given twice"):
        earlier_trials(make_space(), FINGERPRINT, [folder, tmp_path / "a" / ".." / "a"])


def test_files_of_weights_are_compared_by_their_content(tmp_path: Path) -> None:
    content, other = b"weights", b"others"
    for place in ("then", "now"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "w.pth").write_bytes(content)
    arms, known = ("densenet161", "resnet152"), sha256(content).hexdigest()
    sums = {arm: {"weights_sha256": known} for arm in arms}
    before, now = (make_space(weights=str(tmp_path / p / "w.pth")) for p in ("then", "now"))
    folder = record(tmp_path / "r", before, two_arms(0.5), arms=sums)
    assert len(earlier_trials(now, FINGERPRINT, [folder])) == 2, "the file has moved"
    (tmp_path / "changed.pth").write_bytes(other)
    changed = make_space(weights=str(tmp_path / "changed.pth"))
    with pytest.raises(ResultsError, match=f"not {sha256(other).hexdigest()[:12]}"):
        earlier_trials(changed, FINGERPRINT, [folder])
    folder = record(tmp_path / "unknown", before, two_arms(0.5))
    with pytest.raises(ResultsError, match="weights was"):
        earlier_trials(now, FINGERPRINT, [folder])


def test_the_manifest_names_what_the_samplers_learn_from(tmp_path: Path) -> None:
    folder = record(tmp_path / "a", make_space(), two_arms(0.5, 0.6))
    found = warm_start_entry(earlier_trials(make_space(), FINGERPRINT, [folder]), [folder])
    counts = {"densenet161": 2, "resnet152": 2}
    assert found == {"warm_start": {"folders": [str(folder)], "trials_per_arm": counts}}
    assert WarmStart.model_validate(found["warm_start"]) and warm_start_entry([], []) == {}


@pytest.mark.parametrize(
    ("ours", "manifest", "says"),
    [
        ({}, {"dataset": {"fingerprint": "other"}}, "its dataset is"),
        ({}, {"training_version": 1}, "training_version was 1"),
        ({}, {"audit_version": 1}, "audit_version was 1"),
        ({"metric": "accuracy"}, {}, "metric was"),
        ({"weights": "imagenet-v1"}, {}, "weights was"),
        ({"budget": {"trials": 12, "max_epochs": 12}}, {}, "budget.max_epochs was 9, not 12"),
        ({"data": {"validation_share": 0.3}}, {}, "data was"),
        ({"seeds": {"split": 5}}, {}, "seeds.split was 0, not 5"),
        ({"augment": {"views": 2}}, {}, "augment was"),
        (
            {"compare": {"arms": {"densenet161": "resnet18", "resnet152": "resnet152"}}},
            {},
            "its arm densenet161 is densenet161, not resnet18",
        ),
        (
            {"compare": {"arms": ["resnet18", "resnet34"]}},
            {},
            "no trial of resnet18 and resnet34 fits",
        ),
        (
            {"parameters": {"lr_head": {"type": "float", "low": 1e-6, "high": 1e-5}}},
            {},
            "no trial of densenet161 and resnet152 fits",
        ),
    ],
)
def test_other_data_or_settings_are_refused(
    ours: dict[str, Any], manifest: dict[str, Any], says: str, tmp_path: Path
) -> None:
    folder = record(tmp_path / "r", make_space(), two_arms(0.5, 0.6), **manifest)
    with pytest.raises(ResultsError) as error:
        earlier_trials(make_space(**ours), FINGERPRINT, [folder])
    assert says in str(error.value) and "--warm-start" in str(error.value)
    assert str(folder) in str(error.value) and "omit --warm-start" in str(error.value)


@pytest.mark.parametrize("allocation", ["equal", "sampled"])
def test_studies_learn_from_them_and_a_resume_does_too(allocation: str, tmp_path: Path) -> None:
    arms = {"arms": ["densenet161", "resnet152"], "allocation": allocation}
    space = make_space(compare=arms, cohorts={"random": 0.0}, sampler="tpe")
    rows = [r for v in (0.2, 0.5, 0.4) for r in two_arms(v)]
    rows.append(row("resnet152", 0.3, "pruned", epochs=3))
    rows.append(row("densenet161", 0.3, "pruned", epochs=3))
    earlier = earlier_trials(space, FINGERPRINT, [record(tmp_path / "r", space, rows)])
    manifest = {
        "training_version": TRAINING_VERSION,
        "audit_version": AUDIT_VERSION,
        "budget_version": BUDGET_VERSION,
        "dataset": {"fingerprint": FINGERPRINT},
        "space": space.as_dict(),
    }

    def begun(name: str, *trials: Any) -> StudySearcher:
        (tmp_path / name).mkdir()
        log = EventLog.begin(tmp_path / name, identity(manifest, *trials))
        return StudySearcher(space, log, history=History.read(tmp_path / name))

    warm, cold = begun("warm", earlier), begun("cold")
    trials = warm.studies[0].study.trials
    each = 4 if allocation == "equal" else 8
    assert len(trials) == each and not cold.studies[0].study.trials
    states = [t.state for t in trials]
    assert states.count(TrialState.COMPLETE) == each * 3 // 4
    assert warm.studies[0].study.best_value == 0.5 and warm.studies[0].ended() == []
    history = History.read(tmp_path / "warm")
    first = warm.suggest("a")
    assert first != cold.suggest("a"), "the sampler has learnt"
    again = StudySearcher(space, EventLog(tmp_path / "cold"), history=history)
    assert again.suggest("a") == first
    assert len(again.studies[0].study.trials) == each + 1
