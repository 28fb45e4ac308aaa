"""Predictions of arms and floors on single test pictures as arrays, and scores of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.estimators.estimate import Estimate, Floats
from analysis.estimators.pictures.images import macro_f1_interval, resampled_macro_f1
from analysis.inputs.search import Search
from fer_tune.errors import ResultsError
from fer_tune.scores import accuracy, confusion, macro_f1

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: The two floors, in the order of the tables.
FLOORS = {"majority": "majority class", "logistic_regression": "logistic regression on pixels"}

#: Of the picture bootstrap. One seed for all: arms and floors are resampled alike.
_SEED = 1979
#: Tolerance of the sum of a picture's probabilities, which are stored in single precision.
_SLACK = 1e-3


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers of r runs of one arm (or the one run of a floor) on the n pictures that all answered.

    Attributes:
        trials: number of each run, ascending (r,).
        units: replicate of each run where the study is the unit, else its seed (r,).
        positions: rows of the packed dataset, ascending (n,).
        pictures: content hashes (n,); copies share one.
        true: class numbers (n,), in the manifest's order.
        predicted: class numbers (r, n).
        probabilities: (r, n, C), each row summing to 1.
        leaked, conflicting, blank: the audit's flags (n,).
        complete: whether all runs answered the same pictures.
    """

    trials: Ints
    units: Ints
    positions: Ints
    pictures: NDArray[np.object_]
    true: Ints
    predicted: Ints
    probabilities: Floats
    leaked: Bools
    conflicting: Bools
    blank: Bools
    complete: bool

    @property
    def runs(self) -> int:
        return int(self.trials.size)

    @property
    def classes(self) -> int:
        return int(self.probabilities.shape[2])

    @property
    def clean(self) -> Bools:
        """Neither leaked nor conflicting (n,)."""
        return ~(self.leaked | self.conflicting)

    @property
    def confusions(self) -> Ints:
        """Confusion counts per run (r, C, C), rows true, columns predicted."""
        return np.stack([confusion(self.true, row, self.classes) for row in self.predicted])

    def subset(self, mask: Bools) -> Answers:
        """The same runs on the pictures where ``mask`` (n,)."""
        return replace(
            self,
            positions=self.positions[mask],
            pictures=self.pictures[mask],
            true=self.true[mask],
            predicted=self.predicted[:, mask],
            probabilities=self.probabilities[:, mask],
            leaked=self.leaked[mask],
            conflicting=self.conflicting[mask],
            blank=self.blank[mask],
        )

    def by_unit(self, values: Floats) -> Floats:
        """Means over each unit's runs, (r, ...) to (u, ...), units ascending."""
        means = [values[self.units == unit].mean(axis=0) for unit in np.unique(self.units)]
        return np.stack(means)


def answers_of(search: Search) -> dict[str, Answers]:
    """Answers by arm, and by floor name; arms and floors without predictions are absent.

    Raises:
        ResultsError: the predictions do not match the search of the manifest, or are not one
            probability per class.
    """
    groups = [
        *((arm, search.predictions[search.predictions["arm"] == arm]) for arm in search.arms),
        *((name, search.floors[search.floors["arm"] == name]) for name in FLOORS),
    ]
    return {name: _answers(frame, search) for name, frame in groups if len(frame)}


@dataclass(frozen=True, kw_only=True)
class PictureScores:
    """Scores of one arm (several runs) or one floor (one run) on test pictures.

    Attributes:
        macro_f1: mean over runs, with bootstrap interval over the test pictures.
        accuracy: mean over runs, in [0, 1].
        clean_macro_f1, clean_accuracy: the same without leaked and conflicting pictures; None
            when no picture is clean.
        resampled: mean macro-F1 over runs on each bootstrap resample of the pictures, the same
            resamples for all who answered the same pictures (resamples,).
        runs: macro-F1 per run, by trial number.
        positions: rows of the packed dataset that every run answered, sorted (n,).
        complete: whether all runs answered the same pictures.
    """

    macro_f1: Estimate
    accuracy: float
    clean_macro_f1: float | None
    clean_accuracy: float | None
    resampled: Floats
    runs: Mapping[int, float]
    positions: Ints
    complete: bool


