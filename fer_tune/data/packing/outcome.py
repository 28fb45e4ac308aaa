"""What an import has packed: its classes, and the test split that is cut from it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import TypeAdapter, ValidationError

from fer_tune.data.listing import FOLDERS
from fer_tune.data.pack import PackWriter
from fer_tune.errors import DataError
from fer_tune.schema import first_error
from fer_tune.schema.manifest import ClassNames

_CLASS_NAMES: TypeAdapter[list[str]] = TypeAdapter(ClassNames)


def checked_classes(
    source: str,
    layout: str,
    writer: PackWriter,
    selected: tuple[str, ...] | None,
    *,
    skipped: Sequence[tuple[str, str]],
    left_out: Collection[str],
) -> tuple[str, ...]:
    """The classes that were added, in label order.

    Args:
        source: its name, for messages.
        layout: describes the expected layout, for messages.
        selected: classes that were asked for.
        skipped: name and reason of what could not be read.
        left_out: classes that were found and not selected.

    Raises:
        DataError: a selected class without pictures, fewer than two classes, or too many.
    """
    found = sorted({name for counts in writer.counts().values() for name in counts})
    missing = [name for name in selected or () if name not in found]
    if missing and (found or left_out):
        raise DataError(
            "no pictures of a selected class were found",
            where="--classes",
            value=", ".join(missing),
            remedy=f"Found: {', '.join(sorted({*found, *left_out}))}",
        )
    if not found and skipped:
        name, reason = skipped[0]
        raise DataError(
            f"no usable picture; unusable files or rows: {len(skipped)}, the first "
            f"of them {name}: {reason}",
            where=source,
            remedy=f"Check that this is the intended source. {layout}",
        )
    if len(found) < 2:
        raise too_few(source, layout, found)
    try:
        _CLASS_NAMES.validate_python(found)
    except ValidationError as error:
        rule, value = first_error(error)
        raise DataError(f"class name {rule}", where=source, value=value, remedy=layout) from None
    return selected or tuple(found)


def too_few(source: str, layout: str, found: Collection[str]) -> DataError:
    """What to say of a source with fewer than two classes.

    Args:
        source, layout: as of :func:`checked_classes`.
        found: the classes.
    """
    ways = ". Or read the classes from file names with --class-from REGEX, or from a table with "
    return DataError(
        "needs pictures of at least two classes",
        where=source,
        value=", ".join(found) or "no pictures",
        remedy=f"{layout}{ways}--labels FILE" if layout == FOLDERS else layout,
    )


def noted_cut(writer: PackWriter, share: float, seed: int) -> str:
    """Cuts the test split; gives the note on it.

    Args:
        share, seed: as of :meth:`fer_tune.data.pack.PackWriter.cut_test`.

    Raises:
        DataError: no picture can be moved.
    """
    of_class = writer.counts()["train"]
    before = sum(of_class.values())
    moved = writer.cut_test(share, seed)
    if before == 0:
        raise DataError(
            "there are no training pictures of which a test split could be cut",
            where="--test-share",
            value=share,
            remedy="Use the validation pictures instead, with --test-from validation",
        )
    if moved == 0 and max(of_class.values()) == 1:
        raise DataError(
            "every class has a single training picture, which cannot be moved to a test split",
            where="--test-share",
            value=share,
            remedy="Import more pictures, or without --test-share",
        )
    if moved == 0:
        raise DataError(
            "no picture can be moved to a test split: copies and pictures of one group stay "
            "together, and here they connect all training pictures of a class, or connect them "
            "with validation",
            where="--test-share",
            value=share,
            remedy="Import without --group-from or group columns, or without --test-share",
        )
    return f"test split: {moved:,} of {before:,} training pictures ({moved / before:.1%})"
