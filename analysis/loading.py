"""A results folder as tidy frames, whatever stage the search has reached."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from fer_tune.errors import ResultsError
from fer_tune.records import ELIGIBLE, Results
from fer_tune.storage import Place

Unit = Literal["study", "seed"]

#: Kinds of the manifest's values that everything here rests on.
_KINDS: dict[str, type] = {"arms": dict, "classes": list, "space": dict}


@dataclass(frozen=True, kw_only=True)
class Search:
    """One search as it stands on disk. Frames have the columns of ``fer_tune.records.SCHEMAS``.

    Attributes:
        root: the results folder, a path or a URL.
        manifest: see ``docs/architecture.md``; an unfinished search may lack keys.
        manifests: of every folder that went in; more than one after a merge.
        scored: by folder, whether it holds a test score.
        arms: names of the arms, in the manifest's order.
        classes: names of the classes, in the manifest's order.
        trials: ended trials of the search itself, a row each.
        confirmations: confirmation runs, a row each, with the ``test_*`` columns.
        epochs: a row per trial and epoch, of trials that still run too.
        confusion: confusion counts, long form.
        predictions: the confirmation runs' answers on the test split, a row per picture and run.
        floors: the same of the two floors (arms ``majority`` and ``logistic_regression``).
        thumbnails: small copies of the test pictures (columns ``picture``, ``png``).
        latency: per arm ``p50_ms``, ``p95_ms``, ``peak_memory_mib`` and ``runs``; empty before
            confirmation has ended.
    """

    root: Place
    manifest: Mapping[str, Any]
    manifests: tuple[Mapping[str, Any], ...]
    scored: tuple[bool, ...]
    arms: tuple[str, ...]
    classes: tuple[str, ...]
    trials: pd.DataFrame
    confirmations: pd.DataFrame
    epochs: pd.DataFrame
    confusion: pd.DataFrame
    predictions: pd.DataFrame
    floors: pd.DataFrame
    thumbnails: pd.DataFrame
    latency: Mapping[str, Any]

    def get(self, *path: str, default: Any = None) -> Any:
        """The manifest's value at ``path``, ``default`` where any step is absent or null."""
        value: Any = self.manifest
        for key in path:
            if not isinstance(value, Mapping) or value.get(key) is None:
                return default
            value = value[key]
        return value

    @property
    def state(self) -> str:
        """``running``, ``interrupted`` or ``finished``."""
        return str(self.get("state", default="interrupted"))

    @property
    def replicates(self) -> int:
        """Independent studies per arm, as the search space asks for."""
        return int(self.get("space", "compare", "replicates", default=1))

    @property
    def unit(self) -> Unit:
        """What was drawn independently: the study where there are several, else the seed."""
        return "study" if self.replicates > 1 else "seed"

    @property
    def metric(self) -> str:
        """The validation metric by which trials were chosen."""
        return str(self.get("space", "metric", default="macro_f1"))

    @property
    def metric_name(self) -> str:
        """:attr:`metric` as people write it."""
        return {"macro_f1": "macro-F1"}.get(self.metric, self.metric)

    @property
    def metric_column(self) -> str:
        """Column of ``trials`` with the best value of :attr:`metric`."""
        return f"best_val_{self.metric}"

    @property
    def running(self) -> pd.DataFrame:
        """Trials that have reported epochs but not ended: a row each (trial, arm, epochs)."""
        open_ones = self.epochs[
            ~self.epochs["trial"].isin(self.trials["trial"]) & (self.epochs["cohort"] != "confirm")
        ]
        last = open_ones.groupby(["trial", "arm"])["epoch"].max()
        counts: pd.DataFrame = last.reset_index(name="epochs")
        return counts

    @property
    def shared_seeds(self) -> tuple[tuple[str, int], ...]:
        """Arms that two merged searches drew with one search seed, and that seed."""
        drawn = Counter(
            (arm, int((manifest.get("seeds") or {}).get("search", 0)))
            for manifest in self.manifests
            for arm in manifest.get("arms") or {}
        )
        return tuple(sorted(key for key, number in drawn.items() if number > 1))

    def chosen(self) -> dict[str, list[int]]:
        """Trial numbers per arm: each study's frozen choice or, before that, its best so far."""
        frozen = {
            (str(c["arm"]), int(c["replicate"])): int(c["trial"])
            for c in self.get("choices", default=[])
        }
        able = self.trials[self.trials["state"].isin(ELIGIBLE)].dropna(subset=self.metric_column)
        able = able.sort_values(self.metric_column, ascending=self.metric == "loss", kind="stable")
        best = able.drop_duplicates(["arm", "replicate"])
        keys = zip(best["arm"].astype(str), best["replicate"].astype(int), strict=True)
        so_far = dict(zip(keys, best["trial"].astype(int).tolist(), strict=True))
        found = sorted({**so_far, **frozen}.items())
        return {arm: [trial for (whose, _), trial in found if whose == arm] for arm in self.arms}


