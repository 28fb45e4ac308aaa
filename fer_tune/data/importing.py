"""Import from any source to a packed dataset, with a report of what was skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fer_tune.data.names import PublicTest, class_names
from fer_tune.data.pack import PackWriter
from fer_tune.data.pixels import UnusableError, canonical
from fer_tune.data.sources import RawPicture, Reading, Skipped, Source, open_source, printable
from fer_tune.errors import DataError, EnvironmentFault, reporting
from fer_tune.schema import first_error
from fer_tune.schema.manifest import ClassNames

_CLASS_NAMES: TypeAdapter[list[str]] = TypeAdapter(ClassNames)
#: Called with the items done and, where it is known, their total.
Progress = Callable[[int, int | None], None]


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
    exclude: Collection[str] = (),
    progress: Progress | None = None,
) -> ImportReport:
    """Imports ``source`` into a packed dataset at ``out``.

    Args:
        source: a folder, a zip, a FER2013 CSV, ``kaggle:OWNER/NAME`` or ``synthetic[:COUNT]``.
        out: the packed dataset's folder; complete afterwards, or untouched.
        classes: selected names, in label order; by default all that are found, sorted.
        max_side: longer sides are reduced to this, in pixels (at least 16).
        strict: fail at the first file that cannot be read, instead of skipping it.
        public_test: the split of FER2013's PublicTest pictures.
        seed: of the synthetic generator.
        force: replace a packed dataset at ``out``.
        follow_links: follow links in a folder; otherwise linked files are skipped.
        exclude: content hashes of pictures to leave out, as of a list of `data review`.
        progress: called for every item.

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
    if public_test not in ("test", "validation"):
        raise DataError("must be test or validation", where="--public-test", value=public_test)
    selected = class_names(classes) if classes is not None else None
    name = printable(source)
    remedy = "Check the free space and the permissions, or choose another --out"
    with reporting("cannot be written", out, remedy, EnvironmentFault):
        writer = PackWriter(out, force=force)
        # The source lists its files before the scratch folder appears, possibly inside it.
        reading = Reading(classes=selected, public_test=public_test, follow_links=follow_links)
        opened = _open(source, reading, seed)
        writer.exclude(exclude)
        with writer:
            tally = _import_all(opened, name, writer, selected, max_side, strict, progress)
            found = _check(name, opened.layout, writer, selected, tally)
            description = writer.finish(
                classes=found,
                about={
                    "source": name,
                    "max_side": max_side,
                    "public_test": public_test,
                    "skipped": tally.skipped,
                    "left_out": dict(sorted(tally.left_out.items())),
                    "ignored": opened.ignored,
                    "reduced": tally.reduced,
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
        ignored=opened.ignored,
        reduced=tally.reduced,
        excluded=writer.excluded,
    )


def _open(source: str, reading: Reading, seed: int) -> Source:
    with reporting("cannot be read", source, "Check the path and its permissions", DataError):
        return open_source(source, reading, seed=seed)


class _Tally:
    def __init__(self) -> None:
        self.skipped: list[tuple[str, str]] = []
        self.left_out: Counter[str] = Counter()
        self.reduced = 0


def _import_all(
    source: Source,
    source_name: str,
    writer: PackWriter,
    selected: tuple[str, ...] | None,
    max_side: int,
    strict: bool,
    progress: Progress | None,
) -> _Tally:
    tally = _Tally()
    for done, item in enumerate(source.items, start=1):
        if (
            isinstance(item, RawPicture)
            and selected is not None
            and item.class_name not in selected
        ):
            tally.left_out[item.class_name] += 1
        elif (skipped := _import_one(item, writer, max_side, tally)) is not None:
            if strict:
                raise DataError(
                    skipped.reason,
                    where=f"{source_name}: {skipped.origin}",
                    remedy="Fix or remove it, or import without --strict to skip it",
                )
            tally.skipped.append((skipped.origin, skipped.reason))
        if progress is not None:
            progress(done, source.total)
    return tally


def _import_one(
    item: RawPicture | Skipped, writer: PackWriter, max_side: int, tally: _Tally
) -> Skipped | None:
    if isinstance(item, Skipped):
        return item
    try:
        pixels = item.load()
    except UnusableError as error:
        return Skipped(origin=item.origin, reason=str(error))
    tally.reduced += max(pixels.shape[:2]) > max_side
    writer.add(
        canonical(pixels, max_side),
        class_name=item.class_name,
        split=item.split,
        origin=item.origin,
    )
    return None


def _check(
    source: str,
    layout: str,
    writer: PackWriter,
    selected: tuple[str, ...] | None,
    tally: _Tally,
) -> tuple[str, ...]:
    found = sorted({name for counts in writer.counts().values() for name in counts})
    missing = [name for name in selected or () if name not in found]
    if missing and (found or tally.left_out):
        raise DataError(
            "no pictures of a selected class were found",
            where="--classes",
            value=", ".join(missing),
            remedy=f"Found: {', '.join(sorted({*found, *tally.left_out}))}",
        )
    if not found and tally.skipped:
        name, reason = tally.skipped[0]
        raise DataError(
            f"no usable picture; unusable files or rows: {len(tally.skipped)}, the first "
            f"of them {name}: {reason}",
            where=source,
            remedy=f"Check that this is the intended source. {layout}",
        )
    if len(found) < 2:
        raise DataError(
            "needs pictures of at least two classes",
            where=source,
            value=", ".join(found) or "no pictures",
            remedy=layout,
        )
    try:
        _CLASS_NAMES.validate_python(found)
    except ValidationError as error:
        rule, value = first_error(error)
        raise DataError(f"class name {rule}", where=source, value=value, remedy=layout) from None
    return selected or tuple(found)
