"""What early stopping cost and saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.blocks import Block, Cell, Chapter, Heading, Table, Text
from analysis.report.chapters.regret import audit_blocks, audit_words
from analysis.report.chapters.stopping_figures import CAUSES, epochs_picture, fidelity_picture
from analysis.report.cursor import At
from analysis.report.rows import arms_table
from fer_tune.records import TRIAL_STATES


def chapter(report: At) -> Chapter:
    """Epochs and time that were spared, whether rungs judged well, and what may have been lost."""
    stopping = report["stopping"]
    arms = list(stopping["arms"])
    if not _total(arms, "trials"):
        return _chapter("No trial has ended yet.")
    blocks: list[Block] = [_table(stopping), epochs_picture(report)]
    if stopping["rungs"]:
        blocks += [Heading(words="How well a rung foretells the end"), *_fidelity(report)]
        blocks += [Heading(words="The regret audit"), *audit_blocks(stopping)]
    return _chapter(_lead(stopping), *blocks)


def _chapter(lead: str, *blocks: Block) -> Chapter:
    return Chapter(
        name="stopping", title="What early stopping cost and saved", lead=lead, blocks=blocks
    )


def _down(here: At, path: Sequence[str]) -> At:
    for step in path:
        here = here[step]
    return here


def _total(arms: Sequence[At], *path: str) -> int:
    return sum(_down(arm, path).value for arm in arms)


def _lead(stopping: At) -> str:
    arms = list(stopping["arms"])
    if not (stopping["rungs"] or stopping["stopper"].value):
        return "Nothing was stopped for its score or for overfitting: the search does neither."
    saved = {cause: _total(arms, "saved", cause) for cause in CAUSES}
    spared, allowed = sum(saved.values()), _total(arms, "allowed")
    said = f"Early stopping spared none of {formats.count(allowed)} epochs"
    if spared:
        parts = [f"{CAUSES[cause]} {formats.count(n)}" for cause, n in saved.items() if n]
        hours = sum(arm["saved_hours"]["value"].value for arm in arms)
        said = (
            f"Early stopping spared {formats.count(spared)} of {formats.count(allowed)} epochs "
            f"({formats.percent(spared / allowed)}: {formats.listing(parts)}), by estimate "
            f"{formats.hours(hours)} {stopping['resource'].value}-hours"
        )
    return f"{said}; {audit_words(stopping)}." if stopping["rungs"] else f"{said}."


def _table(stopping: At) -> Table:
    arms = list(stopping["arms"])

    def counted(*path: str) -> Callable[[At], Cell]:
        return lambda arm: _down(arm, path).cell(formats.count)

    states = {f"trials: {state}": counted("states", state) for state in TRIAL_STATES}
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
        "Trials by end, and epochs",
        arms,
        [arm["arm"].value for arm in arms],
        lines,
        strong=("epochs run",),
        caption="Pruned: stopped by ASHA. Audited: counted as pruned, but run on, so that ASHA "
        "saved nothing of them. Epochs allowed are those run, saved and lost. ASHA's are counted "
        "to the last epoch, also of trials that the overfit stopper would have ended. Hours: "
        "epochs saved times the median time of that trial's own epochs.",
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
        f"so far, and stops one that is not among the better {formats.percent(1 / factor)} of "
        "those that came there before it. The correlation of rank there and rank at the end says "
        "how far that can be trusted: 1 is the same order, 0 is none."
    )
    picture = fidelity_picture(report)
    return rule, picture or Text(words="Too few trials ran on past a rung to be ranked.")


def _epochs(rungs: Sequence[int]) -> str:
    return "epoch" if len(rungs) == 1 else "epochs"