def load(folders: Place | str | Sequence[Place | str]) -> Search:
    """Reads a results folder, or several as one search (:func:`analysis.merging.merge`).

    Tables that are not there yet become empty frames.

    Raises:
        ResultsError: a folder is no results folder or has another schema, or they cannot be
            merged.
    """
    if isinstance(folders, Place | str):
        return _load(folders)
    searches = [_load(folder) for folder in folders]
    if len(searches) == 1:
        return searches[0]
    from analysis.merging import merge  # which knows what a Search is

    return merge(searches)


def _load(folder: Place | str) -> Search:
    results = Results.open(folder)
    manifest = _checked(results)
    trials, predictions = results.read("trials"), results.read("predictions")
    trials = trials[~_superseded(manifest, trials)]
    # A run that was killed or failed between its predictions and its score is no run.
    scored = trials.loc[trials["test_macro_f1"].notna(), "trial"]
    known = predictions["trial"].isin(scored) | (predictions["cohort"] == "floor")
    predictions = predictions[known]
    confirmed, tested = trials["cohort"] == "confirm", predictions["split"] == "test"
    floor = predictions["cohort"] == "floor"
    epochs = results.read("epochs")
    return Search(
        root=results.root,
        manifest=manifest,
        manifests=(manifest,),
        scored=(bool(len(scored)),),
        arms=_arms(manifest, trials, epochs),
        classes=tuple(str(name) for name in manifest.get("classes") or ()),
        trials=trials[~confirmed].reset_index(drop=True),
        confirmations=trials[confirmed].reset_index(drop=True),
        epochs=epochs,
        confusion=results.read("confusion"),
        predictions=predictions[tested & ~floor].reset_index(drop=True),
        floors=predictions[tested & floor].reset_index(drop=True),
        thumbnails=results.read("thumbnails"),
        latency=_latency(results.root / "latency.json"),
    )


def _latency(path: Place) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ResultsError(
            f"cannot be read: {error.strerror}",
            where=str(path),
            remedy="Check the path and its rights",
        ) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ResultsError(
            "cut short or not valid JSON",
            where=str(path),
            remedy="Restore the file from a copy, or remove it and latency is left out",
        )
    return found


def _checked(results: Results) -> Mapping[str, Any]:
    manifest = results.manifest()
    for key, kind in _KINDS.items():
        if not isinstance(manifest.get(key), kind | None):
            raise ResultsError(
                f"{key} is not what it must be",
                where=str(results.manifest_path),
                value=manifest[key],
                remedy="Restore the file from a copy, or search again",
            )
    return manifest


def _superseded(manifest: Mapping[str, Any], trials: pd.DataFrame) -> pd.Series[bool]:
    """Confirmation runs of a choice that an extension of the search has replaced."""
    valid = {
        number for choice in manifest.get("choices") or [] for number in choice.get("runs", [])
    }
    before = {
        number
        for old in manifest.get("superseded") or []
        for choice in old["choices"]
        for number in choice.get("runs", [])
    }
    return trials["trial"].isin(before - valid)


def _arms(manifest: Mapping[str, Any], *tables: pd.DataFrame) -> tuple[str, ...]:
    """The manifest's arms, then any that only the records name."""
    declared = [str(arm) for arm in manifest.get("arms") or {}]
    seen = [str(arm) for table in tables for arm in table["arm"].unique()]
    return tuple(dict.fromkeys([*declared, *seen]))
