"""The regret audit in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.presentation.blocks import Block, Cell, Text
from analysis.report.presentation.cursor import At, Form
from analysis.report.presentation.tables import arms_table

#: The smallest amount that is shown.
_LEAST = {"nats": "0.001", "points": "0.1"}


def audit_words(stopping: At) -> str:
    """Result of the audits of all arms, as the end of a sentence."""
    entries = list(stopping["regret"])
    compared, above = (_sum(entries, key) for key in ("compared", "above"))
    if not _sum(entries, "stopped") + _sum(entries, "audited"):
        return "ASHA stopped no trial"
    if not compared:
        audited = _sum(entries, "audited")
        why = f"none of {formats.plural(audited, 'audited trial')} has a known result"
        return f"its regret is unknown because {why if audited else 'no trial was audited'}"
    if not above:
        return f"of {formats.plural(compared, 'audited trial')} none ended above its study's choice"
    largest = max(entry["largest_regret"]["value"].value or 0.0 for entry in _known(entries))
    return (
        f"{above} of {formats.plural(compared, 'audited trial')} ended above its study's choice, "
        f"by {_amount(entries, largest)} at most"
    )


def audit_blocks(stopping: At) -> tuple[Block, ...]:
    """How often a stopped trial would have been the best, per arm, with intervals."""
    entries = list(stopping["regret"])
    share = stopping["audit_share"].value
    stopped = _sum(entries, "stopped") + _sum(entries, "audited")
    how = (
        f"A random {formats.percent(share)} of the trials that ASHA would stop continue to the "
        "end. They cannot be chosen, and to the sampler they count as stopped; their results show "
        "how often stopping loses the best trial."
    )
    if not stopped:
        return (Text(words="ASHA stopped no trial, so there is no regret."),)
    if not _known(entries):
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


def _table(entries: Sequence[At]) -> Block:
    form = _form(entries)
    lines: dict[str, Callable[[At], Cell]] = {
        "trials that ASHA stopped": lambda e: e["stopped"].cell(formats.count),
        "trials audited": lambda e: e["audited"].cell(formats.count),
        "of them above their study's choice": _above,
        "chance that a stopped trial was the best": lambda e: e["chance"].estimate(formats.percent),
        "chance that one in a study was": _in_study,
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
        caption=f"Small print: 95 % intervals; differences of the best validation value in "
        f"{unit}. Regret: how far the audited trial exceeds the choice, 0 where it is worse. One "
        "in a study: at least one of the stopped trials of an average study, assuming that they "
        "are independent.",
    )


def _above(entry: At) -> Cell:
    left_out = entry["audited"].value - entry["compared"].value
    small = f"of {entry['compared'].value}"
    small += f", {left_out} without a known result or choice" if left_out else ""
    return entry["above"].cell(formats.count, small=small)


def _in_study(entry: At) -> Cell:
    small = f"of about {formats.plural(entry['stopped_per_study'].value, 'stopped trial')}"
    return entry["chance_in_study"].estimate(formats.percent, small=small)


def _caveats(entries: Sequence[At]) -> list[str]:
    """What the intervals do not rule out."""
    bounds = [
        f"{entry['arm'].value} up to {formats.percent(entry['chance']['high'].value)}"
        for entry in _known(entries)
        if not entry["above"].value
    ]
    unknown = [
        entry["arm"].value
        for entry in entries
        if not entry["compared"].value and entry["stopped"].value + entry["audited"].value
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
    # Above the choice, but by less than the rounding.
    return f"less than {_LEAST[unit]} {unit}" if not float(text) else f"{text} {unit}"
