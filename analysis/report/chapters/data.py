"""The data: what the audit found, and what it changes about the scores and the verdict."""

from __future__ import annotations

from analysis import formats
from analysis.report.blocks import (
    Block,
    Bullets,
    Chapter,
    Columns,
    Fold,
    Heading,
    Table,
    Text,
)
from analysis.report.chapters import data_tables
from analysis.report.chapters.data_words import findings, lead, left_out
from analysis.report.cursor import At
from analysis.report.rows import pairs_table


def chapter(report: At) -> Chapter:
    """Findings and splits first, then their effect on scores and verdict."""
    data = report["data"]
    split = data["splits"]["test"].value is not None
    return Chapter(
        name="data",
        title="Data audit and its effect",
        lead=lead(data),
        blocks=(*_audit(data), *(_splits(data) if split else ()), *_effect(report)),
    )


def _audit(data: At) -> tuple[Block, ...]:
    if not data["counts"]:
        return (Text(words="The manifest holds no audit."),)
    fingerprint = formats.general(data["fingerprint"].value)
    return (
        Heading(words="What the audit found"),
        Bullets(items=findings(data)),
        Fold(
            summary="Every number of the audit",
            blocks=(
                pairs_table("audit", "Audit", data["audit"]),
                Text(words=f"Dataset fingerprint {fingerprint}.", faint=True),
            ),
        ),
    )


def _splits(data: At) -> tuple[Block, ...]:
    figure = data_tables.balance(data)
    table = (data_tables.splits(data), Text(words=left_out(data), faint=True))
    return (
        Heading(words="Pictures by class and split"),
        Columns(parts=(table, *(((figure,),) if figure else ()))),
    )


def _effect(report: At) -> tuple[Block, ...]:
    data = report["data"]
    tables = _present(
        data_tables.scores(report), data_tables.verdicts(data), data_tables.subsets(data)
    )
    return (Heading(words="What that changes"), *tables) if tables else ()


def _present(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in tables if table is not None)
