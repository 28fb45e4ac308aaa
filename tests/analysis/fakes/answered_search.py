"""A search that holds nothing but hand-made answers on test pictures, and chapters of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from typed_report import some

from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.presentation.blocks import Block, Chapter, Columns, Fold
from analysis.report.quantities import Json, plain
from analysis.report.schema import Report
from analysis.report.verdict.section import search_section
from analysis.settings import Settings
from fer_tune.records import SCHEMAS
from fer_tune.scores import confusion, macro_f1


def answered(
    true: Sequence[int],
    probabilities: Mapping[str, ArrayLike],
    *,
    classes: Sequence[str] = ("angry", "happy", "sad"),
    replicates: int = 1,
    pictures: Sequence[str] | None = None,
    flags: Mapping[str, Sequence[int]] | None = None,
    thumbnails: Mapping[str, bytes] | None = None,
) -> Search:
    """One or more arms with r runs each.

    Args:
        true: class numbers (n,).
        probabilities: (r, n, C) by arm. Seeds count from 0; with several replicates they are
            dealt into them one after the other.
        pictures: content hashes (n,); all differ by default.
        flags: places of pictures by flag.
        thumbnails: PNGs by hash; none by default.
    """
    runs = [
        (arm, place, np.asarray(one, dtype=np.float32))
        for arm, all_runs in probabilities.items()
        for place, one in enumerate(np.asarray(all_runs))
    ]
    spoilt = {name: set((flags or {}).get(name, ())) for name in ("leaked", "conflicting", "blank")}
    hashes = [f"picture-{place}" for place in range(len(true))] if pictures is None else pictures
    rows, confirmations = [], []
    for trial, (arm, place, table) in enumerate(runs):
        who = {
            "trial": trial,
            "arm": arm,
            "replicate": place % replicates,
            "cohort": "confirm",
            "seed": place // replicates,
        }
        counts = confusion(np.asarray(true), table.argmax(axis=1), len(classes))
        confirmations.append({**who, "test_macro_f1": float(macro_f1(counts))})
        rows += [
            {
                **who,
                "split": "test",
                "picture": hashes[position],
                "position": 100 + position,
                "true_class": classes[true[position]],
                "predicted_class": classes[int(shares.argmax())],
                "probabilities": shares,
                **{name: position in places for name, places in spoilt.items()},
            }
            for position, shares in enumerate(table)
        ]
    arms = {arm: {"backbone": arm} for arm in probabilities}
    faces = [{"picture": name, "png": png} for name, png in (thumbnails or {}).items()]
    manifest = {
        "arms": arms,
        "classes": list(classes),
        "space": {"compare": {"replicates": replicates}},
    }
    return Search(
        root=Path("nowhere"),
        manifest=manifest,
        manifests=(manifest,),
        scored=(True,),
        arms=tuple(arms),
        classes=tuple(classes),
        trials=_frame("trials"),
        confirmations=_frame("trials", confirmations),
        epochs=_frame("epochs"),
        confusion=_frame("confusion"),
        predictions=_frame("predictions", rows),
        floors=_frame("predictions"),
        thumbnails=_frame("thumbnails", faces),
        latency={},
    )


def _frame(table: str, rows: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    if rows:
        return pd.DataFrame(rows).reindex(columns=SCHEMAS[table].names)
    empty: pd.DataFrame = SCHEMAS[table].empty_table().to_pandas()
    return empty


def evidence_of(search: Search, settings: Settings | None = None) -> Evidence:
    return Evidence(search=search, settings=settings or Settings())


def reported(
    search: Search,
    name: str,
    section: Callable[[Evidence], Json],
    chapter: Callable[[Report], Chapter | None],
    settings: Settings | None = None,
) -> tuple[Json, Chapter]:
    """One section and its chapter, made from nothing but that section and the search's own."""
    evidence = evidence_of(search, settings)
    report: Json = plain({"search": search_section(evidence), name: section(evidence)})
    made = chapter(some(report))
    assert made is not None
    found: Json = report[name]
    return found, made


def blocks_of(chapter: Chapter) -> list[Block]:
    """Every block, those inside folds and columns too."""

    def walk(blocks: Sequence[Block]) -> list[Block]:
        found: list[Block] = []
        for block in blocks:
            found.append(block)
            if isinstance(block, Fold):
                found += walk(block.blocks)
            elif isinstance(block, Columns):
                for part in block.parts:
                    found += walk(part)
        return found

    return walk(chapter.blocks)
