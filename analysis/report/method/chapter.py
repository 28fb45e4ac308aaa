"""Method, threats to validity, and how to reproduce the search."""

from __future__ import annotations

from analysis.formats import NOTHING, duration, listing
from analysis.report.presentation.blocks import (
    Block,
    Bullets,
    Chapter,
    Columns,
    Fold,
    Heading,
    Text,
)
from analysis.report.presentation.tables import pairs_table
from analysis.report.schema import Report


def chapter(report: Report) -> Chapter:
    """Method, threats, command, seeds, versions and hardware."""
    method, search = report.method, report.search
    seeds = listing(map(str, search.confirm_seeds)) or "none"
    tables = [
        (Heading(words=title), pairs_table(title.lower(), title, rows))
        for title, rows in (
            ("Seeds", method.seeds),
            ("Versions", method.versions),
            ("Hardware", method.hardware),
        )
        if rows
    ]
    found: tuple[Block, ...] = (Columns(parts=tuple(tables)),) if tables else ()
    return Chapter(
        name="method",
        title="Method and threats to validity",
        blocks=(
            Heading(words="Threats to validity"),
            Bullets(items=tuple(method.threats)),
            Heading(words="Method"),
            Bullets(items=tuple(method.sentences)),
            Heading(words="Reproduction"),
            Text(words=search.command or NOTHING),
            Text(
                words="Time to first training step: "
                f"{duration(search.startup_seconds)}. Confirmation seeds: {seeds}.",
                faint=True,
            ),
            Fold(summary="Seeds, versions, hardware", blocks=found) if found else Text(words=""),
        ),
    )
