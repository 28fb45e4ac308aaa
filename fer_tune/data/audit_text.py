"""The audit as tables for a terminal or a file."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table

from fer_tune.console import cells, say, styled
from fer_tune.data.audit import DatasetAudit
from fer_tune.data.copies import MOST_SEARCHED


def tables(audit: DatasetAudit) -> list[Table]:
    """Pictures by class and split, then the findings."""
    return [_balance(audit), _findings(audit)]


def as_text(audit: DatasetAudit, width: int) -> str:
    """Both tables without colour, at most ``width`` characters wide."""
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False)
    say(console, *tables(audit), wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n")) + "\n"


def readings_line(searches: int, evaluations: int) -> str:
    """How often the labels of a test split have been read, as far as this machine knows."""
    counted = [
        f"{number:,} {one if number == 1 else one + ('es' if one == 'search' else 's')}"
        for number, one in ((searches, "search"), (evaluations, "evaluated model"))
        if number
    ]
    return f"test split read by: {' and '.join(counted) or 'nobody'}"


def _balance(audit: DatasetAudit) -> Table:
    splits = [split for split, counts in audit.counts.items() if any(counts.values())]
    table = Table(box=box.SIMPLE, title="Pictures by class and split", title_justify="left")
    table.add_column("class")
    for split in (*splits, "all", "share"):
        table.add_column(styled(split), justify="right")
    rows = [(name, [audit.counts[split][name] for split in splits]) for name in audit.classes]
    rows.append(("all", [sum(audit.counts[split].values()) for split in splits]))
    for name, counts in rows:
        share = f"{sum(counts) / audit.pictures:.1%}"
        if name == "all":
            table.add_section()
        table.add_row(*cells(name, *(f"{n:,}" for n in (*counts, sum(counts))), share))
    return table


def _near(audit: DatasetAudit) -> list[tuple[str, int | None, int | None]]:
    if audit.near_groups is None:
        return [(f"near copies: not searched for (above {MOST_SEARCHED:,} pictures)", None, None)]
    return [
        ("near copies", audit.near_groups, audit.near_pictures),
        ("near copies across splits", audit.near_across_splits, None),
        ("further test pictures with near copies in training", None, audit.near_in_training),
        ("further test pictures with near copies in validation", None, audit.near_in_validation),
    ]


def _findings(audit: DatasetAudit) -> Table:
    table = Table(box=box.SIMPLE, title="Findings", title_justify="left")
    table.add_column("finding")
    table.add_column("groups", justify="right")
    table.add_column("pictures", justify="right")
    rows: list[tuple[str, int | None, int | None]] = [
        ("exact copies", audit.copy_groups, audit.copy_pictures),
        ("copies across splits", audit.groups_across_splits, None),
        ("test pictures also in training", None, audit.test_in_training),
        ("test pictures also in validation", None, audit.test_in_validation),
        ("copies with different labels", audit.conflicting_groups, audit.conflicting_pictures),
        *_near(audit),
        ("blank (standard deviation below 1)", audit.blank_contents, audit.blank_pictures),
    ]
    for name, groups, pictures in rows:
        table.add_row(*cells(name, *("" if n is None else f"{n:,}" for n in (groups, pictures))))
    table.add_section()
    table.add_row(*cells("largest class / smallest class", "", f"{audit.imbalance:.2f}"))
    for name, (height, width) in (("smallest", audit.smallest), ("largest", audit.largest)):
        table.add_row(*cells(f"{name} picture (height x width)", "", f"{height} x {width}"))
    table.add_row(*cells("channels", "", audit.channels))
    return table
