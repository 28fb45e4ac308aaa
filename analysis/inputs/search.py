"""One search as tidy frames, at any point of its progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from fer_tune.records import ELIGIBLE
from fer_tune.storage import AnyPath

Unit = Literal["study", "seed"]


def value_at(value: Any, *path: str) -> Any:
    """What nested mappings hold at ``path``, None where any step is absent or null."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _near_searched(audit: Any) -> bool:
    """Whether near copies were searched for, by an audit that counts them."""
    return not isinstance(audit, Mapping) or audit.get("near_groups", 0) is not None


@dataclass(frozen=True, kw_only=True)
class Search:
    """One search as recorded. Frames have the columns of ``fer_tune.records.SCHEMAS``.

    Attributes:
        root: the results folder, a path or a URL.
        manifest: see ``docs/architecture/records.md``; an unfinished search may lack keys.
        manifests: of every folder; more than one after a merge.
        scored: by folder, whether it holds a test score.
        arms: names of the arms, in the manifest's order.
        classes: names of the classes, in the manifest's order.
        trials: ended trials of the search itself, a row each.
        confirmations: confirmation runs, a row each, with the ``test_*`` columns.
        epochs: a row per trial and epoch, of trials that still run too.
        confusion: confusion counts, long form.
        predictions: of the confirmation runs on the test split, a row per picture and run.
        floors: the same of the two floors (arms ``majority`` and ``logistic_regression``).
        thumbnails: small copies of the test pictures (columns ``picture``, ``png``).
        latency: per arm ``p50_ms``, ``p95_ms``, ``peak_memory_mib`` and ``runs``; empty before
            confirmation has ended.
        probe: ``probe.json`` (:class:`fer_tune.schema.probe.Probe`); None without it.
    """

    root: AnyPath
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
    probe: Mapping[str, Any] | None = None

    def get(self, *path: str, default: Any = None) -> Any:
        """The manifest's value at ``path``, ``default`` where any step is absent or null."""
        found = value_at(self.manifest, *path)
        return default if found is None else found

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
        """The unit of analysis: the study where there are several, else the seed."""
        return "study" if self.replicates > 1 else "seed"

    @property
    def metric(self) -> str:
        """The validation metric by which trials were chosen."""
        return str(self.get("space", "metric", default="macro_f1"))

    @property
    def metric_name(self) -> str:
        """Display name of :attr:`metric`."""
        return {"macro_f1": "macro-F1"}.get(self.metric, self.metric)

    @property
    def metric_column(self) -> str:
        """Column of ``trials`` with the best value of :attr:`metric`."""
        return f"best_val_{self.metric}"

    @property
    def training_versions(self) -> tuple[int, ...]:
        """How runs were trained and ended, in ascending order; several only after a merge.

        Version 1, which is not recorded, combined class weights with label smoothing in another
        way and let the overfit stopper end trials that still improved.
        """
        return tuple(sorted({int(m.get("training_version") or 1) for m in self.manifests}))

    @property
    def near_copies_count(self) -> bool:
        """Whether near copies of test pictures counted as leaks, in every merged search.

        Not in searches of version 1 of the audit, which is not recorded, on request, and on a
        dataset with so many pictures that near copies were not searched for.
        """
        return all(
            int(m.get("audit_version") or 1) > 1
            and value_at(m, "space", "data", "leaks") != "exact"
            and _near_searched(value_at(m, "dataset", "audit"))
            for m in self.manifests
        )

    @cached_property
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

    @cached_property
    def chosen(self) -> Mapping[str, Sequence[int]]:
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
