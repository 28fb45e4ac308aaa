"""The regret audit in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.presentation.blocks import Block, Cell, Text
from analysis.report.presentation.cells import Form, cell, estimate
from analysis.report.presentation.tables import arms_table
from analysis.report.stopping.schema import Regret, StoppingPart

#: The smallest amount that is shown.
_LEAST = {"nats": "0.001", "points": "0.1"}


def audit_words(stopping: StoppingPart) -> str:
    """Result of the audits of all arms, as the end of a sentence."""
    entries = stopping.regret
    compared, above = sum(e.compared for e in entries), sum(e.above for e in entries)
    audited = sum(e.audited for e in entries)
    if not sum(e.stopped for e in entries) + audited:
        return "ASHA stopped no trial"
    if not compared:
        why = f"none of {formats.plural(audited, 'audited trial')} has a known result"
        return f"its regret is unknown because {why if audited else 'no trial was audited'}"
    if not above:
        return f"of {formats.plural(compared, 'audited trial')} none ended above its study's choice"
    largest = max(e.largest_regret.value for e in entries if e.largest_regret)
    return (
        f"{above} of {formats.plural(compared, 'audited trial')} ended above its study's choice, "
        f"by {_amount(entries, largest)} at most"
    )


def audit_blocks(stopping: StoppingPart) -> tuple[Block, ...]:
    """How often a stopped trial would have been the best, per arm, with intervals."""
    entries = stopping.regret
    share = stopping.audit_share
    stopped = sum(e.stopped + e.audited for e in entries)
    how = (
        f"A random {formats.percent(share)} of the trials that ASHA would stop continue to the "
        "end. They cannot be chosen, and to the sampler they count as stopped; their results show "
        "how often stopping loses the best trial."
    )
    if not stopped:
        return (Text(words="ASHA stopped no trial, so there is no regret."),)
    if not any(e.compared for e in entries):
        audited = "audited with a known result"
        why = "the share is 0" if not share else f"of {stopped} such trials none was {audited}"
        return (
            Text(words=how) if share else Text(words="This search audits no trial."),
            Text(
                words=f"The regret is unknown, because {why}: the chance that a stopped trial was "
                "the best may be anything from 0 to 100 %."
            ),
        )
    return (
        Text(words=how),
        _table(entries),
        *(Text(words=words) for words in _caveats(entries)),
    )


def _table(entries: Sequence[Regret]) -> Block:
    form = _form(entries)
    lines: dict[str, Callable[[Regret], Cell]] = {
        "trials that ASHA stopped": lambda e: cell(e.stopped, formats.count),
        "trials audited": lambda e: cell(e.audited, formats.count),
        "of them above their study's choice": _above,
        "chance that a stopped trial was the best": lambda e: estimate(e.chance, formats.percent),
        "chance that one in a study was": _in_study,
        "audited trial minus choice, median": lambda e: estimate(e.margin, form),
        "regret, median": lambda e: estimate(e.regret, form),
        "regret, largest": lambda e: estimate(e.largest_regret, form),
    }
    unit = "nats" if _in_nats(entries) else "points"
    return arms_table(
        "stopping-regret",
        "Regret audit",
        entries,
        [entry.arm for entry in entries],
        lines,
        strong=("chance that a stopped trial was the best",),
        caption=f"Small print: 95 % intervals; differences of the best validation value in "
        f"{unit}. Regret: how far the audited trial exceeds the choice, 0 where it is worse. One "
        "in a study: at least one of the stopped trials of an average study, assuming that they "
        "are independent.",
    )


def _above(entry: Regret) -> Cell:
    left_out = entry.audited - entry.compared
    small = f"of {entry.compared}"
    small += f", {left_out} without a known result or choice" if left_out else ""
    return cell(entry.above, formats.count, small=small)


def _in_study(entry: Regret) -> Cell:
    small = f"of about {formats.plural(entry.stopped_per_study, 'stopped trial')}"
    return estimate(entry.chance_in_study, formats.percent, small=small)


def _caveats(entries: Sequence[Regret]) -> list[str]:
    """What the intervals do not rule out."""
    bounds = [
        f"{entry.arm} up to {formats.percent(entry.chance.high)}"
        for entry in entries
        if entry.chance and not entry.above
    ]
    unknown = [
        entry.arm for entry in entries if not entry.compared and entry.stopped + entry.audited
    ]
    caveats = []
    if bounds:
        caveats.append(
            "Zero observed cases do not rule it out: by the interval, the chance that a stopped "
            f"trial was the best may be, in {formats.listing(bounds)}."
        )
    if unknown:
        caveats.append(
            f"Unknown in {formats.listing(unknown)}: no audited trial has a known result."
        )
    return caveats


def _in_nats(entries: Sequence[Regret]) -> bool:
    return any(e.regret.unit.startswith("nats") for e in entries if e.regret)


def _form(entries: Sequence[Regret]) -> Form:
    return formats.score if _in_nats(entries) else formats.points


def _amount(entries: Sequence[Regret], value: float) -> str:
    text, unit = _form(entries)(value), "nats" if _in_nats(entries) else "points"
    # Above the choice, but by less than the rounding.
    return f"less than {_LEAST[unit]} {unit}" if not float(text) else f"{text} {unit}"
