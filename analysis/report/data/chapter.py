"""The dataset: audit findings, splits, and their effect on scores and verdict."""

from __future__ import annotations

from analysis import formats
from analysis.report.data import tables as data_tables
from analysis.report.data.schema import DataPart
from analysis.report.data.words import findings, lead, left_out
from analysis.report.presentation.blocks import (
    Block,
    Bullets,
    Chapter,
    Columns,
    Fold,
    Heading,
    Table,
    Text,
)
from analysis.report.presentation.tables import pairs_table
from analysis.report.schema import Report


def chapter(report: Report) -> Chapter:
    """Findings and splits first, then their effect on scores and verdict."""
    data = report.data
    split = data.splits.test is not None
    return Chapter(
        name="data",
        title="Data audit and its effect",
        lead=lead(data),
        blocks=(*_audit(data), *(_splits(data) if split else ()), *_effect(report)),
    )


def _audit(data: DataPart) -> tuple[Block, ...]:
    if not data.counts:
        return (Text(words="The manifest has no audit."),)
    fingerprint = formats.general(data.fingerprint)
    return (
        Heading(words="Audit findings"),
        Bullets(items=findings(data)),
        Fold(
            summary="All numbers of the audit",
            blocks=(
                pairs_table("audit", "Audit", data.audit),
                Text(words=f"Dataset fingerprint {fingerprint}.", faint=True),
            ),
        ),
    )


def _splits(data: DataPart) -> tuple[Block, ...]:
    figure = data_tables.balance(data)
    table = (data_tables.splits(data), Text(words=left_out(data), faint=True))
    return (
        Heading(words="Pictures by class and split"),
        Columns(parts=(table, *(((figure,),) if figure else ()))),
    )


def _effect(report: Report) -> tuple[Block, ...]:
    data = report.data
    tables = _present(
        data_tables.scores(report), data_tables.verdicts(data), data_tables.subsets(data)
    )
    return (Heading(words="Effect on scores and verdict"), *tables) if tables else ()


def _present(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in tables if table is not None)
