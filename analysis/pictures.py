"""Scores recomputed from the answers on single test pictures: arms and floors, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.estimators.estimate import Estimate
from analysis.estimators.images import macro_f1_interval
from analysis.loading import Search
from fer_tune.errors import ResultsError
from fer_tune.scores import accuracy, confusion, macro_f1

#: The two floors, in the order of the tables.
FLOORS = {"majority": "majority class", "logistic_regression": "logistic regression on pixels"}

#: Of the picture bootstrap. One seed for all: arms and floors are resampled alike.
_SEED = 1979


@dataclass(frozen=True, kw_only=True)
class PictureScores:
    """What the answers of one arm (several runs) or one floor (one run) amount to.

    Attributes:
        macro_f1: mean over runs, with bootstrap interval over the test pictures.
        accuracy: mean over runs, in [0, 1].
        clean_macro_f1, clean_accuracy: the same without leaked and conflicting pictures; None
            when no picture is clean.
        runs: macro-F1 per run, by trial number.
        positions: rows of the packed dataset that every run answered, sorted (n,).
        complete: whether all runs answered the same pictures.
    """

    macro_f1: Estimate
    accuracy: float
    clean_macro_f1: float | None
    clean_accuracy: float | None
    runs: Mapping[int, float]
    positions: NDArray[np.int64]
    complete: bool


def score_pictures(search: Search) -> dict[str, PictureScores]:
    """Scores by arm, and by floor name; arms and floors without predictions are absent.

    Raises:
        ResultsError: the predictions cannot come from the one search of the manifest.
    """
    groups = [
        *((arm, search.predictions[search.predictions["arm"] == arm]) for arm in search.arms),
        *((name, search.floors[search.floors["arm"] == name]) for name in FLOORS),
    ]
    return {name: _score(frame, search) for name, frame in groups if len(frame)}


def _score(frame: pd.DataFrame, search: Search) -> PictureScores:
    coded = pd.DataFrame(
        {
            "trial": frame["trial"],
            "position": frame["position"],
            "true": _codes(frame["true_class"], search),
            "predicted": _codes(frame["predicted_class"], search),
            "clean": ~(frame["leaked"].fillna(False) | frame["conflicting"].fillna(False)),
        }
    )
    wide = coded.pivot(index="trial", columns="position", values="predicted")
    shared = wide.dropna(axis="columns")
    if not shared.shape[1]:
        raise ResultsError(
            "two runs of one arm answered no test picture in common",
            where=str(search.root / "predictions.parquet"),
            remedy="The folder mixes two searches; report on the one that wrote manifest.json",
        )
    first = coded.drop_duplicates("position").set_index("position").loc[shared.columns]
    true, clean = first["true"].to_numpy(np.int64), first["clean"].to_numpy(bool)
    predicted = shared.to_numpy(np.int64)
    classes = len(search.classes)
    every = np.stack([confusion(true, row, classes) for row in predicted])
    unspoilt = np.stack([confusion(true[clean], row[clean], classes) for row in predicted])
    return PictureScores(
        macro_f1=macro_f1_interval(true, predicted, classes, np.random.default_rng(_SEED)),
        accuracy=float(accuracy(every).mean()),
        clean_macro_f1=float(macro_f1(unspoilt).mean()) if clean.any() else None,
        clean_accuracy=float(accuracy(unspoilt).mean()) if clean.any() else None,
        runs=dict(zip((int(t) for t in shared.index), macro_f1(every).tolist(), strict=True)),
        positions=shared.columns.to_numpy(np.int64),
        complete=shared.shape == wide.shape,
    )


def _codes(names: pd.Series[str], search: Search) -> NDArray[np.int64]:
    found = pd.Index(search.classes).get_indexer(pd.Index(names))
    codes: NDArray[np.int64] = np.asarray(found, dtype=np.int64)
    if (codes < 0).any():
        raise ResultsError(
            "predictions name a class that the manifest does not list",
            where=str(search.root / "predictions.parquet"),
            value=names.iloc[int(np.argmax(codes < 0))],
            remedy="The folder mixes two searches; report on the one that wrote manifest.json",
        )
    return codes
