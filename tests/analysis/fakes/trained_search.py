"""Searches of hand-made trials, small made-up ones, and chapters on how their trials went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from answered_search import evidence_of
from fake_search import Plan, write
from typed_report import some

import analysis
from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.presentation.blocks import Chapter
from analysis.report.presentation.render import Content, render_html
from analysis.report.quantities import Json, plain
from analysis.report.schema import Report
from analysis.report.verdict.arms import arm_sections
from analysis.report.verdict.section import search_section, verdict_section
from analysis.settings import Settings
from fer_tune.records import SCHEMAS

EPOCHS = 10
THREE = {"densenet161": 0.66, "resnet152": 0.62, "resnet50": 0.6}
SIX = THREE | {"densenet121": 0.64, "densenet169": 0.65, "resnet101": 0.61}

#: Small searches at every stage, on which each chapter must have something sound to say.
PLANS = {
    "whole": Plan(),
    "studies": Plan(replicates=5, seeds=2, trials=15, audit_share=0.5),
    "single": Plan(skill={"resnet50": 0.6}),
    "three": Plan(skill=THREE, audit_share=1.0),
    "six": Plan(skill=SIX, trials=3, seeds=2),
    "unconfirmed": Plan(confirmed=False, state="interrupted", floors=False),
    "running": Plan(asked=9, running=9, confirmed=False, state="running", floors=False),
    "nothing": Plan(trials=0, confirmed=False, state="running", floors=False),
    "processors": Plan(accelerated=False),
    "all failed": Plan(failures=1.0, confirmed=False, floors=False),
}


#: Plans of which a search has been loaded.
_loaded: list[str] = []


@cache
def planned(name: str) -> Search:
    """A search of :data:`PLANS`; no test changes its frames."""
    _loaded.append(name)
    with TemporaryDirectory() as folder:
        return analysis.load(write(Path(folder), PLANS[name]))


def trained(
    trials: Sequence[Mapping[str, Any]],
    *,
    arms: Sequence[str] = ("densenet161",),
    space: Mapping[str, Any] | None = None,
    confirmations: Sequence[Mapping[str, Any]] = (),
    latency: Mapping[str, Any] | None = None,
    choices: Sequence[int] = (),
) -> Search:
    """A search of ``trials``, rows of the table of trials without what has a default here.

    Args:
        trials: ``scores`` of a row, validation macro-F1 by epoch, gives it epochs, of ``pace``
            seconds each (10); ``train`` and ``val`` are its losses, level by default.
        space: sections of the search space, in place of ASHA with rungs 2 and 4 over 10 epochs.
        choices: numbers of the frozen choices; none: the best so far.
    """
    rows = [_row(number, row, arms[0]) for number, row in enumerate(trials)]
    frozen = [rows[n] | {"value": rows[n]["best_val_macro_f1"], "runs": []} for n in choices]
    manifest: dict[str, Any] = {
        "arms": {arm: {"backbone": arm, "parameters": 1_000_000} for arm in arms},
        "classes": ["angry", "happy"],
        "space": {
            "budget": {"max_epochs": EPOCHS},
            "scheduler": {"kind": "asha", "grace_epochs": 2, "reduction_factor": 2},
            "stopper": {"enabled": True, "patience": 3},
            "audit": {"share": 0.1},
            "compare": {"replicates": max((row["replicate"] for row in rows), default=0) + 1},
            **(space or {}),
        },
        "choices": [
            {k: v for k, v in choice.items() if k in ("arm", "replicate", "trial", "value", "runs")}
            for choice in frozen
        ],
    }
    confirmed = [_row(1000 + k, row, arms[0]) for k, row in enumerate(confirmations)]
    return Search(
        root=Path("nowhere"),
        manifest=manifest,
        manifests=(manifest,),
        scored=(bool(confirmations),),
        arms=tuple(arms),
        classes=("angry", "happy"),
        trials=_frame("trials", rows),
        confirmations=_frame("trials", confirmed),
        epochs=_frame("epochs", [e for row in rows for e in _epochs(row)]),
        confusion=_frame("confusion"),
        predictions=_frame("predictions"),
        floors=_frame("predictions"),
        thumbnails=_frame("thumbnails"),
        latency=latency or {},
    )


def _row(number: int, row: Mapping[str, Any], arm: str) -> dict[str, Any]:
    scores = row.get("scores", ())
    length = row.get("epochs", len(scores))
    state = row.get("state", "complete")
    reason = {"complete": "completed", "pruned": "asha", "failed": "error"}.get(state, state)
    seconds = row.get("pace", 10.0) * length
    return {
        "trial": number,
        "arm": arm,
        "replicate": 0,
        "cohort": "tpe",
        "seed": number,
        "unfreeze_depth": 1,
        "crop_size": 48,
        "state": state,
        "stop_reason": reason,
        "epochs": length,
        "max_epochs": EPOCHS,
        "best_val_macro_f1": max(scores, default=np.nan),
        "seconds": seconds,
        "accelerator_seconds": seconds / 2,
        "cpu_seconds": 2 * seconds,
        "peak_memory_mib": 1000.0,
        **row,
    }


def _epochs(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    scores = row.get("scores", ())
    level = [1.0] * len(scores)
    return [
        {
            **{key: row[key] for key in ("trial", "arm", "replicate", "cohort")},
            "epoch": epoch,
            "train_loss": train,
            "val_loss": val,
            "val_macro_f1": score,
            "seconds": row.get("pace", 10.0),
        }
        for epoch, (score, train, val) in enumerate(
            zip(scores, row.get("train", level), row.get("val", level), strict=True), start=1
        )
    ]


def _frame(table: str, rows: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    empty: pd.DataFrame = SCHEMAS[table].empty_table().to_pandas()
    return pd.DataFrame(rows).reindex(columns=SCHEMAS[table].names) if rows else empty


def reported(
    search: Search,
    name: str,
    section: Callable[[Evidence], Json],
    chapter: Callable[[Report], Chapter],
    settings: Settings | None = None,
) -> tuple[Json, Chapter]:
    """One section and its chapter, made from that section, the search's and the arms'.

    Those of a planned search are made once.
    """
    name_of = {id(planned(plan)): plan for plan in _loaded}
    if id(search) in name_of:
        return _planned(name_of[id(search)], name, section, chapter, settings)
    return _made(search, name, section, chapter, settings)


@cache
def _planned(plan: str, *rest: Any) -> tuple[Json, Chapter]:
    return _made(planned(plan), *rest)


def _made(
    search: Search,
    name: str,
    section: Callable[[Evidence], Json],
    chapter: Callable[[Report], Chapter],
    settings: Settings | None,
) -> tuple[Json, Chapter]:
    evidence = evidence_of(search, settings)
    report: Json = plain(
        {
            "search": search_section(evidence),
            "arms": arm_sections(evidence),
            name: section(evidence),
        }
    )
    return report[name], chapter(some(report))


def page(search: Search, chapter: Chapter) -> str:
    """The page of one chapter alone."""
    evidence = evidence_of(search)
    report = plain({"search": search_section(evidence), "verdict": verdict_section(evidence)})
    return render_html(some(report), Content(opening=(), chapters=(chapter,)))
