"""What `report`, `rank` and `compare` do: reading records, never writing any."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from fer_tune.errors import UserError
from fer_tune.storage import Place, place

if TYPE_CHECKING:
    from analysis.settings import Settings


def show_report(
    folders: Sequence[Place | str],
    out: Place | str | None = None,
    settings: Settings | None = None,
    *,
    briefly: bool = False,
) -> None:
    """The `report` command: writes the report and prints its summary, or just its sentence."""
    from analysis import write_report
    from analysis.terminal import summary_text

    written = write_report(list(folders), out, settings)
    document = json.loads(written.json.read_text(encoding="utf-8"))
    _say(document["verdict"]["sentence"] if briefly else f"\n{summary_text(document)}\n")
    _say(f"report: {written.html}")
    if written.explore and not briefly:
        _say(f"interactive plots: {written.explore}")


def rank(folders: Sequence[Place | str], settings: Settings, *, as_json: bool) -> None:
    """The `rank` command: the verdict and the arms from best to worst."""
    from analysis import load
    from analysis.report import build
    from analysis.terminal import rank_text

    document = build(load(list(folders)), settings)
    if as_json:
        kept = ("schema_version", "settings", "search", "verdict", "pairs", "arms", "floors")
        _say(json.dumps({key: document[key] for key in kept}, ensure_ascii=False, indent=2))
    else:
        _say(rank_text(document))


def compare(first: str, second: str, settings: Settings, *, as_json: bool) -> None:
    """The `compare` command: what two searches did differently, and what it changed."""
    from analysis import load
    from analysis.contrast import contrast, contrast_text

    if place(first).resolve() == place(second).resolve():
        raise UserError(
            "is the same results folder as the first",
            where=str(place(second)),
            remedy="Name two different ones",
        )
    found = contrast(load(first), load(second), settings)
    _say(json.dumps(found, ensure_ascii=False, indent=2) if as_json else contrast_text(found))


def _say(text: str) -> None:
    Console().print(text, highlight=False, markup=False, soft_wrap=True)
