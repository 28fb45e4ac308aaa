"""How it was done, and what threatens the conclusion."""

from __future__ import annotations

from analysis.formats import count, points
from analysis.loading import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, flat
from analysis.units import FAMILIES
from analysis.verdict import MEANINGFUL


def section(evidence: Evidence) -> Json:
    """Method in sentences, and the manifest's seeds, versions and hardware as rows."""
    search = evidence.search
    return {
        "sentences": _sentences(search, evidence.settings.smallest_effect),
        "threats": _threats(search),
        "seeds": flat(search.get("seeds", default={})),
        "versions": flat(search.get("versions", default={})),
        "hardware": flat(search.get("hardware", default={})),
    }


def _sentences(search: Search, smallest_effect: float) -> list[str]:
    several = search.unit == "study"
    unit = "the study, with the mean over its seeds as value" if several else "the seed"
    return [
        "Each study's trial with the best validation "
        f"{search.metric_name} among those that ran to the end or ended as overfit "
        "is chosen, retrained in full with every confirmation seed, taken at its best validation "
        "epoch and scored once on the test split. The choice must be frozen before the first "
        "test score is read; the checklist says whether it was.",
        "Macro-F1 is the unweighted mean of the classes' F1, from 0 to 1; a class neither present "
        "nor predicted counts 0. One point is 0.01. Clean test pictures are those that neither "
        "stand in training as well nor have a copy with another label.",
        f"The unit of the comparison is {unit}. An arm's interval is Student's t over units, the "
        "difference's is Welch's; with more than two arms the intervals cover jointly (Bonferroni) "
        "and zero counts as excluded by Holm's adjusted p-value.",
        f"P(A > B) is Mann-Whitney U / (n m), ties half; {MEANINGFUL} or more is called "
        "meaningful. Its interval is a percentile bootstrap's over units and, where one arm "
        "wins every pair, Newcombe's score interval. The smallest effect of interest is "
        f"{points(smallest_effect)} points of macro-F1.",
        "Arms and floors are set against each other by percentile bootstrap intervals over the "
        "test pictures, models held fixed: an arm is above a floor when the intervals are apart.",
        "Onset is the epoch of the minimum of the smoothed validation loss, if validation loss "
        "lies above it in the trial's last epochs and training loss has fallen since.",
    ]


def _threats(search: Search) -> list[str]:
    best, bias = ("lowest", "low") if search.metric == "loss" else ("highest", "high")
    threats = [
        "One dataset and one test split: intervals over seeds or studies do not cover the luck of "
        "which pictures the test split holds; the interval over pictures does.",
        "The result holds for this search space, budget and weights recipe. An arm whose best "
        "configuration lies outside the space is judged by a worse one.",
        f"The best validation {search.metric_name} is the {best} of many and so too {bias}; only "
        "test scores are compared.",
    ]
    if search.replicates < FAMILIES:
        threats.append(
            f"With fewer than {FAMILIES} independent studies per arm the luck of the search itself "
            "is not measured: the same search with other seeds could choose other configurations."
        )
    test, clean = search.get("splits", "test"), search.get("splits", "test_clean")
    if test is not None and clean is not None and clean < test:
        threats.append(
            f"{count(test - clean)} of {count(test)} test pictures also stand in the source's "
            "training split or carry conflicting labels; the clean score leaves them out."
        )
    return threats
