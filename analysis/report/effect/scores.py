"""Tables of single arms and runs: scores, units, selection optimism, single checkpoints."""

from __future__ import annotations

from collections.abc import Callable

from analysis import formats
from analysis.formats import listing, points
from analysis.report.presentation.blocks import Cell, Column, Row, Table, columns, text
from analysis.report.presentation.cursor import At, pair_name
from analysis.report.presentation.tables import arms_table


def arms(report: At) -> Table:
    """All scores of each arm."""
    entries = [arm for arm in report["arms"] if arm["test_macro_f1"]]
    metric = report["search"]["metric"].value

    def of(key: str, form: Callable[[float | None], str] = formats.score) -> Callable[[At], Cell]:
        return lambda arm: arm[key].estimate(form)

    unit = formats.units(report["search"]["unit"].value)
    best, bias = ("minimum", "downwards") if metric == "loss" else ("maximum", "upwards")
    lines = {
        "test macro-F1": of("test_macro_f1"),
        "macro-F1, clean pictures": of("test_clean_macro_f1"),
        "test accuracy": of("test_accuracy"),
        "accuracy, clean pictures": of("test_clean_accuracy"),
        "macro-F1, interval over pictures": of("test_macro_f1_over_pictures"),
        "standard deviation over runs, points": of("spread", points),
        "confirmation runs": lambda arm: arm["confirmation_runs"].cell(formats.count),
        f"best validation {metric}": of("best_validation"),
    }
    return arms_table(
        "effect-arms",
        "Scores by arm",
        entries,
        [arm["arm"].value for arm in entries],
        lines,
        caption=f"Scores from 0 to 1. 95 % intervals over {unit}; the interval over pictures "
        f"treats the models as fixed. The best validation {metric} is the {best} of many and "
        f"therefore biased {bias}.",
        strong=("test macro-F1",),
    )


def units(report: At) -> Table:
    """Each unit's score; where the study is the unit, also the scores of its runs."""
    entries = [arm for arm in report["arms"] if arm["test_macro_f1"]]
    study = report["search"]["unit"].value == "study"
    labels = sorted({unit["label"].value for arm in entries for unit in arm["units"]})
    runs = list(report["effect"]["runs"])

    def cell(arm: At, label: int) -> Cell:
        mine = [unit for unit in arm["units"] if unit["label"].value == label]
        own = (
            [
                r
                for r in runs
                if r["arm"].value == arm["arm"].value and r["replicate"].value == label
            ]
            if study
            else []
        )
        small = listing(formats.score(run["test_macro_f1"].value) for run in own)
        return mine[0]["test_macro_f1"].cell(formats.score, small=small) if mine else text("")

    names = [arm["arm"].value for arm in entries]
    word = "study" if study else "seed"
    return Table(
        name="effect-units",
        label=f"Test macro-F1 by {word}",
        columns=(Column(name=word), *(Column(name=name, numeric=True) for name in names)),
        rows=tuple(
            Row(cells=(text(label), *(cell(arm, label) for arm in entries))) for label in labels
        ),
        caption="Small print: the runs of the study, one per seed." if study else "",
        tall=len(labels) > 12,
    )


def optimism(report: At) -> Table | None:
    """How far the best validation score exceeds the test score of the same choice."""
    entries = [arm for arm in report["effect"]["arms"] if arm["optimism"]["total"]]
    if not entries:
        return None
    heads = {
        "validation minus test, points": "total",
        "lost by retraining": "luck",
        "validation to test split": "splits",
    }
    of = entries[0]["optimism"]["total"]["of"].value
    return Table(
        name="effect-optimism",
        label="Selection optimism",
        columns=columns("arm", *heads, numeric=tuple(heads)),
        rows=tuple(
            Row(
                cells=(
                    text(arm["arm"].value),
                    *(
                        arm["optimism"][key].estimate(formats.signed_points)
                        for key in heads.values()
                    ),
                )
            )
            for arm in entries
        ),
        caption=f"Means and 95 % intervals over {of}. The first column is the sum of the other "
        "two: what the chosen configuration lost when retrained with other seeds, and the gap "
        "between the validation and the test split.",
    )


def checkpoints(report: At) -> Table | None:
    """Pairs of single runs on the same pictures; None without any."""
    entries = [pair["checkpoints"] for pair in report["effect"]["pairs"] if pair["checkpoints"]]
    if not entries:
        return None
    pairs = [pair for pair in report["effect"]["pairs"] if pair["checkpoints"]]
    lines: dict[str, Callable[[At], Cell]] = {
        "runs": lambda pair: text(" and ".join(f"trial {n}" for n in pair["trials"].value)),
        "test pictures": lambda pair: pair["pictures"].cell(formats.count),
        "only first correct": lambda pair: pair["only_first"].cell(formats.count),
        "only second correct": lambda pair: pair["only_second"].cell(formats.count),
        "both, neither correct": lambda pair: text(
            f"{formats.count(pair['both'].value)}, {formats.count(pair['neither'].value)}"
        ),
        "difference of accuracy, points": lambda pair: pair["accuracy_difference"].estimate(
            formats.signed_points
        ),
        "exact McNemar test, p": lambda pair: pair["mcnemar"].estimate(formats.probability),
        "difference of macro-F1, points": lambda pair: pair["difference"].estimate(
            formats.signed_points
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
