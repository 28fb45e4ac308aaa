"""Learning curves and the onset of overfitting, by arm and unfreeze depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from analysis import formats
from analysis.report.curves.figures import curve_pictures
from analysis.report.curves.onset_blocks import (
    arms_onset_table,
    onset_picture,
    onset_words,
)
from analysis.report.curves.schema import CurvesPart, DepthOnset, Onset, OnsetArm
from analysis.report.presentation.blocks import Block, Bullets, Chapter, Heading, Text
from analysis.report.schema import Report
from analysis.report.values import Known

#: Up to this many arms the lead names each.
_NAMED = 3


def chapter(report: Report) -> Chapter:
    """Curves, onsets, and the comparison with manual fine-tuning."""
    curves = report.curves
    drawn = any(arm.trials for arm in curves.arms)
    blocks: list[Block] = list(curve_pictures(report)) if drawn else []
    onset = onset_picture(report)
    if any(_counted(entry.all) for entry in curves.onsets):
        blocks.append(Heading(words="Onset of overfitting"))
        findings = tuple(_findings(curves))
        blocks += [Bullets(items=findings)] if findings else []
        blocks += [arms_onset_table(curves.onsets), *([onset] if onset else [])]
        blocks.append(Text(words=_definition(curves), faint=True))
    return Chapter(
        name="curves",
        title="Learning curves and overfitting",
        lead=_lead(curves, drawn=drawn),
        blocks=tuple(blocks),
    )


def _counted(onset: Onset) -> int:
    return int(onset.overfitted + onset.not_reached)


# -- in a sentence ----------------------------------------------------------------------------


def _lead(curves: CurvesPart, *, drawn: bool) -> str:
    known = [entry for entry in curves.onsets if _counted(entry.all)]
    if not drawn:
        return "No trial has reported an epoch yet."
    if not known:
        return "No trial has run long enough to show whether it overfits."
    reached = [
        (entry.all.median.value, entry)
        for entry in known
        if entry.all.median and entry.all.median.value is not None
    ]
    if not reached:
        return _hardly(known, curves.max_epochs)
    if len(known) <= _NAMED:
        onset = f"Median onset of overfitting: {_each(known)}"
    else:
        onset = _range([entry for _, entry in sorted(reached, key=lambda found: found[0])])
    return f"{onset}{_deeper(known)}."


def _hardly(known: Sequence[OnsetArm], longest: int | None) -> str:
    """The lead where in no arm more than half of the trials overfitted."""
    within = "" if longest is None else f" within {formats.plural(longest, 'epoch')}"
    if not any(entry.all.overfitted for entry in known):
        trials = sum(_counted(entry.all) for entry in known)
        return f"None of {formats.plural(trials, 'trial')} trained to the end overfitted{within}."
    shares = (f"{entry.all.overfitted} of {_counted(entry.all)} in {entry.arm}" for entry in known)
    return f"No more than half of the trials overfitted{within}: {formats.listing(shares)}."


def _each(entries: Sequence[OnsetArm]) -> str:
    return "; ".join(f"{entry.arm} {onset_words(entry.all)}" for entry in entries)


def _range(ordered: Sequence[OnsetArm]) -> str:
    (first, begins), (last, ends) = (
        (entry.arm, onset_words(entry.all)) for entry in (ordered[0], ordered[-1])
    )
    return f"Median onset of overfitting: earliest in {first}, {begins}, latest in {last}, {ends}"


def _deeper(entries: Sequence[OnsetArm]) -> str:
    """Arms whose onset is earlier at the largest unfreeze depth than at the smallest."""
    earlier = [entry.arm for entry in entries if _trend(entry) == "earlier"]
    if not earlier:
        return ""
    where = "every arm" if len(earlier) == len(entries) > 1 else formats.listing(earlier)
    return f"; in {where} it is earlier at the largest unfreeze depth than at the smallest"


def _ends(entry: OnsetArm) -> tuple[DepthOnset, DepthOnset] | None:
    """The smallest and the largest unfreeze depth that have an interval."""
    bounded = [row for row in entry.depths if _interval(row)]
    return (bounded[0], bounded[-1]) if len(bounded) > 1 else None


def _interval(row: DepthOnset) -> tuple[float, float] | None:
    """The interval of the median, up to infinity where it is open above."""
    if row.median is None or row.median.low is None:
        return None
    return row.median.low, inf if row.median.high is None else row.median.high


def _trend(entry: OnsetArm) -> str:
    """``earlier`` or ``later`` with depth, ``level`` where intervals overlap, else empty."""
    ends = _ends(entry)
    shallow, deep = map(_interval, ends) if ends else (None, None)
    if shallow is None or deep is None:
        return ""
    if deep[1] < shallow[0]:
        return "earlier"
    return "later" if deep[0] > shallow[1] else "level"


# -- findings ---------------------------------------------------------------------------------


def _findings(curves: CurvesPart) -> Iterator[str]:
    for entry in curves.onsets:
        if _trend(entry):
            yield _depth_sentence(entry)
    yield from _late_best(curves)
    yield from _by_hand(curves)


def _depth_sentence(entry: OnsetArm) -> str:
    ends = _ends(entry)
    assert ends is not None
    shallow, deep = (
        f"{onset_words(row)} at depth {row.depth}, over {formats.plural(_counted(row), 'trial')}"
        for row in ends
    )
    verdict = {
        "earlier": "the onset is earlier at the largest unfreeze depth than at the smallest",
        "later": "the onset is later at the largest unfreeze depth than at the smallest",
        "level": "the intervals at the smallest and the largest unfreeze depth overlap",
    }[_trend(entry)]
    return f"{entry.arm}: {verdict}: {shallow}; {deep}."


def _late_best(curves: CurvesPart) -> Iterator[str]:
    """Whether macro-F1 still rose after the onset."""
    known = [
        (entry.arm, entry.late_best.share, entry.late_best.epochs)
        for entry in curves.onsets
        if entry.late_best.share and entry.late_best.epochs
    ]
    if not known:
        return
    if len(known) <= _NAMED:
        late = f"in {formats.listing(_late(*found) for found in known)}"
    else:
        shares = [share.value for _, share, _ in known]
        late = f"in {formats.percent(min(shares))} (lowest arm) to {formats.percent(max(shares))}"
    cut = f" {_end_of_view(curves)}" if curves.stopper else ""
    yield (
        "Of the trials that overfitted, the best validation macro-F1 came after the onset, while "
        f"the loss rose, {late}.{cut}"
    )


def _end_of_view(curves: CurvesPart) -> str:
    """What the stopper hides."""
    patience = formats.plural(curves.patience or 0, "epoch")
    ends = f"The stopper ends a trial {patience} after its onset"
    if not curves.stopper_spares:
        return f"{ends}, so a later rise cannot be observed."
    metric = curves.stopper_spares
    return f"{ends}, or later if its {metric} still improves; a rise after that cannot be observed."


def _late(arm: str, share: Known, epochs: Known) -> str:
    return f"{formats.percent(share.value)} of {share.n} in {arm} (median {_shift(epochs.value)})"


def _shift(epochs: float) -> str:
    if not epochs:
        return "at the onset itself"
    number = formats.general(abs(epochs))
    unit = "epoch" if number == "1" else "epochs"
    return f"{number} {unit} {'after' if epochs > 0 else 'before'} it"


# -- manual fine-tuning -------------------------------------------------------------------------


def _by_hand(curves: CurvesPart) -> Iterator[str]:
    marked = [(e.by_hand, e) for e in curves.onsets if e.by_hand is not None]
    if not marked:
        return
    seen = formats.listing(f"{entry.arm} from epoch {hand}" for hand, entry in marked)
    found = " ".join(_against(hand, entry, curves.latest_visible) for hand, entry in marked)
    yield (
        "Comparison with the notebook that raised this question, in which one configuration per "
        f"backbone was fine-tuned manually and overfitted ({seen}): {found} Configurations and "
        "data differ, so this is an informal comparison, not a test."
    )


def _against(hand: int, entry: OnsetArm, latest: int | None) -> str:
    arm, median = entry.arm, entry.all.median
    if not median:
        return f"{arm}: unknown here."
    value, low, high = median.span
    if value is None:
        result = f"{arm}: no more than half of the trials overfitted at all."
    else:
        side = "earlier than" if value < hand else "later than" if value > hand else "the same as"
        result = (
            f"{arm} begins at epoch {formats.general(value)}, {side} in manual fine-tuning"
            f"{_covered(hand, low, high)}."
        )
    if latest is not None and hand > latest:
        result += f" An onset at {hand} cannot be observed here: trials end too soon after it."
    return result


def _covered(hand: int, low: float | None, high: float | None) -> str:
    if low is None:
        return " (too few trials for an interval)"
    inside = low <= hand and (high is None or hand <= high)
    return f" ({'within' if inside else 'outside'} the interval)"


def _definition(curves: CurvesPart) -> str:
    last = curves.latest_visible
    visible = "" if last is None else f", so none later than epoch {last} can be observed"
    return (
        "The onset is the epoch of the minimum of a trial's smoothed validation loss, if the loss "
        f"exceeds it in each of the last {formats.general(curves.patience)} epochs, all "
        "of them after the minimum, and the training loss has fallen since"
        f"{visible}. Intervals treat trials as independent, which trials "
        "proposed by the sampler are not, so they are descriptive."
    )
