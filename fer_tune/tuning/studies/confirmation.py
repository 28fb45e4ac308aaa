"""Choosing one configuration per study, and planning its confirmation runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment, derive_seed


def choose(trials: pd.DataFrame, metric: str) -> list[dict[str, Any]]:
    """The best eligible trial of every study, by its best validation value.

    Args:
        trials: the ``trials`` table. Trials that ran to the end or ended as ``overfit`` are
            eligible; the earliest wins a tie.

    Returns:
        One mapping per (arm, replicate) with an eligible trial: arm, replicate, trial, epoch,
        value, config.
    """
    column = f"best_val_{metric}"
    searched = trials[(trials["cohort"] != "confirm") & trials["state"].isin(ELIGIBLE)]
    searched = searched.sort_values("trial").dropna(subset=[column])
    chosen = []
    for _, group in searched.groupby(["arm", "replicate"], sort=True):
        values = group[column].to_numpy()
        row = group.iloc[int(values.argmin() if metric == "loss" else values.argmax())]
        # A table of an older version lacks newer parameters: they had their defaults.
        config = {f.name: row[f.name] for f in CONFIG_COLUMNS if pd.notna(row[f.name])}
        chosen.append(
            {
                "arm": str(row["arm"]),
                "replicate": int(row["replicate"]),
                "trial": int(row["trial"]),
                "epoch": int(row["best_epoch"]),
                "value": float(row[column]),
                "config": {k: v.item() if hasattr(v, "item") else v for k, v in config.items()},
            }
        )
    return chosen


def known_runs(choices: list[dict[str, Any]], runs: Sequence[Assignment]) -> list[dict[str, Any]]:
    """The choices with the numbers of their ``runs`` in the log, in order of their seeds.

    After a kill the manifest may lack them.
    """
    return [
        {
            **choice,
            "runs": sorted(
                run.number
                for run in runs
                if run.cohort == "confirm"
                and (run.arm, run.replicate) == (choice["arm"], choice["replicate"])
                and run.config == TrialConfig.from_dict(choice["config"])
            ),
        }
        for choice in choices
    ]


def number_runs(choices: list[dict[str, Any]], seeds: int, first: int) -> list[dict[str, Any]]:
    """Gives the runs of seeds 0 .. ``seeds``-1 of every choice their numbers.

    A number stays with its choice and seed, so that a restarted run replaces in the records what
    an interrupted one left there.

    Args:
        first: the first number that is free.

    Returns:
        The choices with their ``runs``, numbers by seed.
    """
    numbered = [{**choice, "runs": list(choice.get("runs", []))} for choice in choices]
    for k in range(seeds):
        for choice in numbered:
            if len(choice["runs"]) <= k:
                choice["runs"].append(first)
                first += 1
    return numbered


def missing_runs(
    space: SearchSpace, choices: list[dict[str, Any]], seeds: int, trials: pd.DataFrame
) -> list[Assignment]:
    """The confirmation runs of seeds 0 .. ``seeds``-1 that have no test score yet.

    A seed varies head, shuffle, dropout and views, and the backbone's initial weights where
    none are pretrained. Seed k is the same for all arms of a replicate, so that seeds pair.

    Args:
        choices: with the numbers of their runs (:func:`number_runs`).
        trials: the ``trials`` table.
    """
    base = space.seeds.search
    scored = trials[(trials["cohort"] == "confirm") & trials["test_macro_f1"].notna()]
    ended = set(scored["trial"])
    return [
        Assignment(
            number=choice["runs"][k],
            arm=choice["arm"],
            replicate=choice["replicate"],
            cohort="confirm",
            seed=derive_seed(base, "confirm", choice["replicate"], k),
            weights_seed=derive_seed(base, "confirm-weights", choice["replicate"], k),
            view_seed=derive_seed(base, "confirm-views", choice["replicate"], k),
            config=TrialConfig.from_dict(choice["config"]),
        )
        for k in range(seeds)
        for choice in choices
        if choice["runs"][k] not in ended
    ]


def slowest_first(
    runs: list[Assignment], choices: list[dict[str, Any]], epochs: pd.DataFrame
) -> list[Assignment]:
    """``runs`` sorted by seconds per epoch, slowest first, so that long ones do not run alone.

    Args:
        epochs: the ``epochs`` table of the search.
    """
    by_trial = epochs.groupby("trial")["seconds"].median()
    pace = {(c["arm"], c["replicate"]): float(by_trial.get(c["trial"], 0.0)) for c in choices}
    return sorted(runs, key=lambda run: -pace[run.arm, run.replicate])
