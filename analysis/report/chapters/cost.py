"""What the search cost, and which arm or trial gives the most for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.blocks import (
    Block,
    Cell,
    Chapter,
    Fold,
    Heading,
    Row,
    Table,
    Text,
    columns,
    text,
)
from analysis.report.chapters.cost_figures import COSTS, arms_picture, trials_picture
from analysis.report.cursor import At, Form
from analysis.report.rows import arms_table

#: Up to as many arms the lead names each.
_NAMED = 3


def chapter(report: At) -> Chapter:
    """Hours and prices per arm, stage and study; speed and size; Pareto fronts."""
    cost = report["cost"]
    if not cost["total"]["both"]["n"].value:
        return _chapter("Nothing has been spent on a trial that has ended yet.")
    blocks: list[Block] = [_table(cost)]
    if cost["running"].value:
        still = formats.plural(cost["running"].value, "trial")
        blocks.append(Text(words=f"Without {still} that had not ended.", faint=True))
    blocks += _studies(cost)
    fronts = [picture for picture in (arms_picture(report), trials_picture(report)) if picture]
    if fronts:
        blocks += [Heading(words="Score against cost"), Text(words=_RULE), *fronts]
    return _chapter(_lead(report), *blocks)


_RULE = (
    "On the Pareto front is what nothing else beats in score without costing more. The fronts go "
    "by the values as they are: a lead that is smaller than its interval counts all the same, so "
    "read them beside the verdict."
)


def _chapter(lead: str, *blocks: Block) -> Chapter:
    return Chapter(name="cost", title="Cost", lead=lead, blocks=blocks)


# -- in a sentence ----------------------------------------------------------------------------


def _lead(report: At) -> str:
    cost = report["cost"]
    unit = f"{cost['resource'].value}-hours"
    arms = sorted(cost["arms"], key=lambda arm: arm["both"]["value"].value)
    if len(arms) > _NAMED:
        cheap, dear = (f"{_hours(arm)} ({arm['arm'].value})" for arm in (arms[0], arms[-1]))
        said = f"The arms cost from {cheap} to {dear} {unit}"
    else:
        first, *others = cost["arms"]
        said = f"{first['arm'].value} cost {_hours(first)} {unit}"
        if others:
            against = (f"{arm['arm'].value}'s {_hours(arm)}" for arm in others)
            said += f" against {formats.listing(against)}"
    return f"{said}{_sum(cost)}{_front_words(report)}."


def _sum(cost: At) -> str:
    total, price = cost["total"], cost["total"]["price"]
    parts = [f"{_hours(total)} in all"] if len(cost["arms"]) > 1 else []
    if price:
        parts.append(f"{formats.money(price['value'].value)} {price['unit'].value}")
    return f" ({formats.listing(parts)})" if parts else ""


def _hours(stages: At) -> str:
    return formats.hours(stages["both"]["value"].value)


def _front_words(report: At) -> str:
    """Who is on which front of score against cost, where at least two arms have scores."""
    scored = [arm["arm"].value for arm in report["arms"] if arm["test_macro_f1"]]
    if len(scored) < 2:
        return ""
    fronts = {name: on for name, on in report["cost"]["fronts"].value.items() if on}
    if len(scored) > _NAMED:
        on = formats.listing(fronts["search"])
        return f"; on the Pareto front of score against search cost stand {on}"
    parts = [f"{arm} for {_which(arm, fronts)}" for arm in scored]
    return f"; on the Pareto front of score against cost stand {'; '.join(parts)}"


def _which(arm: str, fronts: dict[str, list[str]]) -> str:
    mine = [COSTS[name].name for name, on in fronts.items() if arm in on]
    return formats.listing(mine) or "nothing"


# -- tables -----------------------------------------------------------------------------------


def _table(cost: At) -> Table:
    unit = f"{cost['resource'].value}-hours"
    lines: dict[str, Callable[[At], Cell]] = {
        f"search, {unit}": lambda arm: _stage(arm["search"]),
        f"confirmation, {unit}": lambda arm: _stage(arm["confirmation"]),
        f"both, {unit}": lambda arm: arm["both"].estimate(formats.hours),
    }
    if cost["price_per_hour"].value is not None:
        lines[f"price of both, {cost['currency'].value}"] = lambda arm: arm["price"].estimate(
            formats.money
        )
    lines |= {
        f"one more study, {unit}": lambda arm: arm["one_more"]["study"].estimate(formats.hours),
        f"one more seed, {unit}": lambda arm: arm["one_more"]["seed"].estimate(formats.hours),
        "epochs per hour of a trial": lambda arm: arm["epochs_per_hour"].estimate(formats.count),
        "seconds per epoch, median trial": lambda arm: arm["seconds_per_epoch"].estimate(
            formats.general
        ),
        "ms per picture, median": lambda arm: _measured(arm, "p50_ms"),
        "ms per picture, 95 % within": lambda arm: _measured(arm, "p95_ms"),
        "peak memory in training, MiB": lambda arm: _measured(
            arm, "peak_memory_mib", formats.count
        ),
        "parameters": lambda arm: arm["parameters"].cell(formats.millions),
    }
    price = cost["price_per_hour"].value
    at_price = (
        f" At {formats.money(price)} {cost['currency'].value} per hour."
        if price is not None
        else ""
    )
    arms = list(cost["arms"])
    return arms_table(
        "cost-arms",
        "What each arm cost",
        arms,
        [arm["arm"].value for arm in arms],
        lines,
        strong=(f"both, {unit}",),
        caption="Hours of runs that ended, without setting them up; the floors are not counted. "
        "One more study: its search and its confirmation, by the mean so far. In small print a "
        "95 % interval over trials, whose times depend on the sampled crop size and depth as much "
        "as on the arm. Time per picture, one at a time, and memory are of the confirmed "
        f"configurations, medians over their runs.{at_price}",
    )


def _stage(hours: At) -> Cell:
    one = "trial" if hours["of"].value == "trials" else "run"
    return hours.estimate(formats.hours, small=formats.plural(hours["n"].value, one))


def _measured(arm: At, name: str, form: Form = formats.general) -> Cell:
    if not arm["latency"]:
        return text(formats.NOTHING)
    return arm["latency"][name].estimate(form)


def _studies(cost: At) -> tuple[Block, ...]:
    """Hours of every study, folded; nothing where no arm has more than one."""
    if max(len(arm["studies"]) for arm in cost["arms"]) < 2:
        return ()
    unit = f"{cost['resource'].value}-hours"
    priced = cost["price_per_hour"].value is not None
    heads = ["study", "search", "confirmation", "both"]
    heads += [f"price, {cost['currency'].value}"] if priced else []
    table = Table(
        name="cost-studies",
        label="What each study cost",
        columns=columns("arm", *heads, numeric=heads),
        rows=tuple(_study_row(arm, study, priced=priced) for arm in cost["arms"]
                   for study in arm["studies"]),
        caption=f"In {unit}.",
        tall=sum(len(arm["studies"]) for arm in cost["arms"]) > 12,
    )  # fmt: skip
    return (Fold(summary="What each study cost", blocks=(table,)),)


def _study_row(arm: At, study: At, *, priced: bool) -> Row:
    stages: Sequence[Cell] = [
        study[stage].estimate(formats.hours) for stage in ("search", "confirmation", "both")
    ]
    price = [study["price"].estimate(formats.money)] if priced else []
    return Row(
        cells=(text(arm["arm"].value), study["replicate"].cell(formats.count), *stages, *price)
    )
