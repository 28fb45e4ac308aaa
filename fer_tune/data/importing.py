"""Import from any source to a packed dataset, with a report of what was skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fer_tune.data.checks.examination import examine_classes
from fer_tune.data.checks.split_names import given_splits
from fer_tune.data.listing import Entry, Found, LabelOptions, Listing, Reading, Skipped, printable
from fer_tune.data.names import PublicTest, class_names
from fer_tune.data.pack import PackWriter
from fer_tune.data.packing.assignment import assign_groups, assign_splits, uses_groups
from fer_tune.data.packing.deep import DeepPictures
from fer_tune.data.packing.outcome import checked_classes, noted_cut
from fer_tune.data.pixels import Pixels, UnusableError, canonical, is_deep
from fer_tune.data.sources import list_source
from fer_tune.errors import DataError, EnvironmentFault, reporting

#: Called with the items done and, where it is known, their total.
Progress = Callable[[int, int | None], None]
#: Sees a listing before any picture is decoded, and gives it back, with notes or other changes.
#: Raises DataError to stop the import.
Step = Callable[[Listing, Reading], Listing]


#: Examination of a listing, in this order.
EXAMINATIONS: tuple[Step, ...] = (examine_classes,)
#: Assignment of splits after it.
ASSIGNMENTS: tuple[Step, ...] = (assign_groups, assign_splits)


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What was imported and what was not.

    Attributes:
        root: the packed dataset.
        fingerprint: 64 hex digits; equal for the same pictures, splits and classes.
        classes: class names in label order.
        pictures: how many were packed.
        counts: pictures per split and class name.
        skipped: name and reason of every file or row that could not be read.
        left_out: pictures per class that was not selected.
        ignored: files skipped silently as clutter.
        reduced: pictures that were larger than ``max_side``.
        found: how the source was understood.
        excluded: pictures whose content was to be left out.
    """

    root: Path
    fingerprint: str
    classes: tuple[str, ...]
    pictures: int
    counts: dict[str, dict[str, int]]
    skipped: tuple[tuple[str, str], ...]
    left_out: dict[str, int]
    ignored: int
    reduced: int
    found: Found
    excluded: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**asdict(self), "root": str(self.root)}


def import_source(
    source: str,
    out: Path,
    *,
    classes: Sequence[str] | None = None,
    max_side: int = 256,
    strict: bool = False,
    public_test: PublicTest = "test",
    seed: int = 0,
    force: bool = False,
    follow_links: bool = False,
    labels: LabelOptions | None = None,
    split_names: Sequence[str] = (),
    classes_as_is: bool = False,
    encoding: str | None = None,
    bits: int | None = None,
    group_from: str | None = None,
    test_share: float | None = None,
    test_from: str | None = None,
    exclude: Collection[str] = (),
    progress: Progress | None = None,
    searching: Progress | None = None,
) -> ImportReport:
    """Imports ``source`` into a packed dataset at ``out``.

    Args:
        source: a folder, a zip, a FER2013 CSV, ``kaggle:OWNER/NAME`` or ``synthetic[:COUNT]``.
        out: the packed dataset's folder; complete afterwards, or untouched.
        classes: selected names, in label order; by default all that are found, sorted.
        max_side: longer sides are reduced to this, in pixels (at least 16).
        strict: fail at the first file that cannot be read, instead of skipping it.
        public_test: the split of FER2013's PublicTest pictures.
        seed: of the synthetic generator, and of ``test_share``.
        force: replace a packed dataset at ``out``.
        follow_links: follow links in a folder; otherwise linked files are skipped.
        labels: where classes come from; by default whatever the source has.
        split_names: NAME=SPLIT, for folders and columns that name splits in other words.
        classes_as_is: import classes that look like splits, people or recordings.
        encoding: of names in archives that do not say theirs; by default guessed.
        bits: depth of pictures with more than 8 bits; by default that of their highest value.
        group_from: a regular expression for the person or clip in a picture's path; such pictures
            stay together in splits, and are recorded.
        test_share: of the training pictures, cut off by ``seed`` as the test split.
        test_from: ``validation``, to use that split for testing.
        exclude: content hashes of pictures to leave out, as of a list of `data review`.
        progress: called for every item.
        searching: called during the search for near copies, which follows.

    Raises:
        DataError: no source, no target, no readable picture, a class without pictures, fewer than
            two classes, or with ``strict`` an unreadable file.
        EnvironmentFault: an extra is not installed, or a disk error.
    """
    if max_side < 16:
        raise DataError(
            "must be at least 16 pixels",
            where="--max-side",
            value=max_side,
            remedy="The default is 256",
        )
    reading = _reading(
        classes=classes,
        public_test=public_test,
        follow_links=follow_links,
        labels=labels,
        split_names=split_names,
        classes_as_is=classes_as_is,
        encoding=encoding,
        group_from=group_from,
        test_share=test_share,
        test_from=test_from,
    )
    selected, name = reading.classes, printable(source)
    remedy = "Check the free space and the permissions, or choose another --out"
    with reporting("cannot be written", out, remedy, EnvironmentFault):
        writer = PackWriter(out, force=force)
        # The source lists its files before the scratch folder appears, possibly inside it.
        listing = prepared(source, reading, seed=seed)
        writer.grouped = uses_groups(listing, reading)
        writer.exclude(exclude)
        writer.searching = searching
        with writer:
            deep = DeepPictures(writer.scratch_file("deep.bin"), bits)
            tally = _import_all(listing, name, writer, deep, selected, max_side, strict, progress)
            if (note := deep.note()) is not None:
                listing = listing.noting(note)
            found = checked_classes(
                name,
                listing.layout,
                writer,
                selected,
                skipped=tally.skipped,
                left_out=tally.left_out,
            )
            if test_share is not None:
                listing = listing.noting(noted_cut(writer, test_share, seed))
            description = writer.finish(
                classes=found,
                about={
                    "source": name,
                    "recognised_as": listing.found.format,
                    "labels_from": listing.found.labels_from,
                    "max_side": max_side,
                    "public_test": public_test,
                    "skipped": tally.skipped,
                    "left_out": dict(sorted(tally.left_out.items())),
                    "ignored": listing.ignored,
                    "reduced": tally.reduced,
                    "notes": list(listing.found.notes),
                    **({"excluded": writer.excluded} if exclude else {}),
                },
            )
    return ImportReport(
        root=out,
        fingerprint=description["fingerprint"],
        classes=found,
        pictures=len(writer),
        counts=description["counts"],
        skipped=tuple(tally.skipped),
        left_out=description["left_out"],
        ignored=listing.ignored,
        reduced=tally.reduced,
        found=listing.found,
        excluded=writer.excluded,
    )


