"""Cost of the search, and Pareto fronts of score against cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.cost.figures import COSTS, arms_picture, trials_picture
from analysis.report.cost.schema import CostArm, CostPart, Fronts, Phases, StudyCost
from analysis.report.presentation.blocks import (
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
from analysis.report.presentation.cells import cell, estimate
from analysis.report.presentation.tables import arms_table
from analysis.report.schema import Report
from analysis.report.values import Quantity

#: Up to this many arms the lead names each.
_NAMED = 3


def chapter(report: Report) -> Chapter:
    """Hours and prices by arm, phase and study; speed and size; Pareto fronts."""
    cost = report.cost
    if not cost.total.both.n:
        return _chapter("No trial has ended yet, so there is no cost to report.")
    blocks: list[Block] = [_table(cost)]
    if cost.running:
        still = formats.plural(cost.running, "trial")
        blocks.append(Text(words=f"Excluding {still} still running.", faint=True))
    blocks += _studies(cost)
    fronts = [picture for picture in (arms_picture(report), trials_picture(report)) if picture]
    if fronts:
        blocks += [Heading(words="Score against cost"), Text(words=_RULE), *fronts]
    return _chapter(_lead(report), *blocks)


_RULE = (
    "An arm or trial is on the Pareto front if no other has at least its score at no higher cost. "
    "Fronts use point estimates: a lead smaller than its interval counts, too, so read them "
    "together with the verdict."
)


def _chapter(lead: str, *blocks: Block) -> Chapter:
    return Chapter(name="cost", title="Cost", lead=lead, blocks=blocks)


# -- in a sentence ----------------------------------------------------------------------------


def _lead(report: Report) -> str:
    cost = report.cost
    unit = f"{cost.resource}-hours"
    arms = sorted(cost.arms, key=lambda arm: arm.both.value)
    if len(arms) > _NAMED:
        cheap, dear = (f"{_hours(arm)} ({arm.arm})" for arm in (arms[0], arms[-1]))
        lead = f"The arms cost from {cheap} to {dear} {unit}"
    else:
        first, *others = cost.arms
        lead = f"{first.arm} cost {_hours(first)} {unit}"
        if others:
            against = (f"{_hours(arm)} for {arm.arm}" for arm in others)
            lead += f", compared with {formats.listing(against)}"
    return f"{lead}{_sum(cost)}{_front_words(report)}."


def _sum(cost: CostPart) -> str:
    total, price = cost.total, cost.total.price
    parts = [f"{_hours(total)} in total"] if len(cost.arms) > 1 else []
    if price:
        parts.append(f"{formats.money(price.value)} {price.unit}")
    return f" ({formats.listing(parts)})" if parts else ""


def _hours(phases: Phases) -> str:
    return formats.hours(phases.both.value)


def _front_words(report: Report) -> str:
    """Which arms are on which Pareto front, if at least two arms have scores."""
    scored = [arm.arm for arm in report.arms if arm.test_macro_f1]
    if len(scored) < 2:
        return ""
    fronts = report.cost.fronts
    if len(scored) > _NAMED:
        on = formats.listing(fronts.search)
        return f"; on the Pareto front of score against search cost: {on}"
    parts = [f"{arm} for {_which(arm, fronts)}" for arm in scored]
    return f"; on the Pareto front of score against cost: {'; '.join(parts)}"


def _which(arm: str, fronts: Fronts) -> str:
    mine = [cost.name for cost in COSTS if arm in cost.front(fronts)]
    return formats.listing(mine) or "nothing"


# -- tables -----------------------------------------------------------------------------------


def _table(cost: CostPart) -> Table:
    unit = f"{cost.resource}-hours"
    lines: dict[str, Callable[[CostArm], Cell]] = {
        f"search, {unit}": lambda arm: _phase(arm.search),
        f"confirmation, {unit}": lambda arm: _phase(arm.confirmation),
        f"both, {unit}": lambda arm: estimate(arm.both, formats.hours),
    }
    if cost.price_per_hour is not None:
        lines[f"price of both, {cost.currency}"] = lambda arm: estimate(arm.price, formats.money)
    lines |= {
        f"one more study, {unit}": lambda arm: estimate(arm.one_more.study, formats.hours),
        f"one more seed, {unit}": lambda arm: estimate(arm.one_more.seed, formats.hours),
        "epochs per hour of trial time": lambda arm: estimate(arm.epochs_per_hour, formats.count),
        "seconds per epoch, median trial": lambda arm: estimate(
            arm.seconds_per_epoch, formats.general
        ),
        "ms per picture, median": lambda arm: estimate(
            arm.latency.p50_ms if arm.latency else None, formats.general
        ),
        "ms per picture, 95th percentile": lambda arm: estimate(
            arm.latency.p95_ms if arm.latency else None, formats.general
        ),
        "measured beside other runs": lambda arm: _beside_others(arm.measured_beside_others),
        "peak memory in training, MiB": lambda arm: estimate(
            arm.latency.peak_memory_mib if arm.latency else None, formats.count
        ),
        "parameters": lambda arm: cell(arm.parameters, formats.millions),
    }
    price = cost.price_per_hour
    at_price = f" At {formats.money(price)} {cost.currency} per hour." if price is not None else ""
    arms = cost.arms
    return arms_table(
        "cost-arms",
        "Cost by arm",
        arms,
        [arm.arm for arm in arms],
        lines,
        strong=(f"both, {unit}",),
        caption="Hours of ended runs without setup; floors are not included. One more study: "
        "search and confirmation, by the mean so far. Small print: 95 % intervals over trials, "
        "whose times depend on the sampled crop size and depth as well as on the arm. Time per "
        "picture (batches of one) and memory are those of the confirmed configurations, medians "
        "over their runs; beside other runs on the same machine a picture takes longer."
        f"{at_price}",
    )


def _phase(hours: Quantity) -> Cell:
    one = "trial" if hours.of == "trials" else "run"
    return estimate(hours, formats.hours, small=formats.plural(hours.n, one))


def _beside_others(runs: Quantity | None) -> Cell:
    """Of how many runs the time per picture was measured while others ran."""
    if not runs:
        return text(formats.NOTHING)
    if runs.value is None:
        return text("not recorded")
    return cell(runs.value, formats.count, small=f"of {formats.plural(runs.n, 'run')}")


def _studies(cost: CostPart) -> tuple[Block, ...]:
    """Hours of every study, folded; nothing if no arm has more than one."""
    if max(len(arm.studies) for arm in cost.arms) < 2:
        return ()
    unit = f"{cost.resource}-hours"
    priced = cost.price_per_hour is not None
    heads = ["study", "search", "confirmation", "both"]
    heads += [f"price, {cost.currency}"] if priced else []
    table = Table(
        name="cost-studies",
        label="Cost by study",
        columns=columns("arm", *heads, numeric=heads),
        rows=tuple(_study_row(arm, study, priced=priced) for arm in cost.arms
                   for study in arm.studies),
        caption=f"In {unit}.",
        tall=sum(len(arm.studies) for arm in cost.arms) > 12,
    )  # fmt: skip
    return (Fold(summary="Cost by study", blocks=(table,)),)


def _study_row(arm: CostArm, study: StudyCost, *, priced: bool) -> Row:
    phases: Sequence[Cell] = [
        estimate(phase, formats.hours) for phase in (study.search, study.confirmation, study.both)
    ]
    price = [estimate(study.price, formats.money)] if priced else []
    return Row(cells=(text(arm.arm), cell(study.replicate, formats.count), *phases, *price))
