"""Means with 95 % intervals, by half of the tasks, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

Row = dict[str, Any]
_DRAWS = 2000
#: What every policy is compared with, by kind.
_REFERENCES = {
    "table": ("random",),
    "curve": ("ours (random)", "ray optuna", "optuna hyperband", "i epochs, best K", "ours (cqr)"),
}
#: Policy of each of the references in the issue's order, for the columns of curves.
_SHORT = {
    "random": "random",
    "ours (random)": "(b) random",
    "ray optuna": "(a) Ray",
    "optuna hyperband": "(c) Hyperband",
    "i epochs, best K": "(d) short, best K",
    "ours (cqr)": "(e) CQR",
}


def show(rows: list[Row]) -> str:
    """All tables."""
    frame = pd.DataFrame(rows)
    return "\n".join(line for kind in ("table", "curve") for line in _kind(frame, kind))


def _kind(frame: pd.DataFrame, kind: str) -> Iterator[str]:
    frame = frame[frame["kind"] == kind]
    if frame.empty:
        return
    tasks = sorted(frame["task"].unique())
    halves = {"chosen on": tasks[::2], "reported on": tasks[1::2]}
    for half, mine in halves.items():
        yield f"\n### {kind}: {half} {len(mine)} tasks: {', '.join(mine)}\n"
        names = _REFERENCES[kind]
        header = ["trials", "parallel", "policy", "seeds", "regret"]
        header += ["epochs"] if kind == "curve" else []
        header += [f"minus {_SHORT[name]}" for name in names]
        yield "| " + " | ".join(header) + " |"
        yield "|" + "---|" * len(header)
        some = frame[frame["task"].isin(mine)]
        if kind == "table":  # random search is the same at any degree of parallelism
            some = _spread(some)
        for (trials, parallel), cell in some.groupby(["trials", "parallel"]):
            by_policy = {str(p): rows for p, rows in cell.groupby("policy")}
            for policy, found in by_policy.items():
                values = [_estimate(found, None)]
                values += [f"{found['epochs'].mean():.0f}"] if kind == "curve" else []
                values += [
                    "" if name == policy or name not in by_policy
                    else _estimate(found, by_policy[name])
                    for name in names
                ]  # fmt: skip
                seeds = len(found) / found["task"].nunique()
                start = [str(trials), str(parallel), policy, f"{seeds:.0f}"]
                yield "| " + " | ".join([*start, *values]) + " |"


def _spread(frame: pd.DataFrame) -> pd.DataFrame:
    random, others = frame[frame["parallel"] == 0], frame[frame["parallel"] != 0]
    copies = [random.assign(parallel=w) for w in sorted(others["parallel"].unique())]
    return pd.concat([others, *copies])


def _estimate(found: pd.DataFrame, reference: pd.DataFrame | None) -> str:
    """Mean over tasks [95 %], by a bootstrap of tasks and of seeds within them."""
    per_task = {
        str(task): (
            rows.dropna(subset=["regret"])["regret"].to_numpy(),
            None if reference is None else _of(reference, str(task)),
        )
        for task, rows in found.groupby("task")
    }
    usable = [(a, b) for a, b in per_task.values() if a.size and (b is None or b.size)]
    if len(usable) < 2:
        return ""
    draws = np.random.default_rng(1)
    point = np.mean([a.mean() - (0 if b is None else b.mean()) for a, b in usable])
    shape = (_DRAWS, len(usable))
    picked = draws.integers(len(usable), size=shape)
    # By task: means of as many seeds, drawn anew for every place that it may be picked for.
    means = [
        _means(a, draws, shape) - (0 if b is None else _means(b, draws, shape)) for a, b in usable
    ]
    again = np.take_along_axis(np.stack(means), picked[None], axis=0)[0].mean(axis=1)
    low, high = np.quantile(again, [0.025, 0.975])
    sign = "+" if reference is not None else ""
    return f"{point:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _means(values: Any, draws: np.random.Generator, shape: tuple[int, int]) -> Any:
    return values[draws.integers(values.size, size=(*shape, values.size))].mean(axis=-1)


def _of(reference: pd.DataFrame, task: str) -> Any:
    rows = reference[reference["task"] == task].dropna(subset=["regret"])
    return rows["regret"].to_numpy()
