"""Sentences of the chapter on the dataset."""

from __future__ import annotations

from analysis.formats import NEAR_COPIES, capped, count, general, listing, percent, points
from analysis.report.data.schema import AuditCounts, CleanVerdict, DataPart


def lead(data: DataPart) -> str:
    """How much of the test split is not clean, and its effect."""
    test, clean = data.splits.test, data.splits.test_clean
    if test is None or clean is None:
        return "The splits are not recorded yet."
    share = (
        f"{count(test - clean)} of {count(test)} test pictures ({percent((test - clean) / test)})"
    )
    cleanness = (
        f"{share} have {'copies or near copies' if data.near_copies_count else 'copies'} "
        "outside the test split or conflicting labels"
        if test > clean
        else f"All {count(test)} test pictures are clean"
    )
    return f"{cleanness}; {_effect(data)}."


def findings(data: DataPart) -> tuple[str, ...]:
    """The findings of the audit, a sentence each."""
    counts = data.counts
    if counts is None:
        return ()
    sentences = (
        _copies(counts),
        _leaks(counts, data),
        _near(counts, data),
        _conflicts(counts, data),
        _blanks(counts),
        _balance(counts),
    )
    return tuple(sentence for sentence in sentences if sentence)


def left_out(data: DataPart) -> str:
    """Pictures that were removed from training and validation."""
    dropped = [f"{count(number)} {words}" for number, words in _by_reason(data) if number]
    clean = f"Clean test pictures: {count(data.splits.test_clean)}."
    return f"{clean} Removed from training and validation: {listing(dropped) or 'none'}."


def _by_reason(data: DataPart) -> tuple[tuple[int | None, str], ...]:
    dropped, near = data.dropped, " and near copies" if data.near_copies_count else ""
    return (
        (dropped.leaked, f"copies{near} of test pictures"),
        (dropped.conflicting, "pictures with a copy of another label"),
        (dropped.copy_of_validation, "copies of validation pictures"),
        (dropped.other, "for other reasons"),
    )


def _effect(data: DataPart) -> str:
    rows = data.verdicts
    if not data.scores:
        return "the effect is unknown before confirmation"
    largest = max((abs(row.change.value) for row in data.scores), default=0.0)
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
        points(found.value, sign=True) for found in (row.difference, row.clean_difference)
    )
    effect = f"{moved} and the difference is {on_clean} points ({on_all} on all)"
    if not _decided(row):
        return effect
    return f"{effect}; {_other_verdict(row) if _changed(row) else 'the verdict stays the same'}"


def _decided(row: CleanVerdict) -> bool:
    """Whether there is a verdict on all pictures and one on the clean ones."""
    return row.clean is not None and row.all != "not comparable"


def _other_verdict(row: CleanVerdict) -> str:
    turned = row.clean_first != row.first
    ahead = f" in favour of {row.clean_first}" if turned else ""
    return f"the verdict would be {row.clean!r}{ahead} instead of {row.all!r}"


def _changed(row: CleanVerdict) -> bool:
    """Another verdict, or the same one in favour of the other arm, of a decided pair."""
    turned = row.clean_first != row.first
    return bool(row.clean != row.all or (turned and row.all == "better"))


def _copies(counts: AuditCounts) -> str:
    groups, copies = counts.copy_groups, counts.copy_pictures
    if not groups or not copies:
        return "No picture is an exact copy of another." if groups == 0 else ""
    return (
        f"{count(copies)} of {count(counts.pictures)} pictures are exact copies of one another, "
        f"in {_many(groups, 'group')}."
    )


def _leaks(counts: AuditCounts, data: DataPart) -> str:
    training, validation = counts.test_in_training, counts.test_in_validation
    if training is None:
        return ""
    if not training and not validation:
        return "No test picture has a copy in training or validation."
    also = f", {count(validation)} in its validation split" if validation else ""
    done = (
        "The copies stayed in training, which favours the model that memorises best."
        if data.handling.leaks == "keep"
        else "The copies were removed from training and validation; the test split is unchanged."
    )
    are = "is" if training == 1 else "are"
    return (
        f"{_many(training, 'test picture')} {are} also in the source's training split{also}: "
        f"a model trained on them could memorise them. {done}"
    )


def _near(counts: AuditCounts, data: DataPart) -> str:
    """Near copies, what they are, and what became of them; empty if none were searched for."""
    groups, pictures = counts.near_groups, counts.near_pictures
    if groups is None or pictures is None:
        return ""
    if not groups:
        return f"No picture is a near copy of another; {NEAR_COPIES}."
    training, validation = counts.near_in_training or 0, counts.near_in_validation or 0
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


def _treated(data: DataPart) -> str:
    if data.handling.leaks == "keep":
        return "They stayed in training."
    if data.near_copies_count:
        return (
            "They were removed from training and validation, and those test pictures are not clean."
        )
    return "They stayed in training, as only exact copies count as leaks in this search."


def _conflicts(counts: AuditCounts, data: DataPart) -> str:
    groups, pictures = counts.conflicting_groups, counts.conflicting_pictures
    if groups is None:
        return ""
    if not groups or not pictures:
        return "No picture has a copy with another label."
    done = "kept" if data.handling.conflicts == "keep" else "removed"
    return (
        f"{_many(pictures, 'picture')} in {_many(groups, 'group')} of copies have conflicting "
        "labels: the same picture with two expressions, so at least one label is wrong and no "
        f"model can be correct on all of them. Those in training were {done}; those in test stay "
        "and count."
    )


def _blanks(counts: AuditCounts) -> str:
    blank = counts.blank_pictures
    if blank is None:
        return ""
    if not blank:
        return "No picture is blank."
    return (
        f"{_many(blank, 'picture is', 'pictures are')} blank: a single shade, nothing to "
        "recognise. They stay in their splits."
    )


def _balance(counts: AuditCounts) -> str:
    ratio = counts.imbalance
    if ratio is None:
        return ""
    return capped(
        f"the largest class has {general(float(ratio))} times the pictures of the smallest; "
        "macro-F1 weights all classes equally."
    )


def _many(number: float, one: str, many: str = "") -> str:
    """``1 picture``, ``1,200 pictures``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
