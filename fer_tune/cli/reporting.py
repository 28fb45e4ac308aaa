"""The commands `report`, `rank` and `compare`, which never write records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import typer
from rich.console import Console

from analysis import load, write_report
from analysis.settings import Settings
from fer_tune.console import say
from fer_tune.errors import UserError
from fer_tune.escaping import json_text
from fer_tune.records import Results
from fer_tune.storage import AnyPath, any_path


def show_report(
    folders: Sequence[AnyPath | str],
    out: AnyPath | str | None = None,
    settings: Settings | None = None,
    *,
    briefly: bool = False,
    as_json: bool = False,
) -> None:
    """The `report` command: writes the report and prints its summary, or just the verdict."""
    from analysis.outputs.terminal import summary_text
    from analysis.report.reading import read_report

    written = write_report(list(folders), out, settings)
    report = read_report(written.json, shown=True)
    if as_json:
        files = {name: file and str(file) for name, file in vars(written).items()}
        verdict = report.verdict.model_dump(mode="json", by_alias=True)
        typer.echo(json_text({"verdict": verdict, "files": files}, indent=2))
        return
    _say(report.verdict.sentence if briefly else f"\n{summary_text(report)}\n")
    _say(f"report: {written.html}")
    if written.explore and not briefly:
        _say(f"interactive plots: {written.explore}")


def started_since(folders: Sequence[str], since: float | None) -> list[str]:
    """The results folders whose search started at ``since`` or later; all without it.

    Raises:
        UserError: none of them did.
    """
    if since is None:
        return list(folders)
    recent = [f for f in folders if (Results.open(f).manifest().get("started") or 0) >= since]
    if not recent:
        raise UserError(
            "none of the searches started since then",
            where="--since",
            value=datetime.fromtimestamp(since).isoformat(sep=" ", timespec="minutes"),
            remedy="Name an earlier date",
        )
    return recent


def rank(folders: Sequence[AnyPath | str], settings: Settings, *, as_json: bool) -> None:
    """The `rank` command: the verdict and the arms from best to worst."""
    from analysis.outputs.terminal import rank_text
    from analysis.report import build
    from analysis.report.reading import typed

    document = build(load(list(folders)), settings)
    if as_json:
        keys = ("schema_version", "settings", "search", "verdict", "pairs", "arms", "floors")
        typer.echo(json_text({key: document[key] for key in keys}, indent=2))
    else:
        _say(rank_text(typed(document, shown=True)))


def compare(first: str, second: str, settings: Settings, *, as_json: bool) -> None:
    """The `compare` command: how two searches differ in settings and scores."""
    from analysis.outputs.contrast import contrast, contrast_text

    if any_path(first).resolve() == any_path(second).resolve():
        raise UserError(
            "is the same results folder as the first",
            where=str(any_path(second)),
            remedy="Compare two different folders",
        )
    found = contrast(load(first), load(second), settings)
    if as_json:
        typer.echo(json_text(found, indent=2))
    else:
        _say(contrast_text(found))


def _say(text: str) -> None:
    say(Console(), *text.split("\n"))
