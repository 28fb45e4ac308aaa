"""Trials of earlier searches that the samplers of a new one learn from.

They are copied into the first line of the event log, so that a resume proposes the same after the
earlier folders have changed or gone. They inform samplers alone: the rungs of ASHA, the choice and
the verdict see only the search's own trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import pandas as pd

from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.errors import ResultsError
from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE, Results
from fer_tune.schema import shown
from fer_tune.space import SearchSpace, TrialConfig, recorded_space
from fer_tune.space.domains import same
from fer_tune.storage import AnyPath
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.tuning.log.assignment import EarlierTrial

#: Trials that ended with values that say something of their configuration.
_USED = (*ELIGIBLE, "pruned", "diverged")
#: Sections of a search space that decide what a validation score means.
_EQUAL = ("metric", "weights", "data", "augment")


def earlier_trials(
    space: SearchSpace, fingerprint: str, folders: Sequence[AnyPath | str]
) -> list[EarlierTrial]:
    """The trials of ``folders`` that the samplers of ``space`` can learn from.

    Every arm gets the same number, the first of each: an arm that starts with more trials would
    be searched better.

    Args:
        fingerprint: of the new search's dataset.

    Raises:
        ResultsError: a search had other data or settings, or none of its trials fits.
    """
    found: dict[str, list[EarlierTrial]] = {arm: [] for arm in space.compare.arms}
    for folder in folders:
        results = Results.open(folder)
        manifest = results.manifest()
        where = str(results.root)
        recorded = recorded_space(manifest.get("space") or {}, where=str(results.manifest_path))
        if reasons := list(_reasons(space, fingerprint, recorded, manifest)):
            raise ResultsError(
                f"its trials cannot start this search: {'; '.join(reasons)}",
                where=f"--warm-start {where}",
                remedy="Name a search of the same dataset and space, or omit --warm-start",
            )
        for trial in _trials(space, results.read("trials")):
            found[trial.arm].append(trial)
    if not folders:
        return []
    if empty := [arm for arm, trials in found.items() if not trials]:
        raise ResultsError(
            f"no trial of {' and '.join(empty)} fits the search space, and arms must start alike",
            where="--warm-start " + " ".join(map(str, folders)),
            remedy="Name a search that has ended trials of every arm within the domains of this "
            "one, or omit --warm-start",
        )
    each = min(map(len, found.values()))
    return [trial for row in zip_longest(*(t[:each] for t in found.values())) for trial in row]


def _reasons(
    space: SearchSpace, fingerprint: str, earlier: SearchSpace, manifest: Mapping[str, Any]
) -> Iterator[str]:
    """Why a score of the earlier search means something else."""
    theirs = (manifest.get("dataset") or {}).get("fingerprint")
    if theirs != fingerprint:
        yield f"its dataset is {shown(theirs)}, not {fingerprint}"
    if space.compare.parameter != earlier.compare.parameter:
        yield f"it compares {earlier.compare.parameter}, not {space.compare.parameter}"
    else:
        yield from (
            f"its arm {arm} is {earlier.compare.arms[arm]}, not {value}"
            for arm, value in space.compare.arms.items()
            if arm in earlier.compare.arms and not same(earlier.compare.arms[arm], value)
        )
    ours, before = space.as_dict(), earlier.as_dict()
    settings = [(key, before[key], ours[key]) for key in _EQUAL]
    settings.append(("budget.max_epochs", earlier.budget.max_epochs, space.budget.max_epochs))
    settings.append(("seeds.split", earlier.seeds.split, space.seeds.split))
    for key, name in (("training_version", TRAINING_VERSION), ("audit_version", AUDIT_VERSION)):
        settings.append((key, manifest.get(key) or 1, name))
    for key, was, now in settings:
        if was != now:
            yield f"{key} was {shown(was)}, not {shown(now)}"


def _trials(space: SearchSpace, trials: pd.DataFrame) -> Iterator[EarlierTrial]:
    column = f"best_val_{space.metric}"
    ended = trials[
        (trials["cohort"] != "confirm")
        & trials["state"].isin(_USED)
        & trials["arm"].isin(list(space.compare.arms))
    ].sort_values("trial")
    for row in ended.to_dict("records"):
        values = {f.name: row[f.name] for f in CONFIG_COLUMNS if pd.notna(row[f.name])}
        plain = {k: v.item() if hasattr(v, "item") else v for k, v in values.items()}
        arm, config, value = str(row["arm"]), TrialConfig.from_dict(plain), row[column]
        if pd.isna(value) or not math.isfinite(value) or not row["epochs"]:
            continue
        if space.domains(arm) and space.covers(arm, config):
            yield EarlierTrial(
                arm=arm,
                config=config,
                is_complete=row["state"] in ELIGIBLE,
                epochs=int(row["epochs"]),
                value=float(value),
            )
