"""The table of ended trials; of very many, a selection."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.inputs.search import Search
from analysis.report.ends import ran_on
from analysis.report.quantities import Json, plain, whole
from fer_tune.records import CONFIG_COLUMNS

#: Most rows of the table, and most trials in figures, over all arms.
ROWS, DRAWN = 200, 80
_WHO = {"trial": "number", "arm": "", "replicate": "number", "cohort": "", "state": ""}
_RESULTS = {
    "epochs": "epochs run",
    "best_epoch": "epoch, from 1",
    "onset_epoch": "epoch, from 1; null: did not overfit",
    "seconds": "s",
}
_WHOLE = {"epochs", "best_epoch", "onset_epoch"}


def trial_section(search: Search) -> Json:
    """Rows of the table in sampling order; values that all trials share are listed once.

    ``drawn`` are the trials in the figures: whether each was chosen, whether it was stopped early,
    and which share of its arm's trials had a better score.
    """
    trials = search.trials
    names = [field.name for field in CONFIG_COLUMNS]
    varied = [name for name in names if trials[name].nunique(dropna=False) > 1]
    compared = search.get("space", "compare", "parameter")
    if compared in varied and (trials[compared].astype(str) == trials["arm"]).all():
        varied.remove(compared)  # the arm is the same
    shared = [name for name in names if len(trials) and name not in [*varied, compared]]
    score = {search.metric_column: f"validation {search.metric_name}"}
    columns = {**_WHO, **score, **_RESULTS, **dict.fromkeys(varied, ""), "stop_reason": ""}
    chosen = sorted(n for numbers in search.chosen.values() for n in numbers)
    listed = selected(search, trials, chosen, ROWS)
    scored = listed[listed[search.metric_column].notna()]
    drawn = selected(search, scored, chosen, DRAWN)
    return {
        "columns": [{"name": name, "unit": unit} for name, unit in columns.items()],
        "score": search.metric_column,
        "configuration": varied,
        "shared": {name: plain(trials[name].iloc[0]) for name in shared},
        "chosen": chosen,
        "unit": "trials",
        "total": len(trials),
        "rows": [
            [_cell(name, value) for name, value in zip(columns, row, strict=True)]
            for row in listed[list(columns)].itertuples(index=False, name=None)
        ],
        "scored": int(trials[search.metric_column].notna().sum()),
        "drawn": _standings(search, drawn, chosen) if len(drawn) else [],
    }


def _standings(search: Search, drawn: pd.DataFrame, chosen: list[int]) -> list[Json]:
    values = search.trials.groupby("arm")[search.metric_column]
    place = values.rank(ascending=search.metric == "loss", method="min") - 1
    better = (place / search.trials["arm"].map(values.count())).loc[drawn.index]
    rows = zip(drawn["trial"], ~ran_on(drawn), better, strict=True)
    return [
        {
            "trial": int(number),
            "chosen": number in chosen,
            "stopped": bool(stopped),
            "better": round(float(share), 4),
        }
        for number, stopped, share in rows
    ]


def selected(search: Search, trials: pd.DataFrame, chosen: list[int], most: int) -> pd.DataFrame:
    """At most ``most`` of ``trials``, in their order, equally many of each arm.

    Half of an arm's are the chosen and the best ones, the others evenly spaced over the rest.
    """
    if len(trials) <= most:
        return trials
    share = max(1, most // max(1, trials["arm"].nunique()))
    places: list[int] = []
    for _, mine in trials.groupby("arm", sort=False):
        ranked = mine.sort_values(
            search.metric_column, ascending=search.metric == "loss", kind="stable"
        )
        first = ranked.index[ranked["trial"].isin(chosen)].tolist()
        best = [i for i in ranked.index if i not in first][: max(0, share // 2 - len(first))]
        rest = mine.index.difference([*first, *best])
        left = max(0, share - len(first) - len(best))
        spaced = np.linspace(0, len(rest) - 1, min(len(rest), left))
        places += [*first, *best, *rest[np.rint(spaced).astype(int)]]
    return trials.loc[sorted(places)]


def _cell(name: str, value: object) -> object:
    return whole(value) if name in _WHOLE else plain(value)