def preview_source(source: str, *, seed: int = 0, **options: Any) -> Listing:
    """What :func:`import_source` would import; no picture is decoded, nothing is written.

    Args:
        options: those of :func:`import_source` that say how the source is read.

    Raises:
        DataError: as of :func:`import_source`, as far as pictures are not needed.
    """
    reading = _reading(**options)
    listing = prepared(source, reading, seed=seed)
    if reading.test_share is None:
        return listing
    return listing.noting(
        f"test split: about {reading.test_share:.0%} of the training pictures will be cut off; "
        "copies and groups stay together"
    )


def _reading(
    *,
    classes: Sequence[str] | None = None,
    public_test: PublicTest = "test",
    follow_links: bool = False,
    labels: LabelOptions | None = None,
    split_names: Sequence[str] = (),
    **options: Any,
) -> Reading:
    if public_test not in ("test", "validation"):
        raise DataError("must be test or validation", where="--public-test", value=public_test)
    return Reading(
        classes=class_names(classes) if classes is not None else None,
        public_test=public_test,
        follow_links=follow_links,
        labels=labels or LabelOptions(),
        split_names=given_splits(split_names),
        **options,
    )


def prepared(source: str, reading: Reading, *, seed: int = 0) -> Listing:
    """The listing of a source, examined and with a split for every picture; decodes none.

    Raises:
        DataError: no source, nothing that can be imported, or an examination stops the import.
    """
    with reporting("cannot be read", source, "Check the path and its permissions", DataError):
        listing = list_source(source, reading, seed=seed)
    for step in (*EXAMINATIONS, *ASSIGNMENTS):
        listing = step(listing, reading)
    return listing


class _Tally:
    def __init__(self) -> None:
        self.skipped: list[tuple[str, str]] = []
        self.left_out: Counter[str] = Counter()
        self.reduced = 0

    def skip(self, skipped: Skipped, source_name: str, strict: bool) -> None:
        if strict:
            raise DataError(
                skipped.reason,
                where=f"{source_name}: {skipped.origin}",
                remedy="Fix or remove it, or import without --strict to skip it",
            )
        self.skipped.append((skipped.origin, skipped.reason))


def _import_all(
    listing: Listing,
    source_name: str,
    writer: PackWriter,
    deep: DeepPictures,
    selected: tuple[str, ...] | None,
    max_side: int,
    strict: bool,
    progress: Progress | None,
) -> _Tally:
    tally = _Tally()
    for done, item in enumerate(listing.items, start=1):
        if isinstance(item, Entry) and selected is not None and item.class_name not in selected:
            tally.left_out[item.class_name] += 1
        elif (skipped := _import_one(item, writer, deep, max_side, tally)) is not None:
            tally.skip(skipped, source_name, strict)
        if progress is not None:
            progress(done, len(listing.items))
    for entry, result in deep.scaled():
        if isinstance(result, UnusableError):
            skipped = Skipped(origin=entry.origin, reason=str(result))
            tally.skip(skipped, source_name, strict)
        else:
            _pack(entry, result, writer, max_side, tally)
    return tally


def _import_one(
    item: Entry | Skipped,
    writer: PackWriter,
    deep: DeepPictures,
    max_side: int,
    tally: _Tally,
) -> Skipped | None:
    if isinstance(item, Skipped):
        return item
    try:
        pixels = item.load()
    except UnusableError as error:
        return Skipped(origin=item.origin, reason=str(error))
    if is_deep(pixels):
        deep.add(item, pixels)
    else:
        _pack(item, pixels, writer, max_side, tally)
    return None


def _pack(item: Entry, pixels: Pixels, writer: PackWriter, max_side: int, tally: _Tally) -> None:
    assert item.split is not None, item.origin
    tally.reduced += max(pixels.shape[:2]) > max_side
    writer.add(
        canonical(pixels, max_side),
        class_name=item.class_name,
        split=item.split,
        origin=item.origin,
        subject=item.group or "",
    )
