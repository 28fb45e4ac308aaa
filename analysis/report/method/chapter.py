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
from analysis.report.presentation.cursor import At
from analysis.report.presentation.tables import pairs_table


def chapter(report: At) -> Chapter:
    """Method, threats, command, seeds, versions and hardware."""
    method, search = report["method"], report["search"]
    seeds = listing(map(str, search["confirm_seeds"].value)) or "none"
    tables = [
        (Heading(words=title), pairs_table(key, title, method[key]))
        for key, title in (("seeds", "Seeds"), ("versions", "Versions"), ("hardware", "Hardware"))
        if method[key]
    ]
    found: tuple[Block, ...] = (Columns(parts=tuple(tables)),) if tables else ()
    return Chapter(
        name="method",
        title="Method and threats to validity",
        blocks=(
            Heading(words="Threats to validity"),
            Bullets(items=tuple(method["threats"].value)),
            Heading(words="Method"),
            Bullets(items=tuple(method["sentences"].value)),
            Heading(words="Reproduction"),
            Text(words=search["command"].value or NOTHING),
            Text(
                words="Time to first training step: "
                f"{duration(search['startup_seconds'].value)}. Confirmation seeds: {seeds}.",
                faint=True,
            ),
            Fold(summary="Seeds, versions, hardware", blocks=found) if found else Text(words=""),
        ),
    )
