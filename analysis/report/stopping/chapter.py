"""Early stopping: epochs saved, rung fidelity, the regret audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.presentation.blocks import Block, Cell, Chapter, Heading, Table, Text
from analysis.report.presentation.cells import cell, estimate
from analysis.report.presentation.tables import arms_table
from analysis.report.schema import Report
from analysis.report.stopping.figures import CAUSES, epochs_picture, fidelity_picture
from analysis.report.stopping.regret_blocks import audit_blocks, audit_words
from analysis.report.stopping.schema import (
    EndedByBudget,
    EndedWithoutGain,
    StoppingArm,
    StoppingPart,
)
from analysis.report.values import STATES, Int, StateCounts


def chapter(report: Report) -> Chapter:
    """Epochs and time saved, rung fidelity, and the regret audit."""
    stopping = report.stopping
    arms = stopping.arms
    if not any(arm.trials for arm in arms):
        return _chapter("No trial has ended yet.")
    blocks: list[Block] = [Text(words=_without_gain(ended)) for ended in stopping.without_gain]
    blocks += [Text(words=_by_budget(ended)) for ended in stopping.by_budget]
    blocks += [_table(stopping), epochs_picture(report)]
    if stopping.rungs:
        blocks += [Heading(words="Rung fidelity"), *_fidelity(report)]
        blocks += [Heading(words="Regret audit"), *audit_blocks(stopping)]
    return _chapter(_lead(stopping), *blocks)


def _chapter(lead: str, *blocks: Block) -> Chapter:
    return Chapter(name="stopping", title="Early stopping", lead=lead, blocks=blocks)


def _lead(stopping: StoppingPart) -> str:
    arms = stopping.arms
    if not (stopping.rungs or stopping.stopper):
        return "This search uses no early stopping, neither by score nor by overfitting."
    saved = {cause.name: sum(map(cause.epochs, arms)) for cause in CAUSES}
    total, allowed = sum(saved.values()), sum(arm.allowed for arm in arms)
    lead = f"Early stopping saved none of {formats.count(allowed)} epochs"
    if total:
        parts = [f"{name} {formats.count(n)}" for name, n in saved.items() if n]
        hours = sum(arm.saved_hours.value for arm in arms)
        lead = (
            f"Early stopping saved {formats.count(total)} of {formats.count(allowed)} epochs "
            f"({formats.percent(total / allowed)}: {formats.listing(parts)}), an estimated "
            f"{formats.hours(hours)} {stopping.resource}-hours"
        )
    return f"{lead}; {audit_words(stopping)}." if stopping.rungs else f"{lead}."


def _without_gain(ended: EndedWithoutGain) -> str:
    arms = formats.listing(
        f"{arm.arm} {arm.gain:.4f} against {arm.noise:.4f}" for arm in ended.arms
    )
    return (
        f"The search ended after {formats.plural(ended.trials, 'trial')} of each study, "
        f"{formats.count(ended.left)} fewer than its budget allowed: the gain expected of these "
        f"was below the noise of confirmation in every arm ({ended.unit}: {arms})."
    )


def _by_budget(ended: EndedByBudget) -> str:
    def shown(key: str, value: float) -> str:
        return formats.duration(value) if key == "wall_time" else f"{value:.2f}"

    needs = formats.listing(
        f"{of.key} {shown(of.key, of.needed)} of {shown(of.key, of.limit)}" for of in ended.limits
    )
    return (
        f"The search's budget was used up: {formats.count(ended.not_started)} of "
        f"{formats.count(ended.planned)} planned trials were not started. A further round "
        f"of {formats.plural(ended.round, 'trial')} needed {needs}, with what was "
        "reserved for confirmation."
    )


def _table(stopping: StoppingPart) -> Table:
    arms = stopping.arms

    states = {f"trials: {state}": _in_state(of) for state, of in STATES.items()}
    saved = {f"epochs saved: {cause.name}": _counted(cause.epochs) for cause in CAUSES}
    lines: dict[str, Callable[[StoppingArm], Cell]] = {
        **states,
        "trials: audited": _counted(lambda arm: arm.audited),
        "epochs allowed": _counted(lambda arm: arm.allowed),
        "epochs run": _counted(lambda arm: arm.run),
        **saved,
        "epochs lost to failures": _counted(lambda arm: arm.lost_to_failure),
        "epochs run for the audit": _counted(lambda arm: arm.spent_on_audit),
        f"{stopping.resource}-hours saved, estimate": _saved,
    }
    return arms_table(
        "stopping-arms",
        "Trials by state, and epochs",
        arms,
        [arm.arm for arm in arms],
        lines,
        strong=("epochs run",),
        caption="Pruned: stopped by ASHA. Audited: counted as pruned but continued, so ASHA saved "
        "none of their epochs. Epochs allowed: run, saved or lost. ASHA's savings are counted to "
        "the last epoch, even for trials that the overfit stopper would have ended. Hours: epochs "
        "saved times the median time per epoch of the trial.",
    )


def _counted(of: Callable[[StoppingArm], Int]) -> Callable[[StoppingArm], Cell]:
    return lambda arm: cell(of(arm), formats.count)


def _in_state(of: Callable[[StateCounts], Int]) -> Callable[[StoppingArm], Cell]:
    return _counted(lambda arm: of(arm.states))


def _saved(arm: StoppingArm) -> Cell:
    trials = formats.plural(arm.saved_hours.n, "trial")
    return estimate(arm.saved_hours, formats.hours, small=f"over {trials} that ended early")


def _fidelity(report: Report) -> tuple[Block, ...]:
    stopping = report.stopping
    rungs, factor = stopping.rungs, stopping.reduction_factor
    assert factor is not None, "ASHA has a reduction factor"
    where = formats.listing(str(rung) for rung in rungs)
    rule = Text(
        words=f"ASHA compares trials of one study at {_epochs(rungs)} {where} by their best value "
        f"so far, and stops a trial that is not in the top {formats.percent(1 / factor)} of those "
        "that reached the rung before it. Rung fidelity is the correlation of the rank at the rung "
        "and the final rank: 1 is the same order, 0 is no relation."
    )
    picture = fidelity_picture(report)
    return rule, picture or Text(words="Too few trials continued past a rung to be ranked.")


def _epochs(rungs: Sequence[int]) -> str:
    return "epoch" if len(rungs) == 1 else "epochs"
