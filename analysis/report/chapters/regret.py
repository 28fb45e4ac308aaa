"""The regret audit in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.blocks import Block, Cell, Text
from analysis.report.cursor import At, Form
from analysis.report.rows import arms_table

#: The smallest amount that is shown.
_LEAST = {"nats": "0.001", "points": "0.1"}


def audit_words(stopping: At) -> str:
    """What the audits of all arms found, as the end of a sentence."""
    entries = list(stopping["regret"])
    compared, above = (_sum(entries, key) for key in ("compared", "above"))
    if not _sum(entries, "stopped") + _sum(entries, "audited"):
        return "ASHA stopped no trial"
    if not compared:
        audited = _sum(entries, "audited")
        why = f"none of {formats.plural(audited, 'audited trial')} came to a known end"
        return f"what it may have cost is unknown, as {why if audited else 'no trial was audited'}"
    if not above:
        return f"of {formats.plural(compared, 'audited trial')} none ended above its study's choice"
    largest = max(entry["largest_regret"]["value"].value or 0.0 for entry in _known(entries))
    return (
        f"{above} of {formats.plural(compared, 'audited trial')} ended above its study's choice, "
        f"by {_amount(entries, largest)} at most"
    )


def audit_blocks(stopping: At) -> tuple[Block, ...]:
    """How often a stopped trial was the best, per arm, and how sure that is."""
    entries = list(stopping["regret"])
    share = stopping["audit_share"].value
    stopped = _sum(entries, "stopped") + _sum(entries, "audited")
    how = (
        f"Of the trials that ASHA would stop, {formats.percent(share)} run on to their own end, "
        "drawn without regard to how they do. They cannot be chosen, and the sampler is told that "
        "they were stopped; how they end tells how often stopping costs the best trial."
    )
    if not stopped:
        return (Text(words="ASHA stopped no trial, so it cost none."),)
    if not _known(entries):
        audited = "audited and came to a known end"
        why = "the share is 0" if not share else f"of {stopped} such trials none was {audited}"
        return (
            Text(words=how) if share else Text(words="The search audits no trial."),
            Text(
                words=f"Nothing is known of what ASHA may have cost, since {why}: anything from "
                "never to always agrees with that."
            ),
        )
    return (
        Text(words=how),
        _table(entries),
        *(Text(words=words) for words in _cautions(entries)),
    )


def _table(entries: Sequence[At]) -> Block:
    form = _form(entries)
    lines: dict[str, Callable[[At], Cell]] = {
        "trials that ASHA stopped": lambda e: e["stopped"].cell(formats.count),
        "trials audited": lambda e: e["audited"].cell(formats.count),
        "of them ended above their study's choice": _above,
        "chance that a stopped trial was the best": lambda e: e["chance"].estimate(formats.percent),
        "chance that one of a study's was": _in_study,
        "audited trial minus choice, median": lambda e: e["margin"].estimate(form),
        "regret, median": lambda e: e["regret"].estimate(form),
        "regret, largest": lambda e: e["largest_regret"].estimate(form),
    }
    unit = "nats" if _in_nats(entries) else "points"
    return arms_table(
        "stopping-regret",
        "Regret audit",
        entries,
        [entry["arm"].value for entry in entries],
        lines,
        strong=("chance that a stopped trial was the best",),
        caption=f"In small print 95 % intervals; differences of the best validation value in "
        f"{unit}. Regret is what the choice would have gained by the audited trial, 0 where that "
        "is worse. One of a study's: at least one of as many stopped trials as a study has on "
        "average, taken as independent.",
    )


def _above(entry: At) -> Cell:
    left_out = entry["audited"].value - entry["compared"].value
    small = f"of {entry['compared'].value}"
    small += f", {left_out} without a known end or choice" if left_out else ""
    return entry["above"].cell(formats.count, small=small)


def _in_study(entry: At) -> Cell:
    small = f"of about {formats.plural(entry['stopped_per_study'].value, 'stopped trial')}"
    return entry["chance_in_study"].estimate(formats.percent, small=small)


def _cautions(entries: Sequence[At]) -> list[str]:
    """What the intervals leave open."""
    said = [
        f"{entry['arm'].value} up to {formats.percent(entry['chance']['high'].value)}"
        for entry in _known(entries)
        if not entry["above"].value
    ]
    unknown = [
        entry["arm"].value
        for entry in entries
        if not entry["compared"].value and entry["stopped"].value + entry["audited"].value
    ]
    cautions = []
    if said:
        cautions.append(
            "Having seen none is not never: by its interval the chance that a stopped trial was "
            f"the best may still be, in {formats.listing(said)}."
        )
    if unknown:
        cautions.append(
            f"Nothing is known of {formats.listing(unknown)}: no audited trial came to a known end."
        )
    return cautions


def _known(entries: Sequence[At]) -> list[At]:
    return [entry for entry in entries if entry["compared"].value]


def _sum(entries: Sequence[At], key: str) -> int:
    return sum(entry[key].value for entry in entries)


def _in_nats(entries: Sequence[At]) -> bool:
    return any(e["regret"]["unit"].value.startswith("nats") for e in _known(entries))


def _form(entries: Sequence[At]) -> Form:
    return formats.score if _in_nats(entries) else formats.points


def _amount(entries: Sequence[At], value: float) -> str:
    text, unit = _form(entries)(value), "nats" if _in_nats(entries) else "points"
    # Above the choice, but by less than is shown.
    return f"less than {_LEAST[unit]} {unit}" if not float(text) else f"{text} {unit}"
