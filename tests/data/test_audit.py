import json
from pathlib import Path

import numpy as np
import pytest
from noise_pictures import noise, save

from fer_tune.data import PackedDataset, audit, cut, import_source
from fer_tune.data.audit import conflicting_mask, spanning_mask
from fer_tune.data.audit_text import as_text


def test_masks_on_hand_made_groups() -> None:
    groups = np.array([0, 0, 1, 2, 2, 2, 3, 3])
    side = np.array([1, 1, 1, 0, 1, 0, 0, 0], dtype=bool)
    assert spanning_mask(groups, side).tolist() == [False] * 3 + [True] * 3 + [False] * 2
    labels = np.array([4, 4, 0, 1, 1, 1, 2, 0])
    assert conflicting_mask(groups, labels).tolist() == [False] * 6 + [True] * 2


def test_every_finding_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    for n, name in enumerate(("happy", "happy", "sad")):
        save(root / "train" / name / f"{n}.png", noise(n))
    save(root / "train/happy/copy.png", noise(0))  # a copy within training
    save(root / "test/happy/leak.png", noise(1))  # test stands in training
    save(root / "test/happy/leak2.png", noise(1))
    save(root / "val/happy/conflict.png", noise(2))  # another label, another split
    save(root / "test/sad/seen.png", noise(9))
    save(root / "val/sad/seen.png", noise(9))  # test stands in validation
    for n in range(2):
        blank = np.full((10, 14, 1), 77, np.uint8)
        blank[0, 0] = 78
        save(root / f"train/sad/blank{n}.png", blank)
    save(root / "test/sad/large.png", noise(5, side=30))
    import_source(str(root), tmp_path / "out")
    found = audit(PackedDataset.open(tmp_path / "out"))

    assert found.pictures == 12 and found.channels == 1
    assert found.counts == {
        "train": {"happy": 3, "sad": 3},
        "validation": {"happy": 1, "sad": 1},
        "test": {"happy": 2, "sad": 2},
    }
    assert found.imbalance == 1.0
    assert (found.copy_groups, found.copy_pictures) == (5, 11)
    assert found.groups_across_splits == 3
    assert (found.test_in_training, found.test_in_validation) == (2, 1)
    assert (found.conflicting_groups, found.conflicting_pictures) == (1, 2)
    assert (found.blank_contents, found.blank_pictures) == (1, 2)
    assert (found.smallest, found.largest) == ((10, 14), (30, 30))
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()

    text = as_text(found, width=80)
    lines = {line.strip().rpartition("  ")[0].strip(): line.split() for line in text.splitlines()}
    assert lines["test pictures also in training"][-1] == "2"
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 80


@pytest.mark.sample
def test_the_public_sample(shared_data: Path, tmp_path: Path) -> None:
    report = import_source(str(shared_data / "facial-recognition-sample.zip"), tmp_path / "out")
    dataset = PackedDataset.open(tmp_path / "out")
    found = audit(dataset)
    assert report.skipped == () and report.left_out == {} and report.ignored == 0
    assert found.pictures == 5000
    assert found.classes == ("angry", "fear", "happy", "neutral", "sad", "surprise")
    assert found.copy_groups == 153
    assert found.groups_across_splits == 61
    assert found.test_in_training == 66
    assert found.conflicting_groups == 13
    # One content, all black, which stands there twelve times under five labels.
    assert (found.blank_contents, found.blank_pictures) == (1, 12)
    assert found.smallest == found.largest == (48, 48)

    assert (found.near_groups, found.near_across_splits) == (110, 46)
    assert (found.near_in_training, found.near_in_validation) == (41, 0)

    exact = cut(dataset, validation_share=0.15, seed=0, leaks="exact")
    assert exact.leaked[exact.test].sum() == 66
    split = cut(dataset, validation_share=0.15, seed=0)
    assert len(split.test) == 1000 and split.leaked[split.test].sum() == 66 + 41
    assert sum(split.dropped.values()) + len(split.train) + len(split.validation) == 4000


@pytest.mark.sample
def test_the_fer2013_sample(shared_data: Path, tmp_path: Path) -> None:
    path = str(shared_data / "fer2013-sample.csv")
    report = import_source(path, tmp_path / "a")
    assert (report.pictures, len(report.classes), report.skipped) == (350, 7, ())
    assert sum(report.counts["test"].values()) == 35 + 43
    report = import_source(path, tmp_path / "b", public_test="validation")
    assert [sum(report.counts[s].values()) for s in ("train", "validation", "test")] == [
        272, 43, 35,
    ]  # fmt: skip
    six = import_source(path, tmp_path / "c", classes=["angry", "fear", "happy", "sad", "surprise",
                                                      "neutral"])  # fmt: skip
    assert six.left_out == {"disgust": 57} and six.pictures == 293
