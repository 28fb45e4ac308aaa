"""Tables of single arms and runs: scores, units, selection optimism, single checkpoints."""

from __future__ import annotations

from collections.abc import Callable

from analysis import formats
from analysis.formats import listing, points
from analysis.report.effect.schema import Duel
from analysis.report.presentation.blocks import Cell, Column, Row, Table, columns, text
from analysis.report.presentation.cells import cell, estimate, pair_name
from analysis.report.presentation.tables import arms_table
from analysis.report.schema import Arm, Report


def arms(report: Report) -> Table:
    """All scores of each arm."""
    entries = [arm for arm in report.arms if arm.test_macro_f1]
    metric = report.search.metric

    unit = formats.units(report.search.unit)
    best, bias = ("minimum", "downwards") if metric == "loss" else ("maximum", "upwards")
    score = formats.score
    lines: dict[str, Callable[[Arm], Cell]] = {
        "test macro-F1": lambda arm: estimate(arm.test_macro_f1, score),
        "macro-F1, clean pictures": lambda arm: estimate(arm.test_clean_macro_f1, score),
        "test accuracy": lambda arm: estimate(arm.test_accuracy, score),
        "accuracy, clean pictures": lambda arm: estimate(arm.test_clean_accuracy, score),
        "macro-F1, interval over pictures": lambda arm: estimate(
            arm.test_macro_f1_over_pictures, score
        ),
        "standard deviation over runs, points": lambda arm: estimate(arm.spread, points),
        "confirmation runs": lambda arm: cell(arm.confirmation_runs, formats.count),
        f"best validation {metric}": lambda arm: estimate(arm.best_validation, score),
    }
    return arms_table(
        "effect-arms",
        "Scores by arm",
        entries,
        [arm.arm for arm in entries],
        lines,
        caption=f"Scores from 0 to 1. 95 % intervals over {unit}; the interval over pictures "
        f"treats the models as fixed. The best validation {metric} is the {best} of many and "
        f"therefore biased {bias}.",
        strong=("test macro-F1",),
    )


def units(report: Report) -> Table:
    """Each unit's score; where the study is the unit, also the scores of its runs."""
    entries = [arm for arm in report.arms if arm.test_macro_f1]
    study = report.search.unit == "study"
    labels = sorted({unit.label for arm in entries for unit in arm.units})
    runs = report.effect.runs

    def made(arm: Arm, label: int) -> Cell:
        mine = [unit for unit in arm.units if unit.label == label]
        own = [r for r in runs if r.arm == arm.arm and r.replicate == label] if study else []
        small = listing(formats.score(run.test_macro_f1) for run in own)
        return cell(mine[0].test_macro_f1, formats.score, small=small) if mine else text("")

    names = [arm.arm for arm in entries]
    word = "study" if study else "seed"
    return Table(
        name="effect-units",
        label=f"Test macro-F1 by {word}",
        columns=(Column(name=word), *(Column(name=name, numeric=True) for name in names)),
        rows=tuple(
            Row(cells=(text(label), *(made(arm, label) for arm in entries))) for label in labels
        ),
        caption="Small print: the runs of the study, one per seed." if study else "",
        tall=len(labels) > 12,
    )


def optimism(report: Report) -> Table | None:
    """How far the best validation score exceeds the test score of the same choice."""
    entries = [(arm.arm, arm.optimism) for arm in report.effect.arms if arm.optimism.total]
    of = next((found.total.of for _, found in entries if found.total), None)
    if of is None:
        return None
    heads = ("validation minus test, points", "lost by retraining", "validation to test split")
    return Table(
        name="effect-optimism",
        label="Selection optimism",
        columns=columns("arm", *heads, numeric=heads),
        rows=tuple(
            Row(
                cells=(
                    text(arm),
                    *(
                        estimate(gap, formats.signed_points)
                        for gap in (found.total, found.luck, found.splits)
                    ),
                )
            )
            for arm, found in entries
        ),
        caption=f"Means and 95 % intervals over {of}. The first column is the sum of the other "
        "two: what the chosen configuration lost when retrained with other seeds, and the gap "
        "between the validation and the test split.",
    )


def checkpoints(report: Report) -> Table | None:
    """Pairs of single runs on the same pictures; None without any."""
    entries = [pair.checkpoints for pair in report.effect.pairs if pair.checkpoints]
    if not entries:
        return None
    pairs = [pair for pair in report.effect.pairs if pair.checkpoints]
    lines: dict[str, Callable[[Duel], Cell]] = {
        "runs": lambda pair: text(" and ".join(f"trial {n}" for n in pair.trials)),
        "test pictures": lambda pair: cell(pair.pictures, formats.count),
        "only first correct": lambda pair: cell(pair.only_first, formats.count),
        "only second correct": lambda pair: cell(pair.only_second, formats.count),
        "both, neither correct": lambda pair: text(
            f"{formats.count(pair.both)}, {formats.count(pair.neither)}"
        ),
        "difference of accuracy, points": lambda pair: estimate(
            pair.accuracy_difference, formats.signed_points
        ),
        "exact McNemar test, p": lambda pair: estimate(pair.mcnemar, formats.probability),
        "difference of macro-F1, points": lambda pair: estimate(
            pair.difference, formats.signed_points
        ),
    }
    return arms_table(
        "effect-checkpoints",
        "Two single checkpoints",
        entries,
        [pair_name(pair) for pair in pairs],
        lines,
        caption="95 % interval of the macro-F1 difference: paired percentile bootstrap over test "
        "pictures, both models fixed.",
    )
