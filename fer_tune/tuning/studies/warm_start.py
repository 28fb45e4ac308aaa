"""Trials of earlier searches that the samplers of a new one learn from.

They are copied into the first line of the event log, so that a resume proposes the same after the
earlier folders have changed or gone. They inform samplers alone: the rungs of ASHA, the choice and
the verdict see only the search's own trials.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.errors import ResultsError, WeightsError
from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE, Results
from fer_tune.schema import shown
from fer_tune.space import SearchSpace, TrialConfig, recorded_space
from fer_tune.space.domains import same
from fer_tune.storage import AnyPath, any_path, without_secrets
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.tuning.log.assignment import EarlierTrial

#: Trials that ended with values that say something of their configuration.
_USED = (*ELIGIBLE, "pruned", "diverged")
#: Sections of a search space that decide what a validation score means.
_EQUAL = ("metric", "data", "augment")


def earlier_trials(
    space: SearchSpace, fingerprint: str, folders: Sequence[AnyPath | str]
) -> list[EarlierTrial]:
    """The trials of ``folders`` that the samplers of ``space`` can learn from.

    Every arm gets the same number, the first of each: an arm that starts with more trials would
    be searched better.

    Args:
        fingerprint: of the new search's dataset.

    Raises:
        ResultsError: a search had other data or settings, none of its trials fits, or a folder is
            given twice.
    """
    if not folders:
        return []
    roots: set[AnyPath] = set()
    found: dict[str, list[EarlierTrial]] = {arm: [] for arm in space.compare.arms}
    for folder in folders:
        results = Results.open(folder)
        manifest = results.manifest()
        where = str(results.root)
        if results.root.resolve() in roots:
            raise ResultsError(
                "the same results folder was given twice",
                where=f"--warm-start {where}",
                remedy="Name each folder once",
            )
        roots.add(results.root.resolve())
        recorded = recorded_space(manifest.get("space") or {}, where=str(results.manifest_path))
        if reasons := list(_reasons(space, fingerprint, recorded, manifest)):
            raise ResultsError(
                f"its trials cannot start this search: {'; '.join(reasons)}",
                where=f"--warm-start {where}",
                remedy="Name a search of the same dataset and space, or omit --warm-start",
            )
        for trial in _trials(space, results.read("trials")):
            found[trial.arm].append(trial)
    if empty := [arm for arm, trials in found.items() if not trials]:
        raise ResultsError(
            f"no trial of {' and '.join(empty)} fits the search space, and arms must start alike",
            where="--warm-start " + " ".join(map(str, folders)),
            remedy="Name a search that has ended trials of every arm within the domains of this "
            "one, or omit --warm-start",
        )
    each = min(map(len, found.values()))
    rows = zip(*(trials[:each] for trials in found.values()), strict=True)
    return [trial for row in rows for trial in row]


def warm_start_entry(
    earlier: Sequence[EarlierTrial], folders: Sequence[AnyPath | str]
) -> dict[str, Any]:
    """The manifest's key ``warm_start``; empty without one."""
    if not earlier:
        return {}
    counts = Counter(trial.arm for trial in earlier)
    roots = [without_secrets(str(any_path(folder).resolve())) for folder in folders]
    return {"warm_start": {"folders": roots, "trials_per_arm": dict(counts)}}


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
    yield from _other_weights(space, earlier, manifest)


def _other_weights(
    space: SearchSpace, earlier: SearchSpace, manifest: Mapping[str, Any]
) -> Iterator[str]:
    """Weights by their content where it is known, as a file may have moved or changed."""
    names = [arm for arm in space.compare.arms if arm in earlier.compare.arms]
    known = {arm: (_weights(manifest, arm), _file_weights(space, arm)) for arm in names}
    if space.weights != earlier.weights and not all(all(both) for both in known.values()):
        yield f"weights was {shown(earlier.weights)}, not {shown(space.weights)}"
        return
    for arm, (was, now) in known.items():
        if was and now and was != now:
            yield f"weights of {arm} were a file of sha256 {shown(was[:12])}, not {now[:12]}"


def _weights(manifest: Mapping[str, Any], arm: str) -> str | None:
    found = (manifest.get("arms") or {}).get(arm) or {}
    return found.get("weights_sha256")


def _file_weights(space: SearchSpace, arm: str) -> str | None:
    """SHA-256 of the file that an arm starts from; None where it is drawn or not here."""
    from fer_tune.models.registry import backbone
    from fer_tune.models.weights import file_fingerprint, locate

    try:
        path = locate(backbone(space.config(arm, {}).backbone), space.weights)
    except WeightsError:  # reported before the search begins
        return None
    return None if path is None else file_fingerprint(path)


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
