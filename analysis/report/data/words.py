"""Sentences of the chapter on the dataset."""

from __future__ import annotations

from analysis.formats import NEAR_COPIES, capped, count, general, listing, percent, points
from analysis.report.presentation.cursor import At

_DROPPED = {
    "leaked": "copies of test pictures",
    "leaked_or_near": "copies and near copies of test pictures",
    "conflicting": "pictures with a copy of another label",
    "copy_of_validation": "copies of validation pictures",
}


def lead(data: At) -> str:
    """How much of the test split is not clean, and its effect."""
    test, clean = data["splits"]["test"].value, data["splits"]["test_clean"].value
    if test is None or clean is None:
        return "The splits are not recorded yet."
    share = (
        f"{count(test - clean)} of {count(test)} test pictures ({percent((test - clean) / test)})"
    )
    cleanness = (
        f"{share} have {'copies or near copies' if data['near_copies_count'].value else 'copies'} "
        "outside the test split or conflicting labels"
        if test > clean
        else f"All {count(test)} test pictures are clean"
    )
    return f"{cleanness}; {_effect(data)}."


def findings(data: At) -> tuple[str, ...]:
    """The findings of the audit, a sentence each."""
    counts = data["counts"].value
    sentences = (
        _copies(counts),
        _leaks(counts, data),
        _near(counts, data),
        _conflicts(counts, data),
        _blanks(counts),
        _balance(counts),
    )
    return tuple(sentence for sentence in sentences if sentence)


def left_out(data: At) -> str:
    """Pictures that were removed from training and validation."""
    near = bool(data["near_copies_count"].value)
    dropped = [
        f"{count(number)} {_dropped(reason, near=near)}"
        for reason, number in data["dropped"].value.items()
        if number
    ]
    clean = f"Clean test pictures: {count(data['splits']['test_clean'].value)}."
    return f"{clean} Removed from training and validation: {listing(dropped) or 'none'}."


def _dropped(reason: str, *, near: bool) -> str:
    key = "leaked_or_near" if near and reason == "leaked" else reason
    return _DROPPED.get(key, key.replace("_", " "))


def _effect(data: At) -> str:
    rows = list(data["verdicts"])
    if not data["scores"]:
        return "the effect is unknown before confirmation"
    largest = max((abs(row["change"]["value"].value) for row in data["scores"]), default=0.0)
    moved = f"on clean pictures alone scores change by up to {points(largest)} points"
    if not rows:
        return moved
    if len(rows) > 1:
        decided = [row for row in rows if _decided(row)]
        unchanged = sum(not _changed(row) for row in decided)
        same = f", and {unchanged} of {len(decided)} verdicts stay the same" if decided else ""
        return f"{moved}{same}"
    row = rows[0]
    on_all, on_clean = (
        points(row[key]["value"].value, sign=True) for key in ("difference", "clean_difference")
    )
    effect = f"{moved} and the difference is {on_clean} points ({on_all} on all)"
    if not _decided(row):
        return effect
    return f"{effect}; {_other_verdict(row) if _changed(row) else 'the verdict stays the same'}"


def _decided(row: At) -> bool:
    """Whether there is a verdict on all pictures and one on the clean ones."""
    return row["clean"].value is not None and row["all"].value != "not comparable"


def _other_verdict(row: At) -> str:
    turned = row["clean_first"].value != row["first"].value
    ahead = f" in favour of {row['clean_first'].value}" if turned else ""
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
        return "No test picture has a copy in training or validation."
    also = f", {count(validation)} in its validation split" if validation else ""
    done = (
        "The copies stayed in training, which favours the model that memorises best."
        if data["handling"]["leaks"].value == "keep"
        else "The copies were removed from training and validation; the test split is unchanged."
    )
    are = "is" if training == 1 else "are"
    return (
        f"{_many(training, 'test picture')} {are} also in the source's training split{also}: "
        f"a model trained on them could memorise them. {done}"
    )


def _near(counts: dict[str, float | None], data: At) -> str:
    """Near copies, what they are, and what became of them; empty if none were searched for."""
    groups, pictures = counts.get("near_groups"), counts.get("near_pictures")
    if groups is None or pictures is None:
        return ""
    if not groups:
        return f"No picture is a near copy of another; {NEAR_COPIES}."
    training = counts.get("near_in_training") or 0
    validation = counts.get("near_in_validation") or 0
    also = f", {count(validation)} in its validation split" if validation else ""
    further = (
        f" {_many(training, 'further test picture has', 'further test pictures have')} near "
        f"copies in the source's training split{also}. {_treated(data)}"
        if training or validation
        else " No further test picture has a near copy in training or validation."
    )
    return (
        f"{_many(pictures, 'picture')} in {_many(groups, 'group')} are near copies of one "
        f"another; {NEAR_COPIES}. Frames of a recording count if hardly anything moved between "
        f"them.{further}"
    )


def _treated(data: At) -> str:
    if data["handling"]["leaks"].value == "keep":
        return "They stayed in training."
    if data["near_copies_count"].value:
        return (
            "They were removed from training and validation, and those test pictures are not clean."
        )
    return "They stayed in training, as only exact copies count as leaks in this search."


def _conflicts(counts: dict[str, float | None], data: At) -> str:
    groups, pictures = counts["conflicting_groups"], counts["conflicting_pictures"]
    if groups is None:
        return ""
    if not groups or not pictures:
        return "No picture has a copy with another label."
    done = "kept" if data["handling"]["conflicts"].value == "keep" else "removed"
    return (
        f"{_many(pictures, 'picture')} in {_many(groups, 'group')} of copies have conflicting "
        "labels: the same picture with two expressions, so at least one label is wrong and no "
        f"model can be correct on all of them. Those in training were {done}; those in test stay "
        "and count."
    )


def _blanks(counts: dict[str, float | None]) -> str:
    blank = counts["blank_pictures"]
    if blank is None:
        return ""
    if not blank:
        return "No picture is blank."
    return (
        f"{_many(blank, 'picture is', 'pictures are')} blank: a single shade, nothing to "
        "recognise. They stay in their splits."
    )


def _balance(counts: dict[str, float | None]) -> str:
    ratio = counts["imbalance"]
    if ratio is None:
        return ""
    return capped(
        f"the largest class has {general(float(ratio))} times the pictures of the smallest; "
        "macro-F1 weights all classes equally."
    )


def _many(number: float, one: str, many: str = "") -> str:
    """``1 picture``, ``1,200 pictures``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
