"""Method and threats to validity."""

from __future__ import annotations

import pandas as pd

from analysis.formats import count, points
from analysis.inputs.search import Search
from analysis.inputs.units import FAMILIES
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, flat
from analysis.verdict.decision import MEANINGFUL


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
    unit = "the study, its value the mean over its seeds" if several else "the seed"
    return [
        "The trial of each study with the best validation "
        f"{search.metric_name} among complete and overfit trials is chosen, retrained in full with "
        "every confirmation seed, and scored once on the test split, at its best validation epoch. "
        "The choice must be frozen before the first test score is read, which a validity check "
        "verifies.",
        "Macro-F1 is the unweighted mean of the classes' F1, from 0 to 1; a class neither present "
        "nor predicted counts 0. One point is 0.01. Clean test pictures have no copy in "
        "training or validation and no copy with another label.",
        f"The unit of analysis is {unit}. The interval of an arm is Student's t over units, that "
        "of a difference is Welch's; with more than two arms the intervals cover jointly "
        "(Bonferroni), and Holm's adjusted p-value decides whether zero is excluded.",
        f"P(A > B) is Mann-Whitney U / (n m), ties count half; {MEANINGFUL} or more is called "
        "meaningful. Its interval is a percentile bootstrap over units or, where one arm wins "
        "every pair, Newcombe's score interval. The smallest effect of interest is "
        f"{points(smallest_effect)} points of macro-F1.",
        "Arms and floors are compared by percentile bootstrap intervals over the test pictures "
        "with the models fixed: an arm is above a floor if the interval of the difference is "
        "above zero.",
        "The onset of overfitting is the epoch of the minimum of the smoothed validation loss, if "
        "the validation loss exceeds it in the last epochs of the trial and the training loss has "
        "fallen since." + _stopper(search),
    ]


def _stopper(search: Search) -> str:
    """When an onset ends a trial, as a further sentence."""
    if not search.get("space", "stopper", "enabled", default=False):
        return ""
    if search.training_versions[0] == 1:
        return " The overfit stopper ends a trial with an onset."
    return (
        " The overfit stopper ends a trial with an onset, unless one of these last epochs has its "
        f"best {search.metric_name} so far."
    )


def _threats(search: Search) -> list[str]:
    loss = search.metric == "loss"
    best, bias = ("minimum", "downwards") if loss else ("maximum", "upwards")
    threats = [
        "One dataset and one test split: intervals over seeds or studies do not account for the "
        "choice of test pictures; the interval over pictures does.",
        "The result is limited to this search space, budget and weights recipe. An arm whose best "
        "configuration is outside the space is judged by a worse one.",
        f"The best validation {search.metric_name} is the {best} of many and therefore biased "
        f"{bias}; only test scores are compared.",
    ]
    if search.replicates < FAMILIES:
        threats.append(
            f"With fewer than {FAMILIES} independent studies per arm the variance of the search "
            "is not measured: the same search with other seeds may choose other configurations."
        )
    if search.training_versions[0] == 1 and _mixes_weights_and_smoothing(search):
        threats.append(
            "Trials with both label smoothing and class weights were trained by a loss that "
            "favours rare classes: earlier versions scaled the smoothing, too, by class weights."
        )
    test, clean = search.get("splits", "test"), search.get("splits", "test_clean")
    if test is not None and clean is not None and clean < test:
        threats.append(
            f"{count(test - clean)} of {count(test)} test pictures have copies outside the test "
            "split or conflicting labels; the clean score excludes them."
        )
    return threats


def _mixes_weights_and_smoothing(search: Search) -> bool:
    trials = pd.concat([search.trials, search.confirmations])
    return bool(((trials["class_weights"] == "balanced") & (trials["label_smoothing"] > 0)).any())
