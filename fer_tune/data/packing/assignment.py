"""Groups and splits of a listing: what the source does not say, by the user's options."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from fer_tune.data.labels.pattern import LONGEST
from fer_tune.data.listing import Entry, Listing, Reading
from fer_tune.errors import DataError
from fer_tune.wording import plural

#: Folders that a note shows.
_SHOWN = 3


def assign_groups(listing: Listing, reading: Reading) -> Listing:
    """``--group-from``: the person or clip of each picture, from its path.

    The named group ``group`` of the regular expression, else its first group, else all that it
    matches. Pictures that it does not match are alone.

    Raises:
        DataError: no regular expression, or it matches no picture.
    """
    if reading.group_from is None:
        return listing
    try:
        pattern = re.compile(reading.group_from)
    except (re.error, RecursionError, OverflowError) as error:
        raise DataError(
            f"is not a regular expression: {error}", where="--group-from", value=reading.group_from
        ) from None

    matched: set[str] = set()

    def grouped(entry: Entry) -> Entry:
        match = pattern.search(entry.origin[:LONGEST])
        if match is None or not (group := _group(match)):
            return entry
        matched.add(group)
        return replace(entry, group=group)

    found = listing.changed(grouped)
    if not matched:
        example = next((entry.origin for entry in listing.entries), "no pictures")
        raise DataError(
            "matches no picture",
            where="--group-from",
            value=reading.group_from,
            remedy=f"It is searched for in paths such as {example}",
        )
    unmatched = sum(not entry.group for entry in found.entries)
    verb = "matches" if unmatched == 1 else "match"
    rest = f"; {plural(unmatched, 'picture')} {verb} no group" if unmatched else ""
    return found.noting(f"groups: {len(matched):,} by --group-from{rest}")


def _group(match: re.Match[str]) -> str | None:
    if "group" in match.re.groupindex:
        return match["group"]
    return match[1] if match.re.groups else match[0]


def assign_splits(listing: Listing, reading: Reading) -> Listing:
    """A split for every picture, and notes on those that are missing.

    Raises:
        DataError: ``--test-share`` or ``--test-from`` does not fit the splits of the source.
    """
    splits = {entry.split for entry in listing.entries}
    _check(splits, reading)
    if reading.test_from is not None:
        listing = listing.changed(
            lambda one: replace(one, split="test") if one.split == reading.test_from else one
        )
    elif "test" not in splits and splits and reading.test_share is None:
        listing = listing.noting(_no_test(splits))
    if None in splits and len(splits) > 1:
        listing = listing.noting(_outside(listing))
    return _across(listing.changed(lambda one: replace(one, split=one.split or "train")))


def uses_groups(listing: Listing, reading: Reading) -> bool:
    """Whether groups are recorded: those by options, and a known data set's where a split is cut.

    A known data set that has its own splits is the same dataset as without groups.
    """
    by_options = (reading.group_from, reading.labels.pattern, *reading.labels.files)
    by_source = listing.found.format is None
    return by_source or any(by_options) or reading.test_share is not None


def _check(splits: set[str | None], reading: Reading) -> None:
    share, origin = reading.test_share, reading.test_from
    option = "--test-share" if share is not None else "--test-from"
    value: object = share if share is not None else origin
    if share is None and origin is None:
        return
    if share is not None and origin is not None:
        raise DataError("cannot be combined with --test-from", where=option, value=value)
    if share is not None and not 0 < share < 1:
        remedy = "0.2 takes 20 % of the training pictures for testing"
        raise DataError("must be above 0 and below 1", where=option, value=value, remedy=remedy)
    if "test" in splits:
        raise DataError(
            "the source has a test split",
            where=option,
            value=value,
            remedy=f"Import it without {option}",
        )
    if origin is not None and origin not in splits:
        raise DataError(
            "the source has no such split",
            where=option,
            value=value,
            remedy="Use --test-share 0.2 instead",
        )


def _no_test(splits: set[str | None]) -> str:
    ways = "import again with --test-share 0.2"
    if "validation" in splits:
        ways += " or --test-from validation"
    return f"no test split, which a search needs for its verdict: {ways}"


def _outside(listing: Listing) -> str:
    without = [entry for entry in listing.entries if entry.split is None]
    folders = sorted({entry.origin.rpartition("/")[0] or "." for entry in without})
    shown = ", ".join(folders[:_SHOWN]) + (", …" if len(folders) > _SHOWN else "")
    verbs = "names no split and is" if len(without) == 1 else "name no split and are"
    return f"{plural(len(without), 'picture')} {verbs} for training ({shown})"


def _across(listing: Listing) -> Listing:
    """Notes groups with pictures in test and elsewhere, by the splits of the source."""
    splits: dict[str, set[str | None]] = defaultdict(set)
    for entry in listing.entries:
        if entry.group:
            splits[entry.group].add(entry.split)
    across = [group for group, found in splits.items() if "test" in found and len(found) > 1]
    if not across:
        return listing
    return listing.noting(
        f"{len(across):,} of {len(splits):,} groups have pictures in the test split and outside it"
    )
