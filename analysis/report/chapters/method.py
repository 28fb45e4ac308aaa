"""How it was done, what threatens the conclusion, and how to run it again."""

from __future__ import annotations

from analysis.formats import NOTHING, duration, listing
from analysis.report.blocks import Block, Bullets, Chapter, Columns, Fold, Heading, Text
from analysis.report.cursor import At
from analysis.report.rows import pairs_table


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
        title="Method and threats",
        blocks=(
            Heading(words="Threats to the conclusion"),
            Bullets(items=tuple(method["threats"].value)),
            Heading(words="How it was done"),
            Bullets(items=tuple(method["sentences"].value)),
            Heading(words="How to run it again"),
            Text(words=search["command"].value or NOTHING),
            Text(
                words=f"First training step {duration(search['startup_seconds'].value)} after the "
                f"command. Confirmation seeds: {seeds}.",
                faint=True,
            ),
            Fold(summary="Seeds, versions, hardware", blocks=found) if found else Text(words=""),
        ),
    )