def score_pictures(
    search: Search, answers: Mapping[str, Answers] | None = None
) -> dict[str, PictureScores]:
    """Scores by arm, and by floor name; arms and floors without predictions are absent.

    Args:
        answers: of :func:`answers_of`, if they have been read already.

    Raises:
        ResultsError: as :func:`answers_of`.
    """
    found = answers_of(search) if answers is None else answers
    return {name: _score(given) for name, given in found.items()}


def _score(given: Answers) -> PictureScores:
    every = given.confusions
    clean = given.subset(given.clean).confusions if given.clean.any() else None
    resampled = resampled_macro_f1(
        given.true, given.predicted, given.classes, np.random.default_rng(_SEED)
    )
    return PictureScores(
        macro_f1=macro_f1_interval(given.true, given.predicted, given.classes, resampled),
        accuracy=float(accuracy(every).mean()),
        clean_macro_f1=None if clean is None else float(macro_f1(clean).mean()),
        clean_accuracy=None if clean is None else float(accuracy(clean).mean()),
        resampled=resampled.mean(axis=1),
        runs=dict(zip(given.trials.tolist(), macro_f1(every).tolist(), strict=True)),
        positions=given.positions,
        complete=given.complete,
    )


def _answers(frame: pd.DataFrame, search: Search) -> Answers:
    frame = frame.reset_index(drop=True)
    rows = frame.assign(row=frame.index).pivot(index="trial", columns="position", values="row")
    shared = rows.dropna(axis="columns")
    if not shared.shape[1]:
        raise _mixed("two runs of one arm have no test picture in common", search)
    place = shared.to_numpy(np.int64)
    pictures, runs = frame.iloc[place[0]], frame.iloc[place[:, 0]]
    unit = "replicate" if search.unit == "study" else "seed"
    return Answers(
        trials=shared.index.to_numpy(np.int64),
        units=runs[unit].to_numpy(np.int64),
        positions=shared.columns.to_numpy(np.int64),
        pictures=pictures["picture"].to_numpy(object),
        true=_codes(pictures["true_class"], search),
        predicted=_codes(frame["predicted_class"], search)[place],
        probabilities=_probabilities(frame["probabilities"], search)[place],
        # Null, where nothing was audited, is not equal to True.
        leaked=pictures["leaked"].eq(True).to_numpy(bool),
        conflicting=pictures["conflicting"].eq(True).to_numpy(bool),
        blank=pictures["blank"].eq(True).to_numpy(bool),
        complete=shared.shape == rows.shape,
    )


def _probabilities(lists: pd.Series[Any], search: Search) -> Floats:
    """A row per answer, a column per class."""
    wrong = lists.map(lambda p: p is None or np.size(p) != len(search.classes))
    if wrong.any():
        raise _broken("predictions do not have one probability per class", search)
    table: Floats = np.stack(lists.tolist()).astype(np.float64)
    # Written so that NaN, which compares as false, is rejected, too.
    if not ((table >= 0).all() and (np.abs(table.sum(axis=1) - 1) <= _SLACK).all()):
        raise _broken("the probabilities of a prediction do not sum to 1", search)
    return table


def _codes(names: pd.Series[str], search: Search) -> Ints:
    found = pd.Index(search.classes).get_indexer(pd.Index(names))
    codes: Ints = np.asarray(found, dtype=np.int64)
    if (codes < 0).any():
        name = names.iloc[int(np.argmax(codes < 0))]
        raise _mixed("predictions name a class that the manifest does not list", search, name)
    return codes


def _mixed(rule: str, search: Search, value: object = None) -> ResultsError:
    remedy = "The folder mixes two searches; use only files of the one that wrote manifest.json"
    return _fault(rule, search, remedy, value)


def _broken(rule: str, search: Search) -> ResultsError:
    return _fault(rule, search, "Restore the folder from a backup")


def _fault(rule: str, search: Search, remedy: str, value: object = None) -> ResultsError:
    where = str(search.root / "predictions.parquet")
    return ResultsError(rule, where=where, value=value, remedy=remedy)
