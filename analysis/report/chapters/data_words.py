"""What the chapter on the data says in sentences."""

from __future__ import annotations

from analysis.formats import capped, count, general, listing, percent, points
from analysis.report.cursor import At

_DROPPED = {
    "leaked": "copies of test pictures",
    "conflicting": "pictures whose copies carry another label",
    "copy_of_validation": "copies of validation pictures",
}


def lead(data: At) -> str:
    """How much of the test split is not clean, and whether that changes anything."""
    test, clean = data["splits"]["test"].value, data["splits"]["test_clean"].value
    if test is None or clean is None:
        return "The manifest does not say yet how the data were split."
    share = (
        f"{count(test - clean)} of {count(test)} test pictures ({percent((test - clean) / test)})"
    )
    spoilt = (
        f"{share} also stand outside the test split or carry contradictory labels"
        if test > clean
        else f"All {count(test)} test pictures are clean"
    )
    return f"{spoilt}; {_effect(data)}."


def findings(data: At) -> tuple[str, ...]:
    """The audit in plain words, a sentence each."""
    counts = data["counts"].value
    told = [
        _copies(counts),
        _leaks(counts, data),
        _conflicts(counts, data),
        _blanks(counts),
        _balance(counts),
    ]
    return tuple(sentence for sentence in told if sentence)


def left_out(data: At) -> str:
    """What was taken out of training and validation."""
    dropped = [
        f"{count(number)} {_DROPPED.get(reason, reason.replace('_', ' '))}"
        for reason, number in data["dropped"].value.items()
        if number
    ]
    clean = f"Clean test pictures: {count(data['splits']['test_clean'].value)}."
    return f"{clean} Left out of training and validation: {listing(dropped) or 'none'}."


def _effect(data: At) -> str:
    rows = list(data["verdicts"])
    if not data["scores"]:
        return "nothing has been confirmed, so what that changes is not known"
    largest = max((abs(row["change"]["value"].value) for row in data["scores"]), default=0.0)
    moved = f"on clean pictures alone scores move by up to {points(largest)} points"
    if not rows:
        return moved
    if len(rows) > 1:
        decided = [row for row in rows if _decided(row)]
        kept = sum(not _changed(row) for row in decided)
        same = f", and {kept} of {len(decided)} verdicts stay the same" if decided else ""
        return f"{moved}{same}"
    row = rows[0]
    on_all, on_clean = (
        points(row[key]["value"].value, sign=True) for key in ("difference", "clean_difference")
    )
    told = f"{moved} and the difference is {on_clean} points ({on_all} on all)"
    if not _decided(row):
        return told
    return f"{told}; {_other_verdict(row) if _changed(row) else 'the verdict stays the same'}"


def _decided(row: At) -> bool:
    """Whether there is a verdict on all pictures and one on the clean ones."""
    return row["clean"].value is not None and row["all"].value != "not comparable"


def _other_verdict(row: At) -> str:
    turned = row["clean_first"].value != row["first"].value
    ahead = f" with {row['clean_first'].value} ahead" if turned else ""
    return f"the verdict would be {row['clean'].value!r}{ahead} instead of {row['all'].value!r}"


def _changed(row: At) -> bool:
    """Another verdict, or the same one in favour of the other arm, of a decided pair."""
    turned = row["clean_first"].value != row["first"].value
    return bool(row["clean"].value != row["all"].value or (turned and row["all"].value == "better"))


def _copies(counts: dict[str, float | None]) -> str:
    groups, copies = counts["copy_groups"], counts["copy_pictures"]
    if not groups or not copies:
        return "No picture is an exact copy of another." if groups == 0 else ""
    return (
        f"{count(copies)} of {count(counts['pictures'])} pictures are exact copies of one another, "
        f"in {_many(groups, 'group')}."
    )


def _leaks(counts: dict[str, float | None], data: At) -> str:
    training, validation = counts["test_in_training"], counts["test_in_validation"]
    if training is None:
        return ""
    if not training and not validation:
        return "No test picture was also given for training."
    also = f", {count(validation)} in its validation split" if validation else ""
    kept = data["handling"]["leaks"].value == "keep"
    done = (
        "Their copies stayed in training, which flatters whoever remembers best."
        if kept
        else "Their copies were left out of training and validation; the test split is as it was."
    )
    stand = "stands" if training == 1 else "stand"
    return (
        f"{_many(training, 'test picture')} also {stand} in the source's training split{also}: "
        f"a model trained on them could know them by heart. {done}"
    )


def _conflicts(counts: dict[str, float | None], data: At) -> str:
    groups, pictures = counts["conflicting_groups"], counts["conflicting_pictures"]
    if groups is None:
        return ""
    if not groups or not pictures:
        return "No picture has a copy with another label."
    kept = data["handling"]["conflicts"].value == "keep"
    done = "were kept" if kept else "were left out"
    return (
        f"{_many(pictures, 'picture')} in {_many(groups, 'group')} of copies carry "
        "contradictory labels: the same picture under two expressions, so that at least one label "
        f"is wrong and no model can be right on all of them. Those in training {done}; those in "
        "test stay and count."
    )


def _blanks(counts: dict[str, float | None]) -> str:
    blank = counts["blank_pictures"]
    if blank is None:
        return ""
    if not blank:
        return "No picture is blank."
    return (
        f"{_many(blank, 'picture is', 'pictures are')} blank: one even shade, nothing to "
        "recognise. They stay where they were."
    )


def _balance(counts: dict[str, float | None]) -> str:
    ratio = counts["imbalance"]
    if ratio is None:
        return ""
    return capped(
        f"the largest class has {general(float(ratio))} times the pictures of the smallest; "
        "macro-F1 weighs every class the same."
    )


def _many(number: float, one: str, many: str = "") -> str:
    """``1 picture``, ``1,200 pictures``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
