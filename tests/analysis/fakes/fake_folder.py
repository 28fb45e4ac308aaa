"""A made-up results folder as tests read it: each table once, with its plan beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fake_search import CLASSES, Plan, write

from fer_tune.records import Results

#: The arms of most scenarios.
ARMS = ("densenet161", "resnet152")


class Folder:
    """A scenario as written; tables are read once."""

    def __init__(self, root: Path, plan: Plan) -> None:
        self.plan, self._results = plan, Results.open(write(root, plan))
        self.manifest = self._results.manifest()
        self.root = root

    @cache  # noqa: B019 - a handful of folders that live as long as the module
    def read(self, table: Any) -> pd.DataFrame:
        return self._results.read(table)

    @property
    def searched(self) -> pd.DataFrame:
        trials = self.read("trials")
        return trials[trials["cohort"] != "confirm"]

    @property
    def confirmed(self) -> pd.DataFrame:
        trials = self.read("trials")
        return trials[trials["cohort"] == "confirm"]

    def curve(self, trial: int) -> pd.DataFrame:
        epochs = self.read("epochs")
        return epochs[epochs["trial"] == trial]


def counts_of(frame: pd.DataFrame) -> np.ndarray:
    wide = frame.pivot(index="true_class", columns="predicted_class", values="count")
    return wide.loc[list(CLASSES), list(CLASSES)].to_numpy()
