"""Early stopping: epochs saved, rung fidelity, the regret audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.presentation.blocks import Block, Cell, Chapter, Heading, Table, Text
from analysis.report.presentation.cursor import At
from analysis.report.presentation.tables import arms_table
from analysis.report.stopping.figures import CAUSES, epochs_picture, fidelity_picture
from analysis.report.stopping.regret_blocks import audit_blocks, audit_words


def chapter(report: At) -> Chapter:
    """Epochs and time saved, rung fidelity, and the regret audit."""
    stopping = report["stopping"]
    arms = list(stopping["arms"])
    if not _total(arms, "trials"):
        return _chapter("No trial has ended yet.")
    blocks: list[Block] = [_table(stopping), epochs_picture(report)]
    if stopping["rungs"]:
        blocks += [Heading(words="Rung fidelity"), *_fidelity(report)]
        blocks += [Heading(words="Regret audit"), *audit_blocks(stopping)]
    return _chapter(_lead(stopping), *blocks)


def _chapter(lead: str, *blocks: Block) -> Chapter:
    return Chapter(name="stopping", title="Early stopping", lead=lead, blocks=blocks)


def _down(here: At, path: Sequence[str]) -> At:
    for step in path:
        here = here[step]
    return here


def _total(arms: Sequence[At], *path: str) -> int:
    return sum(_down(arm, path).value for arm in arms)


def _lead(stopping: At) -> str:
    arms = list(stopping["arms"])
    if not (stopping["rungs"] or stopping["stopper"].value):
        return "This search uses no early stopping, neither by score nor by overfitting."
    saved = {cause: _total(arms, "saved", cause) for cause in CAUSES}
    total, allowed = sum(saved.values()), _total(arms, "allowed")
    lead = f"Early stopping saved none of {formats.count(allowed)} epochs"
    if total:
        parts = [f"{CAUSES[cause]} {formats.count(n)}" for cause, n in saved.items() if n]
        hours = sum(arm["saved_hours"]["value"].value for arm in arms)
        lead = (
            f"Early stopping saved {formats.count(total)} of {formats.count(allowed)} epochs "
            f"({formats.percent(total / allowed)}: {formats.listing(parts)}), an estimated "
            f"{formats.hours(hours)} {stopping['resource'].value}-hours"
        )
    return f"{lead}; {audit_words(stopping)}." if stopping["rungs"] else f"{lead}."


def _table(stopping: At) -> Table:
    arms = list(stopping["arms"])

    def counted(*path: str) -> Callable[[At], Cell]:
        return lambda arm: _down(arm, path).cell(formats.count)

    states = {f"trials: {state}": counted("states", state) for state in arms[0]["states"].value}
    saved = {f"epochs saved: {name}": counted("saved", cause) for cause, name in CAUSES.items()}
    lines: dict[str, Callable[[At], Cell]] = {
        **states,
        "trials: audited": counted("audited"),
        "epochs allowed": counted("allowed"),
        "epochs run": counted("run"),
        **saved,
        "epochs lost to failures": counted("lost_to_failure"),
        "epochs run for the audit": counted("spent_on_audit"),
        f"{stopping['resource'].value}-hours saved, estimate": _saved,
    }
    return arms_table(
        "stopping-arms",
        "Trials by state, and epochs",
        arms,
        [arm["arm"].value for arm in arms],
        lines,
        strong=("epochs run",),
        caption="Pruned: stopped by ASHA. Audited: counted as pruned but continued, so ASHA saved "
        "none of their epochs. Epochs allowed: run, saved or lost. ASHA's savings are counted to "
        "the last epoch, even for trials that the overfit stopper would have ended. Hours: epochs "
        "saved times the median time per epoch of the trial.",
    )


def _saved(arm: At) -> Cell:
    trials = formats.plural(arm["saved_hours"]["n"].value, "trial")
    return arm["saved_hours"].estimate(formats.hours, small=f"over {trials} that ended early")


def _fidelity(report: At) -> tuple[Block, ...]:
    stopping = report["stopping"]
    rungs, factor = stopping["rungs"].value, stopping["reduction_factor"].value
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
