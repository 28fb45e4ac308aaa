"""Examination of a listing: an import stops if its classes are probably something else."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from fer_tune.data.checks.split_names import named_splits, resembling_splits
from fer_tune.data.checks.suspicion import ClassFolder, Suspicion, suspicion
from fer_tune.data.checks.twice import synonyms
from fer_tune.data.checks.words import CODES, expression_in, long_code
from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.listing import NO_CLASS_FOLDER, Entry, Listing, Reading
from fer_tune.data.names import EXPRESSIONS, split_name
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError
from fer_tune.escaping import shell_word

_ANY_EXPRESSION = (
    "(?i)(?P<class>angry|anger|disgust|fear|happy|happiness|sad|surprise|neutral|contempt)[^/]*$"
)
_OUTER = "^(?:train/|test/)?(?P<class>[^/]+)/"
#: Share of the pictures that a regular expression in a message must fit.
_MOST = 0.5
#: Names that a message shows.
_SHOWN = 5
_AS_IS = "If they are the classes, add --classes-as-is"


def examine_classes(listing: Listing, reading: Reading) -> Listing:
    """Stops at classes that are probably splits, people, recordings or garbled text.

    Classes that the user selected, and all of them with ``--classes-as-is``, are not examined.

    Raises:
        DataError: with the likely reason and the options to use.
    """
    if reading.classes_as_is or reading.classes is not None:
        return listing
    found_in = listing.found
    from_folders = found_in.labels_from == "class folders" or found_in.guessed
    _examine_unplaced(listing)
    found = suspicion(class_folders(listing), from_folders=from_folders)
    if found is not None:
        raise _stop(found, listing)
    if found_in.labels_from == "class folders":
        _examine_nested(listing, reading)
    _examine_folders(listing)
    return listing.noting(*_doubtful(listing))


def _doubtful(listing: Listing) -> Iterator[str]:
    """Notes on classes that may be one."""
    for names in synonyms(sorted({entry.class_name for entry in listing.entries})):
        first, *others = names
        rename = ",".join(f"{name}={first}" for name in others)
        yield (
            f"the classes {', '.join(names)} may be one expression; if so, add --rename {rename}"
        )


def _examine_nested(listing: Listing, reading: Reading) -> None:
    """Stops at pictures below folders of two classes, of which either may be meant."""
    classes = {entry.class_name for entry in listing.entries} | EXPRESSIONS
    for entry in listing.entries:
        folders = PurePosixPath(entry.origin).parts[:-1]
        named = {name for part in folders if (name := _class_of(part, reading)) in classes}
        if len(named) > 1:
            raise DataError(
                f"a picture is in folders of {len(named)} classes ({', '.join(sorted(named))})",
                where="data import",
                value=entry.origin,
                remedy="Move one folder out of the other, or say which of them is the class with "
                f"--class-from, for example {shell_word(_OUTER)}. If the inner one is, add "
                "--classes-as-is",
            )


def _class_of(folder: str, reading: Reading) -> str | None:
    try:
        return reading.name(folder)
    except UnusableError:  # a number that --label-order does not have
        return None


def _examine_unplaced(listing: Listing) -> None:
    """Stops at pictures of which none is in a class folder, as those of a table are."""
    reasons = {
        item.reason for item in listing.skipped if is_picture_name(PurePosixPath(item.origin))
    }
    if listing.entries or reasons != {NO_CLASS_FOLDER}:
        return
    ways = ["Name a table of their labels with --labels FILE"]
    if unused := listing.found.unused_label_files:
        ways = [f"Read the classes from a file with --labels {shell_word(unused[0])}"]
    stems = [PurePosixPath(item.origin).stem for item in listing.skipped]
    words = {expression_in(stem) for stem in stems} - {None}
    codes = sorted({code for stem in stems if (code := long_code(stem)) is not None})
    pattern, rename = "(?P<class>[a-z]+)_[^/]*$", ""
    if len(codes) + len(words) > 1:
        pattern = _ANY_EXPRESSION
    if codes and len(codes) + len(words) > 1:
        pattern = f"(?i)(?<![a-z])(?P<class>{'|'.join([*codes, 'SAD'])})(?![a-z])[^/]*$"
        rename = _renamed(codes)
    raise DataError(
        "no picture is in a class folder",
        where="data import",
        value=listing.skipped[0].origin,
        remedy=f"{ways[0]}, or read them from the file names with --class-from "
        f"{_fitting([pattern], listing)}{rename}. {listing.layout}",
    )


def _examine_folders(listing: Listing) -> None:
    """Stops at folders above the classes that look like splits in words that are not read."""
    above = {
        part
        for entry in listing.entries
        if entry.split is None
        for part in PurePosixPath(entry.origin).parts[:-1]
        if part != entry.found
    }
    found = resembling_splits(sorted(above))
    if len(set(found.values())) < 2:
        return
    raise DataError(
        "folders look like splits, but not by names that are known",
        where="data import",
        value=", ".join(found),
        remedy=f"Name them with --split-names {shell_word(named_splits(found))}, or import them "
        "all for training with --classes-as-is",
    )


def class_folders(listing: Listing) -> list[ClassFolder]:
    """The classes of a listing with the paths and splits of their pictures, sorted by name."""
    of_class: dict[str, list[Entry]] = defaultdict(list)
    for entry in listing.entries:
        of_class[entry.class_name].append(entry)
    return [
        ClassFolder(
            # As the source has it, with its capitals, unless it has been renamed.
            name=name if listing.found.named else entries[0].found,
            paths=tuple(entry.origin for entry in entries),
            splits=frozenset(entry.split for entry in entries if entry.split is not None),
        )
        for name, entries in sorted(of_class.items())
    ]


def _stop(found: Suspicion, listing: Listing) -> DataError:
    names = ", ".join(found.names[:_SHOWN])
    more = len(found.names) - _SHOWN
    return DataError(
        f"the classes {found.reason}",
        where="data import",
        value=f"{names} and {more} more" if more > 0 else names,
        remedy=". ".join([*_remedies(found, listing), _AS_IS]),
    )


def _remedies(found: Suspicion, listing: Listing) -> list[str]:
    unused = listing.found.unused_label_files
    from_file = (
        f"Read the classes from a file with --labels {shell_word(unused[0])}"
        if unused
        else "Read the classes from a table with --labels FILE"
    )
    if found.kind == "text" and listing.found.label_files:
        return ["Save the table as UTF-8", "--rename WRONG=RIGHT names the class"]
    if found.kind == "text":
        return [
            "Use --encoding for an archive (for example --encoding gbk), or rename the folder",
            "--rename WRONG=RIGHT names the class",
        ]
    if found.kind == "twice":
        return [f"Make them one class with --rename {shell_word(found.rename)}"]
    if found.kind == "several":
        return ["Give every picture one label, or leave these out with --classes"]
    if found.kind == "splits":
        given = [f"Name them with --split-names {shell_word(found.splits)}"] if found.splits else []
        return [*given, from_file]
    if listing.found.guessed:
        return ["Choose the column of labels with --columns label=NAME (or its number, from 1)"]
    from_path = f"from the path with --class-from {_fitting(_patterns(found, listing), listing)}"
    codes = [word for word in found.expressions if word.casefold() in CODES]
    return [f"{from_file}, or {from_path}{_renamed(codes)}"]


def _renamed(codes: Sequence[str]) -> str:
    """The option that gives codes the names of expressions; empty without codes."""
    if not codes:
        return ""
    return f" --rename {','.join(f'{word}={CODES[word.casefold()]}' for word in codes)}"


def _fitting(patterns: Sequence[str], listing: Listing) -> str:
    """A word of a command: the first regular expression that fits most paths of the source."""
    origins = [item.origin for item in listing.items]
    for pattern in patterns:
        found = [match for one in origins if (match := re.search(pattern, one)) is not None]
        classes = {match["class"] for match in found}
        # What it gives must not be people or recordings again.
        doubtful = suspicion([ClassFolder(name=name, paths=()) for name in sorted(classes)])
        if len(classes) > 1 and len(found) >= _MOST * len(origins) and doubtful is None:
            return shell_word(pattern)
    return "REGEX"


def _patterns(found: Suspicion, listing: Listing) -> list[str]:
    """Values of ``--class-from`` that may fit this source, as far as it shows."""
    below = "/[^/]+" * (_below(found, listing) + 1) + "$"
    if found.kind == "level":
        return [f"(?P<class>[^/]+)/[^/]+{below}"]
    if found.expressions:
        words = "|".join(map(re.escape, found.expressions))
        if len(found.names) == 1:
            return [f"(?i)(?P<class>{words})[^/]*$"]
        if all(expression_in(name) for name in found.names):
            return [f"(?i)(?P<class>{words})[^/]*{below}"]
        codes = any(map(str.isupper, found.expressions))
        # A code is a word of its own, or follows the person's name.
        apart = f"(?i)(?P<group>[^/]+)/[^/]*(?<![a-z])(?P<class>{words})(?![a-z])[^/]*$"
        before = "(?P=group)[._-]?" if codes else "[^/]*?"
        joined = f"(?i)(?P<group>[^/]+)/{before}(?P<class>{words})[^/]*$"
        return [joined, apart] if codes else [joined]
    if _above(found, listing):
        return [f"(?P<class>[^/]+)/(?P<group>[^/]+){below}"]
    return ["(?P<group>[^/]+)/[^/]*_(?P<class>[a-z]+)[^/]*$"]


def _below(found: Suspicion, listing: Listing) -> int:
    """Folders, such as those of splits, between the ones in question and the files."""
    for entry in listing.entries:
        parts = PurePosixPath(entry.origin).parts[:-1]
        if entry.found in found.names and entry.found in parts:
            return len(parts) - 1 - parts.index(entry.found)
    return 0


def _above(found: Suspicion, listing: Listing) -> bool:
    """Whether the folders above those in question are several, and no splits."""
    above = set()
    for entry in listing.entries:
        parts = PurePosixPath(entry.origin).parts[:-1]
        if entry.found in found.names and entry.found in parts[1:]:
            above.add(parts[parts.index(entry.found) - 1])
    return len({name for name in above if split_name(name) is None}) > 1
