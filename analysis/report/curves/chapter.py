"""Learning curves and the onset of overfitting, by arm and unfreeze depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis import formats
from analysis.report.curves.figures import curve_pictures
from analysis.report.curves.onset_blocks import (
    arms_onset_table,
    onset_picture,
    onset_words,
)
from analysis.report.presentation.blocks import Block, Bullets, Chapter, Heading, Text
from analysis.report.presentation.cursor import At

#: Up to this many arms the lead names each.
_NAMED = 3


def chapter(report: At) -> Chapter:
    """Curves, onsets, and the comparison with manual fine-tuning."""
    curves = report["curves"]
    drawn = any(arm["trials"].value for arm in curves["arms"])
    blocks: list[Block] = list(curve_pictures(report)) if drawn else []
    onset = onset_picture(report)
    if any(_counted(entry["all"]) for entry in curves["onsets"]):
        blocks.append(Heading(words="Onset of overfitting"))
        findings = tuple(_findings(curves))
        blocks += [Bullets(items=findings)] if findings else []
        blocks += [arms_onset_table(curves["onsets"]), *([onset] if onset else [])]
        blocks.append(Text(words=_definition(curves), faint=True))
    return Chapter(
        name="curves",
        title="Learning curves and overfitting",
        lead=_lead(curves, drawn=drawn),
        blocks=tuple(blocks),
    )


def _counted(onset: At) -> int:
    return int(onset["overfitted"].value + onset["not_reached"].value)


# -- in a sentence ----------------------------------------------------------------------------


def _lead(curves: At, *, drawn: bool) -> str:
    known = [entry for entry in curves["onsets"] if _counted(entry["all"])]
    if not drawn:
        return "No trial has reported an epoch yet."
    if not known:
        return "No trial has run long enough to show whether it overfits."
    reached = [entry for entry in known if entry["all"]["median"]["value"].value is not None]
    if not reached:
        return _hardly(known, curves["max_epochs"].value)
    if len(known) <= _NAMED:
        onset = f"Median onset of overfitting: {_each(known)}"
    else:
        onset = _range(reached)
    return f"{onset}{_deeper(known)}."


def _hardly(known: Sequence[At], longest: int | None) -> str:
    """The lead where in no arm more than half of the trials overfitted."""
    within = "" if longest is None else f" within {formats.plural(longest, 'epoch')}"
    if not any(entry["all"]["overfitted"].value for entry in known):
        trials = sum(_counted(entry["all"]) for entry in known)
        return f"None of {formats.plural(trials, 'trial')} trained to the end overfitted{within}."
    shares = (
        f"{entry['all']['overfitted'].value} of {_counted(entry['all'])} in {entry['arm'].value}"
        for entry in known
    )
    return f"No more than half of the trials overfitted{within}: {formats.listing(shares)}."


def _each(entries: Sequence[At]) -> str:
    return "; ".join(f"{entry['arm'].value} {onset_words(entry['all'])}" for entry in entries)


def _range(reached: Sequence[At]) -> str:
    ordered = sorted(reached, key=lambda entry: entry["all"]["median"]["value"].value)
    (first, begins), (last, ends) = (
        (entry["arm"].value, onset_words(entry["all"])) for entry in (ordered[0], ordered[-1])
    )
    return f"Median onset of overfitting: earliest in {first}, {begins}, latest in {last}, {ends}"


def _deeper(entries: Sequence[At]) -> str:
    """Arms whose onset is earlier at the largest unfreeze depth than at the smallest."""
    earlier = [entry["arm"].value for entry in entries if _trend(entry) == "earlier"]
    if not earlier:
        return ""
    where = "every arm" if len(earlier) == len(entries) > 1 else formats.listing(earlier)
    return f"; in {where} it is earlier at the largest unfreeze depth than at the smallest"


def _ends(entry: At) -> tuple[At, At] | None:
    """The smallest and the largest unfreeze depth that have an interval."""
    bounded = [row for row in entry["depths"] if row["median"] and row["median"]["low"].value]
    return (bounded[0], bounded[-1]) if len(bounded) > 1 else None


def _trend(entry: At) -> str:
    """``earlier`` or ``later`` with depth, ``level`` where intervals overlap, else empty."""
    ends = _ends(entry)
    if ends is None:
        return ""
    (low, high), (deep_low, deep_high) = (
        (row["median"]["low"].value, row["median"]["high"].value) for row in ends
    )
    if deep_high is not None and deep_high < low:
        return "earlier"
    return "later" if high is not None and deep_low > high else "level"


# -- findings ---------------------------------------------------------------------------------


def _findings(curves: At) -> Iterator[str]:
    for entry in curves["onsets"]:
        if _trend(entry):
            yield _depth_sentence(entry)
    yield from _late_best(curves)
    yield from _by_hand(curves)


def _depth_sentence(entry: At) -> str:
    ends = _ends(entry)
    assert ends is not None
    shallow, deep = (
        f"{onset_words(row)} at depth {row['depth'].value}, over "
        f"{formats.plural(_counted(row), 'trial')}"
        for row in ends
    )
    verdict = {
        "earlier": "the onset is earlier at the largest unfreeze depth than at the smallest",
        "later": "the onset is later at the largest unfreeze depth than at the smallest",
        "level": "the intervals at the smallest and the largest unfreeze depth overlap",
    }[_trend(entry)]
    return f"{entry['arm'].value}: {verdict}: {shallow}; {deep}."


def _late_best(curves: At) -> Iterator[str]:
    """Whether macro-F1 still rose after the onset."""
    known = [entry for entry in curves["onsets"] if entry["late_best"]["share"]]
    if not known:
        return
    if len(known) <= _NAMED:
        late = f"in {formats.listing(_late(entry) for entry in known)}"
    else:
        shares = [entry["late_best"]["share"]["value"].value for entry in known]
        late = f"in {formats.percent(min(shares))} (lowest arm) to {formats.percent(max(shares))}"
    cut = f" {_end_of_view(curves)}" if curves["stopper"].value else ""
    yield (
        "Of the trials that overfitted, the best validation macro-F1 came after the onset, while "
        f"the loss rose, {late}.{cut}"
    )


def _end_of_view(curves: At) -> str:
    """What the stopper hides."""
    patience = formats.plural(curves["patience"].value or 0, "epoch")
    ends = f"The stopper ends a trial {patience} after its onset"
    if not curves["stopper_spares"]:
        return f"{ends}, so a later rise cannot be observed."
    metric = curves["stopper_spares"].value
    return f"{ends}, or later if its {metric} still improves; a rise after that cannot be observed."


def _late(entry: At) -> str:
    share, epochs = entry["late_best"]["share"], entry["late_best"]["epochs"]
    return (
        f"{formats.percent(share['value'].value)} of {share['n'].value} in {entry['arm'].value} "
        f"(median {_shift(epochs['value'].value)})"
    )


def _shift(epochs: float) -> str:
    if not epochs:
        return "at the onset itself"
    number = formats.general(abs(epochs))
    unit = "epoch" if number == "1" else "epochs"
    return f"{number} {unit} {'after' if epochs > 0 else 'before'} it"


# -- manual fine-tuning -------------------------------------------------------------------------


def _by_hand(curves: At) -> Iterator[str]:
    marked = [entry for entry in curves["onsets"] if entry["by_hand"].value is not None]
    if not marked:
        return
    seen = formats.listing(f"{e['arm'].value} from epoch {e['by_hand'].value}" for e in marked)
    found = " ".join(_against(entry, curves["latest_visible"].value) for entry in marked)
    yield (
        "Comparison with the notebook that raised this question, in which one configuration per "
        f"backbone was fine-tuned manually and overfitted ({seen}): {found} Configurations and "
        "data differ, so this is an informal comparison, not a test."
    )


def _against(entry: At, latest: int | None) -> str:
    arm, hand, onset = entry["arm"].value, entry["by_hand"].value, entry["all"]
    median = onset["median"]
    if not median:
        return f"{arm}: unknown here."
    value, low, high = (median[key].value for key in ("value", "low", "high"))
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


def _definition(curves: At) -> str:
    last = curves["latest_visible"].value
    visible = "" if last is None else f", so none later than epoch {last} can be observed"
    return (
        "The onset is the epoch of the minimum of a trial's smoothed validation loss, if the loss "
        f"exceeds it in each of the last {formats.general(curves['patience'].value)} epochs, all "
        "of them after the minimum, and the training loss has fallen since"
        f"{visible}. Intervals treat trials as independent, which trials "
        "proposed by the sampler are not, so they are descriptive."
    )
