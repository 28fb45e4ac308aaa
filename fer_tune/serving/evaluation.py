"""A model on the labelled pictures of a packed dataset: which pictures, and its probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.data import PackedDataset, cut
from fer_tune.data.audit import conflicting_mask, spanning_mask
from fer_tune.data.dataset import DatasetIndex
from fer_tune.data.pixels import Pixels
from fer_tune.data.splits import related_of
from fer_tune.errors import DataError, ModelError, UserError
from fer_tune.models.card import Card
from fer_tune.serving.test_time import TestTime, check_room, crops

SplitName = Literal["test", "validation", "train"]


class Scorer(Protocol):
    """The interface of a model here: a ``Predictor`` or an ``OnnxModel``."""

    card: Card
    classes: tuple[str, ...]
    batch_size: int

    @property
    def device(self) -> str: ...

    def probabilities(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]: ...

    def probabilities_of(self, inputs: Tensor) -> NDArray[np.float32]: ...


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Pictures of one split with their labels.

    Attributes:
        split: its name.
        positions: rows of the dataset, ascending (n,).
        labels: class numbers in the dataset's order (n,).
        clean: without a copy or near copy in another split, nor one of another label (n,).
    """

    split: SplitName
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]
    clean: NDArray[np.bool_]


def is_same_dataset(card: Card, dataset: DatasetIndex) -> bool:
    """Whether the model's search used this very dataset."""
    return card.dataset.fingerprint == dataset.fingerprint


def labelled(dataset: DatasetIndex, split: SplitName, card: Card | None = None) -> Labelled:
    """The pictures of a split: test as in every search, the others as in that of ``card``.

    Args:
        card: of a model; without one, validation and train are the dataset's own folders.

    Raises:
        DataError: the split has no pictures.
        UserError: validation or train of a model that was trained on another dataset.
    """
    test = dataset.splits == "test"
    unclean = spanning_mask(_related(card, dataset), test)
    unclean |= conflicting_mask(dataset.groups, dataset.labels)
    if split == "test" or card is None:
        positions = np.flatnonzero(dataset.splits == split)
    else:
        positions = _cut_by(card, dataset, split)
    if not positions.size:
        raise DataError(
            f"the dataset has no {split} pictures",
            where=str(dataset.root),
            remedy=f"Put pictures into a {split} folder and import again, or use another --split",
        )
    return Labelled(
        split=split,
        positions=positions,
        labels=dataset.labels[positions],
        clean=~unclean[positions],
    )


def _related(card: Card | None, dataset: DatasetIndex) -> NDArray[np.int64]:
    """What counts as a copy: as in the model's search on this dataset, else near copies, too."""
    if card is None or not is_same_dataset(card, dataset):
        return related_of(dataset, "drop")
    rules = card.dataset.splits
    return related_of(dataset, rules.leaks, rules.audit_version)


def _cut_by(card: Card, dataset: DatasetIndex, split: SplitName) -> NDArray[np.int64]:
    if not is_same_dataset(card, dataset):
        raise UserError(
            f"is not the dataset of the model's search, so it does not have the {split} split of "
            f"that search: its fingerprint should begin with {card.dataset.fingerprint[:12]}",
            where=f"--data {dataset.root}",
            value=dataset.fingerprint[:12],
            remedy="Use the dataset of the search; on another one a model can be evaluated with "
            "--split test",
        )
    rules = card.dataset.splits
    found = cut(
        dataset,
        validation_share=rules.validation_share,
        seed=rules.split_seed,
        leaks=rules.leaks,
        conflicts=rules.conflicts,
        related=_related(card, dataset),
    )
    return found.train if split == "train" else found.validation


def class_places(classes: Sequence[str], dataset: DatasetIndex, where: str) -> list[int]:
    """Where each class of the dataset is among the model's ``classes``.

    Raises:
        ModelError: the two have different classes.
    """
    lacking = [name for name in dataset.classes if name not in classes]
    foreign = [name for name in classes if name not in dataset.classes]
    if lacking or foreign:
        parts = [
            f"{words} {', '.join(names)}"
            for words, names in (("lacks", lacking), ("also has", foreign))
            if names
        ]
        raise ModelError(
            f"does not have the classes of the dataset: it {' and '.join(parts)}",
            where=where,
            remedy="If the dataset has more classes than the model, import it again with "
            f"--classes {','.join(classes)}",
        )
    return [list(classes).index(name) for name in dataset.classes]


def probabilities_on(
    model: Scorer,
    dataset: PackedDataset,
    positions: NDArray[np.int64],
    *,
    places: Sequence[int],
    tta: TestTime = "none",
    advance: Callable[[int], object] = lambda done: None,
) -> NDArray[np.float64]:
    """Calibrated probabilities (n, classes) in the dataset's order of classes.

    Args:
        places: of :func:`class_places`.
        tta: the mean of the probabilities over these crops.
        advance: called with the number of pictures of every batch.

    Raises:
        UserError: no room for ten crops.
    """
    check_room(tta, model.card.preprocessing)
    done = []
    for start in range(0, len(positions), model.batch_size):
        part = positions[start : start + model.batch_size]
        pixels = [dataset.picture(int(position)) for position in part]
        done.append(_averaged(model, pixels, tta)[:, list(places)])
        advance(len(part))
    return np.concatenate(done)


def _averaged(model: Scorer, pixels: Sequence[Pixels], tta: TestTime) -> NDArray[np.float64]:
    if tta == "none":
        return model.probabilities(pixels).astype(np.float64)
    views = crops(tta, pixels, model.card.preprocessing, device=model.device)
    mean: NDArray[np.float64] = np.stack(
        [model.probabilities_of(view).astype(np.float64) for view in views]
    ).mean(axis=0)
    return mean
