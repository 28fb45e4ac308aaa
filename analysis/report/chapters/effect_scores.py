"""Tables on single arms and single runs: scores, units, optimism, two checkpoints."""

from __future__ import annotations

from collections.abc import Callable

from analysis import formats
from analysis.formats import listing, points
from analysis.report.blocks import Cell, Column, Row, Table, columns, text
from analysis.report.chapters.effect_tables import signed
from analysis.report.chapters.effect_words import pair_name
from analysis.report.cursor import At
from analysis.report.rows import arms_table
from analysis.units import plural_of


def arms(report: At) -> Table:
    """Everything that was scored of each arm."""
    entries = [arm for arm in report["arms"] if arm["test_macro_f1"]]
    metric = report["search"]["metric"].value

    def of(key: str, form: Callable[[float | None], str] = formats.score) -> Callable[[At], Cell]:
        return lambda arm: arm[key].estimate(form)

    unit = plural_of(report["search"]["unit"].value)
    best, bias = ("lowest", "low") if metric == "loss" else ("highest", "high")
    lines = {
        "test macro-F1": of("test_macro_f1"),
        "macro-F1, clean pictures": of("test_clean_macro_f1"),
        "test accuracy": of("test_accuracy"),
        "accuracy, clean pictures": of("test_clean_accuracy"),
        "macro-F1, interval over pictures": of("test_macro_f1_over_pictures"),
        "spread over runs, points": of("spread", points),
        "confirmation runs": lambda arm: arm["confirmation_runs"].cell(formats.count),
        f"best validation {metric}": of("best_validation"),
    }
    return arms_table(
        "effect-arms",
        "Scores of every arm",
        entries,
        [arm["arm"].value for arm in entries],
        lines,
        caption=f"Scores from 0 to 1. 95 % intervals over {unit}; the interval over pictures "
        "holds the models fixed. Spread: one standard deviation. "
        f"Best validation {metric} is the {best} of many and so too {bias}.",
        strong=("test macro-F1",),
    )


def units(report: At) -> Table:
    """Each unit's score, and those of its runs beneath it where the study is the unit."""
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
        label=f"Test macro-F1 of every {word}",
        columns=(Column(name=word), *(Column(name=name, numeric=True) for name in names)),
        rows=tuple(
            Row(cells=(text(label), *(cell(arm, label) for arm in entries))) for label in labels
        ),
        caption="In small print the runs of the study, a seed each." if study else "",
        tall=len(labels) > 12,
    )


def optimism(report: At) -> Table | None:
    """How far the best validation score was above the test score of the same choice."""
    entries = [arm for arm in report["effect"]["arms"] if arm["optimism"]["total"]]
    if not entries:
        return None
    heads = {
        "validation minus test, points": "total",
        "lost when trained again": "luck",
        "validation to test": "splits",
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
                    *(arm["optimism"][key].estimate(signed) for key in heads.values()),
                )
            )
            for arm in entries
        ),
        caption=f"Means and 95 % intervals over {of}. The first column is the sum of the other "
        "two: what the chosen configuration lost when it was trained again with other seeds, and "
        "what lies between the validation and the test split.",
    )


def checkpoints(report: At) -> Table | None:
    """Two runs at a time on the same pictures; None where there are none."""
    entries = [pair["checkpoints"] for pair in report["effect"]["pairs"] if pair["checkpoints"]]
    if not entries:
        return None
    pairs = [pair for pair in report["effect"]["pairs"] if pair["checkpoints"]]
    lines: dict[str, Callable[[At], Cell]] = {
        "runs": lambda duel: text(" and ".join(f"trial {n}" for n in duel["trials"].value)),
        "test pictures": lambda duel: duel["pictures"].cell(formats.count),
        "only the first is right": lambda duel: duel["only_first"].cell(formats.count),
        "only the second is right": lambda duel: duel["only_second"].cell(formats.count),
        "both, neither right": lambda duel: text(
            f"{formats.count(duel['both'].value)}, {formats.count(duel['neither'].value)}"
        ),
        "difference of accuracy, points": lambda duel: duel["accuracy_difference"].estimate(signed),
        "exact McNemar test of that, p": lambda duel: duel["mcnemar"].estimate(formats.probability),
        "difference of macro-F1, points": lambda duel: duel["difference"].estimate(signed),
    }
    return arms_table(
        "effect-checkpoints",
        "Two single checkpoints",
        entries,
        [pair_name(pair) for pair in pairs],
        lines,
        caption="The interval of macro-F1 is a paired percentile bootstrap over test pictures at "
        "95 %, both models held fixed.",
    )
