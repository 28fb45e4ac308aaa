"""Classes and splits from the names of folders, in any nesting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from fer_tune.data.checks.split_names import evaluation_splits
from fer_tune.data.files.clutter import no_picture
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.listing import NO_CLASS_FOLDER, Entry, Listing, Reading, Skipped
from fer_tune.data.pixels import UnusableError


def list_class_folders(tree: Tree, reading: Reading) -> Listing:
    """Every file that is no clutter is a picture of the class that its folders name."""
    members, ignored = tree.without_clutter()
    folders = {part for m in members if isinstance(m, SourceFile) for part in m.path.parts[:-1]}
    split_names = {**evaluation_splits(folders), **reading.split_names}
    reading = replace(reading, split_names=split_names)
    return Listing(items=tuple(_item(member, reading) for member in members), ignored=ignored)


def _item(member: SourceFile | Skipped, reading: Reading) -> Entry | Skipped:
    if isinstance(member, Skipped):
        return member
    if (reason := no_picture(member.path)) is not None:
        return Skipped(origin=member.origin, reason=reason)
    try:
        found, split = class_and_split(member.path, reading)
        name = reading.name(found)
    except UnusableError as error:
        return Skipped(origin=member.origin, reason=str(error))
    return Entry(
        origin=member.origin,
        found=found,
        class_name=name,
        split=split,
        load=member.picture,
    )


def class_and_split(path: PurePosixPath, reading: Reading) -> tuple[str, str | None]:
    """Class and split from the folders above a file, in any nesting.

    The class is the deepest folder that is a known expression or a selected class, else the deepest
    folder that names no split. The Kaggle sets keep FER2013's usage in the file name
    (``PublicTest_123.jpg``), which the ``public_test`` option then follows.

    Returns:
        The class as found, and the split; None without a split folder.

    Raises:
        UnusableError: no class folder, or folders of two splits.
    """
    named = reading.folder_splits(path.parts[:-1])
    splits, classes = set(named.values()), [part for part in path.parts[:-1] if part not in named]
    if len(splits) > 1:
        raise UnusableError(f"is in folders of two splits ({', '.join(sorted(splits))})")
    if not classes:
        raise UnusableError(NO_CLASS_FOLDER)
    split = splits.pop() if splits else None
    if split == "test" and path.name.casefold().startswith("publictest"):
        split = reading.public_test
    known = (part for part in reversed(classes) if _is_known(part, reading))
    return next(known, classes[-1]), split


def _is_known(folder: str, reading: Reading) -> bool:
    try:
        return reading.name(folder) in reading.known
    except UnusableError:  # a number that --label-order does not have, such as a year
        return False
