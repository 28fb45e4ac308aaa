"""Logistic regression on frozen features beside the confirmed scores."""

from __future__ import annotations

from analysis import formats
from analysis.report.presentation.blocks import Block, Chapter, Row, Table, Text, columns, text
from analysis.report.presentation.cells import cell, estimate
from analysis.report.probe.schema import ProbeAbout, ProbeCase, ProbePart
from analysis.report.schema import Report

_NAMES = {"macro_f1": "macro-F1", "accuracy": "accuracy", "loss": "loss"}
#: Up to this many arms the lead names each.
_NAMED = 3


def chapter(report: Report) -> Chapter:
    """A table by arm and crop size, and what it is not."""
    about, blocks = report.probe.about, list[Block]()
    if about and report.probe.cases:
        blocks = [_table(report, about), Text(words=_MEANING)]
        if not about.same_weights:
            words = f"The probe's weights, {about.weights}, are not those of the search."
            blocks.append(Text(words=words))
    return Chapter(
        name="probe",
        title="Logistic regression on frozen features",
        lead=_lead(report.probe),
        blocks=tuple(blocks),
    )


_MEANING = (
    "This describes how far the features of the untrained backbone carry by themselves; it is no "
    "check and does not affect the verdict. Its scores are of training pictures, predicted by "
    "regressions that saw neither them nor their copies; confirmed scores are of the test split, "
    "after training. A search that gains little over it has little to gain from training the "
    "backbone under this budget."
)


def _lead(probe: ProbePart) -> str:
    if probe.status == "other data":
        return (
            "probe.json was measured on another dataset than this search and is left out; "
            "`fer-tune probe --results FOLDER` measures it anew."
        )
    best: dict[str, ProbeCase] = {}
    for case in probe.cases:
        if case.arm not in best or case.macro_f1.value > best[case.arm].macro_f1.value:
            best[case.arm] = case
    if not best and probe.status == "measured":
        return (
            "probe.json holds no arm of this search; `fer-tune probe --results FOLDER` measures "
            "them."
        )
    if not best:
        return (
            "Not measured; `fer-tune probe --results FOLDER` adds it: a linear baseline by arm and "
            "crop size."
        )
    found = [
        f"{formats.score(case.macro_f1.value)} for {arm} ({case.crop_size} px)"
        for arm, case in sorted(best.items(), key=lambda pair: -pair[1].macro_f1.value)
    ]
    shown = found if len(found) <= _NAMED else [found[0], found[-1]]
    words = formats.listing(shown) if len(found) <= _NAMED else " down to ".join(shown)
    return (
        "Logistic regression on features of the backbones before any training has a "
        f"cross-validated macro-F1 of {words}."
    )


def _table(report: Report, about: ProbeAbout) -> Table:
    ordered = sorted(_NAMES, key=lambda metric: metric != about.metric)
    scores = [_NAMES[metric] for metric in ordered]
    heads = ["crop, pixels", "features", *scores, "confirmed test macro-F1"]
    return Table(
        name="probe-cases",
        label="Logistic regression on frozen features, by arm and crop size",
        columns=columns("arm", *heads, numeric=heads),
        rows=tuple(_row(report, case, ordered) for case in report.probe.cases),
        caption=f"{about.folds}-fold cross-validation on {formats.count(about.pictures)} training "
        f"pictures in {formats.count(about.groups)} groups (persons, copies), weights "
        f"{about.weights}, in {formats.duration(about.seconds)}. The regulariser was chosen within "
        f"the folds by {_NAMES[about.metric]}. Small print: 95 % intervals, of the probe over "
        "groups of pictures with the fitted models fixed, of confirmed scores over the units of "
        "the verdict.",
        tall=len(report.probe.cases) > 12,
    )


def _row(report: Report, case: ProbeCase, metrics: list[str]) -> Row:
    scores = {"macro_f1": case.macro_f1, "accuracy": case.accuracy, "loss": case.loss}
    (confirmed,) = (arm.test_macro_f1 for arm in report.arms if arm.arm == case.arm)
    return Row(
        cells=(
            text(case.arm),
            cell(case.crop_size, formats.count),
            cell(case.features, formats.count),
            *(estimate(scores[metric], formats.score) for metric in metrics),
            estimate(confirmed, formats.score),
        )
    )
