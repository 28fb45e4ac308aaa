"""What happened in the trials: learning curves, how they ended, epochs saved, the whole table."""

from __future__ import annotations

from analysis.loading import Search
from analysis.report.quantities import Json, plain, whole
from fer_tune.records import CONFIG_COLUMNS, TRIAL_STATES

#: What each way of ending early is put down to.
_SAVED_BY = {"pruned": "asha", "overfit": "overfit_stopper", "diverged": "divergence"}

#: Columns of the trial table between who and the configuration, with their units.
_RESULTS = {
    "best_val_macro_f1": "macro-F1, 0 to 1",
    "epochs": "epochs run",
    "best_epoch": "epoch, from 1",
    "best_val_loss": "nats",
    "onset_epoch": "epoch, from 1; null: did not overfit",
    "generalisation_gap": "nats, validation minus training loss at the best epoch",
    "seconds": "s",
    "peak_memory_mib": "MiB",
}
_WHOLE = {"epochs", "best_epoch", "onset_epoch"}
_CURVES = ("train_loss", "val_loss", "val_macro_f1")


def curve_sections(search: Search) -> list[Json]:
    """Per arm the learning curves of the search's trials, chosen ones marked.

    Confirmation runs are left out: they repeat the chosen configuration.
    """
    chosen = {number for numbers in search.chosen().values() for number in numbers}
    ended = search.trials.set_index("trial")
    searched = search.epochs[search.epochs["cohort"] != "confirm"]
    sections: dict[str, list[Json]] = {arm: [] for arm in search.arms}
    for trial, rows in searched.groupby("trial"):
        number = int(str(trial))
        row = ended.loc[number] if number in ended.index else None
        sections[str(rows["arm"].iloc[0])].append(
            {
                "trial": number,
                "state": "running" if row is None else str(row["state"]),
                "chosen": number in chosen,
                "onset_epoch": None if row is None else whole(row["onset_epoch"]),
                "best_epoch": None if row is None else whole(row["best_epoch"]),
                "epochs": rows["epoch"].tolist(),
                **{name: [_brief(v) for v in rows[name].tolist()] for name in _CURVES},
            }
        )
    return [{"arm": arm, "unit": "nats", "curves": curves} for arm, curves in sections.items()]


def ending_sections(search: Search) -> list[Json]:
    """Per arm: trials by state, and the epochs that the budget allowed, ran and did not run."""
    return [_endings(search, arm) for arm in search.arms]


def _endings(search: Search, arm: str) -> Json:
    trials = search.trials[search.trials["arm"] == arm]
    allowed = trials["max_epochs"].fillna(search.get("space", "budget", "max_epochs", default=0))
    spared = (allowed - trials["epochs"].fillna(0)).clip(lower=0)
    by_state = spared.groupby(trials["state"]).sum()
    saved = {cause: int(by_state.get(state, 0)) for state, cause in _SAVED_BY.items()}
    counts = trials["state"].value_counts()
    return {
        "arm": arm,
        "states": {state: int(counts.get(state, 0)) for state in TRIAL_STATES},
        "trials_with_onset": int(trials["onset_epoch"].notna().sum()),
        "unit": "epochs",
        "budget": int(allowed.sum()),
        "run": int(trials["epochs"].sum()),
        "saved": saved,
        "lost_to_failure": int(sum(by_state.get(state, 0) for state in ("oom", "failed"))),
    }


def trial_section(search: Search) -> Json:
    """The table of ended trials. Configuration values that all trials share are told once."""
    trials = search.trials
    names = [field.name for field in CONFIG_COLUMNS]
    varied = [name for name in names if trials[name].nunique(dropna=False) > 1]
    compared = search.get("space", "compare", "parameter")
    if compared in varied and (trials[compared].astype(str) == trials["arm"]).all():
        varied.remove(compared)  # the arm says it already
    shared = [name for name in names if len(trials) and trials[name].nunique(dropna=False) == 1]
    who = {"trial": "number", "arm": "", "replicate": "number", "cohort": "", "state": ""}
    columns = {**who, **_RESULTS, **dict.fromkeys(varied, ""), "stop_reason": ""}
    rows = [
        [_cell(name, value) for name, value in zip(columns, row, strict=True)]
        for row in trials[list(columns)].itertuples(index=False, name=None)
    ]
    return {
        "columns": [{"name": name, "unit": unit} for name, unit in columns.items()],
        "shared": {name: _cell(name, trials[name].iloc[0]) for name in shared},
        "chosen": sorted(n for numbers in search.chosen().values() for n in numbers),
        "rows": rows,
    }


def confusion_sections(search: Search) -> list[Json]:
    """Per arm the confusion counts on the test split, summed over its confirmation runs."""
    table = search.confusion
    tested = table[
        (table["cohort"] == "confirm") & (table["split"] == "test") & (table["subset"] == "all")
    ]
    sections = []
    for arm in search.arms:
        mine = tested[tested["arm"] == arm]
        if mine.empty:
            continue
        wide = mine.pivot_table(
            index="true_class", columns="predicted_class", values="count", aggfunc="sum"
        )
        square = wide.reindex(index=list(search.classes), columns=list(search.classes))
        sections.append(
            {
                "arm": arm,
                "runs": int(mine["trial"].nunique()),
                "unit": "test pictures, summed over runs",
                "classes": list(search.classes),
                "counts": square.fillna(0).astype(int).to_numpy().tolist(),
            }
        )
    return sections


def _cell(name: str, value: object) -> object:
    return whole(value) if name in _WHOLE else plain(value)


def _brief(value: float) -> float | None:
    """Six significant digits: as many as a single-precision loss holds."""
    number: float | None = plain(float(f"{value:.6g}"))
    return number
