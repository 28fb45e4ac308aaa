"""A packed dataset on disk: memory-mapped pixels, an index in canonical order, a description.

::

    DIR/dataset.json     format, version, fingerprint, classes, channels, counts, source, skipped,
                         near copies
    DIR/index.parquet    a row per picture, ordered by (content hash, split, class)
    DIR/pixels.bin       uint8 pixels of all pictures, (h, w, c) each, in the order of the index
    DIR/near_copies.json  of a dataset whose description lacks them, as those of older versions do
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, ValidationError

from fer_tune.data.copies.groups import copy_groups
from fer_tune.data.copies.record import kept_or_found, related_in, was_searched
from fer_tune.data.names import SPLITS
from fer_tune.data.packing.index_columns import (
    GROUPED_VERSION,
    VERSION,
    fingerprint,
    index_schema,
    offsets,
)
from fer_tune.data.packing.together import numbered
from fer_tune.data.pixels import content_hash
from fer_tune.errors import DataError
from fer_tune.schema import InvalidJson, TooLarge, first_error, parse_json, read_at_most, shown
from fer_tune.schema.limits import DESCRIPTION_BYTES, INDEX_BYTES, PICTURE_SIDE
from fer_tune.schema.manifest import Channels, ClassNames, Part
from fer_tune.schema.parquet import Oversized, out_of_range, read_tables
from fer_tune.storage import AnyPath

FORMAT = "fer_tune packed dataset"
#: Longest side of a packed picture, in pixels, unless the user sets another.
DEFAULT_MAX_SIDE = 256
DESCRIPTION, INDEX, PIXELS = "dataset.json", "index.parquet", "pixels.bin"


class Description(Part):
    """Required keys of ``dataset.json``; the others describe the source of the pictures."""

    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    classes: Annotated[ClassNames, Field(min_length=1)]
    channels: Channels
    max_side: Annotated[int, Field(ge=1, le=PICTURE_SIDE)] = DEFAULT_MAX_SIDE


_REMEDY = "Import the source again with `fer-tune data import SOURCE --out DIR`"
_FIRST = "Make one with `fer-tune data import SOURCE --out DIR` and pass DIR"


class DatasetIndex:
    """Labels, splits and content hashes of one packed dataset, without its pixels.

    Arrays run over all n pictures in canonical order, so that picture i is the same wherever the
    same pictures were imported.

    Attributes:
        root: the folder, or the URL.
        fingerprint: 64 hex digits; equal for the same pictures, splits and classes.
        classes: class names; a label is a position in it.
        channels: 1 or 3, for every picture of the dataset (grey ones of a colour set get three).
        max_side: longest side of a picture, in pixels; larger ones were reduced to it.
        description: ``dataset.json`` as written.
        labels: int64 (n,).
        splits: str (n,), ``train``, ``validation`` or ``test``.
        hashes: str (n,), content hash.
        groups: int64 (n,), copy group; copies, and they alone, share one.
        sizes: int64 (n, 2), height and width in pixels.
        deviations: float64 (n,), standard deviation of the pixels (0 to 127.5).
        origins: str objects (n,), the name of each picture inside its source.
        subjects: int64 (n,), pictures of one person or clip share one, pictures without a known one
            have their own; None where the dataset has none (``--group-from``).
        recorded_related: what ``related`` returns if the description has it, else None.
    """

    root: AnyPath

    def __init__(self, root: AnyPath, description: dict[str, Any], index: pa.Table) -> None:
        self.root = root
        self.description = description
        self.fingerprint: str = description["fingerprint"]
        self.classes: tuple[str, ...] = tuple(description["classes"])
        self.channels: int = description["channels"]
        self.max_side: int = description.get("max_side", DEFAULT_MAX_SIDE)
        positions = {name: label for label, name in enumerate(self.classes)}
        names = index["class_name"].to_pylist()
        self.labels: NDArray[np.int64] = np.array([positions[name] for name in names], np.int64)
        self.splits: NDArray[np.str_] = np.array(index["split"].to_pylist(), np.str_)
        self.hashes: NDArray[np.str_] = np.array(index["hash"].to_pylist(), np.str_)
        self.groups: NDArray[np.int64] = index["group"].to_numpy()
        self.sizes: NDArray[np.int64] = np.stack(
            [index["height"].to_numpy(), index["width"].to_numpy()], axis=1
        ).astype(np.int64)
        self.deviations: NDArray[np.float64] = index["deviation"].to_numpy()
        self.origins: NDArray[np.object_] = np.array(index["origin"].to_pylist(), np.object_)
        self.subjects: NDArray[np.int64] | None = None
        if "subject" in index.column_names:
            self.subjects = numbered(np.array(index["subject"].to_pylist(), np.object_))
        record = description.get("near_copies")
        self.recorded_related = related_in(record, self.groups)
        #: Whether near copies were searched for: not among very many pictures.
        self.near_searched = was_searched(record, self.groups)

    @property
    def related(self) -> NDArray[np.int64]:
        """int64 (n,), the smallest position of each picture's exact and near copies."""
        assert self.recorded_related is not None, "without pixels they cannot be found"
        return self.recorded_related

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r}, {len(self)} pictures)"


class PackedDataset(DatasetIndex):
    """A packed dataset with its pixels, in a folder; made by :meth:`open`.

    Pickled as its path, and opened again when unpickled.
    """

    root: Path

    def __init__(self, root: Path, description: dict[str, Any], index: pa.Table) -> None:
        super().__init__(root, description, index)
        self._channels: NDArray[np.int64] = index["channels"].to_numpy().astype(np.int64)
        self._offsets: NDArray[np.int64] = index["offset"].to_numpy()
        self._pixels: NDArray[np.uint8] = np.memmap(root / PIXELS, np.uint8, mode="r")

    @classmethod
    def open(cls, folder: Path | str) -> PackedDataset:
        """Opens a packed dataset after checking that its three files match.

        Raises:
            DataError: no packed dataset, another version, or damaged.
        """
        root = Path(folder)
        description = read_description(root)
        for name in (INDEX, PIXELS):
            if not (root / name).is_file():
                raise _damaged(root, f"{name} is missing")
        size = (root / PIXELS).stat().st_size
        try:
            content = read_at_most((root / INDEX).resolve(), INDEX_BYTES)
        except (OSError, TooLarge):
            raise _damaged(root, f"{INDEX} cannot be read") from None
        index = checked_index(content, description, size, root)
        return cls(root, description, index)

    @property
    def related(self) -> NDArray[np.int64]:
        """As recorded; of an older dataset searched for now, which reads all pictures."""
        if self.recorded_related is None:
            self.recorded_related = kept_or_found(self.root, self.groups, self.picture)
        return self.recorded_related

    def __reduce__(self) -> tuple[Any, ...]:
        return (_reopen, (str(self.root.absolute()), self.fingerprint))

    def picture(self, i: int) -> NDArray[np.uint8]:
        """Picture ``i`` (0 to n - 1) as a writable copy, uint8 (h, w, channels)."""
        stored = self._stored(i)
        same = stored.shape[2] == self.channels
        return np.array(stored) if same else np.repeat(stored, self.channels, axis=2)

    def damaged(self) -> int | None:
        """The first picture whose pixels do not match its content hash; reads all pictures."""
        wrong = (i for i, h in enumerate(self.hashes) if content_hash(self._stored(i)) != h)
        return next(wrong, None)

    def _stored(self, i: int) -> NDArray[np.uint8]:
        height, width = self.sizes[i]
        start, channels = self._offsets[i], self._channels[i]
        flat = np.asarray(self._pixels[start : start + height * width * channels])
        return flat.reshape(height, width, channels)

    def thumbnail(self, i: int, side: int = 48) -> bytes:
        """Picture ``i`` as PNG, its longer side at most ``side`` pixels."""
        pixels = self.picture(i)
        image = Image.fromarray(pixels[:, :, 0] if self.channels == 1 else pixels)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()


def read_description(root: Path) -> dict[str, Any]:
    """``dataset.json`` of a packed dataset, its format and version checked.

    Raises:
        DataError: absent, foreign, damaged or of another version.
    """
    path = root / DESCRIPTION
    if not root.is_dir():
        what = (
            "is a file, not the folder of a packed dataset" if root.exists() else "no such folder"
        )
        raise DataError(what, where=str(root), remedy=_FIRST)
    if not path.exists():
        raise DataError(
            f"not a packed dataset: no {DESCRIPTION} here", where=str(root), remedy=_FIRST
        )
    try:
        content = read_at_most(path.resolve(), DESCRIPTION_BYTES)
    except OSError:
        raise _damaged(root, f"{DESCRIPTION} cannot be read") from None
    except TooLarge as error:
        raise _damaged(root, f"{DESCRIPTION} is {error}") from None
    return parse_description(content, root)


def parse_description(content: bytes, root: AnyPath) -> dict[str, Any]:
    """What :func:`read_description` returns, from the file's content; ``root`` for messages.

    Raises:
        DataError: foreign, damaged or of another version.
    """
    try:
        description = parse_json(content)
    except InvalidJson as error:
        raise _damaged(root, f"{DESCRIPTION} is {error}") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise DataError(
            f"not a packed dataset: its {DESCRIPTION} has another format",
            where=str(root),
            remedy=_FIRST,
        )
    if description.get("version") not in (VERSION, GROUPED_VERSION):
        raise DataError(
            f"packed dataset must have version {VERSION} or {GROUPED_VERSION}",
            where=str(root),
            value=shown(description.get("version")),
            remedy=_REMEDY,
        )
    required = [key for key, field in Description.model_fields.items() if field.is_required()]
    missing = [key for key in required if key not in description]
    if missing:
        raise _damaged(root, f"{DESCRIPTION} lacks {', '.join(missing)}")
    try:
        Description.model_validate(description)
    except ValidationError as error:
        rule, value = first_error(error)
        raise _damaged(root, f"{DESCRIPTION}: {rule}", value) from None
    return description


def checked_index(
    content: bytes, description: dict[str, Any], size: int, root: AnyPath
) -> pa.Table:
    """The rows of ``index.parquet``, which must fit the description and the pixels.

    Args:
        content: of the file.
        size: of the pixels, in bytes.
        root: for messages.

    Raises:
        DataError: damaged.
    """
    try:
        # A picture has at least one pixel.
        schema = index_schema(description["version"])
        index = read_tables([content], schema, rows=size, size=INDEX_BYTES)
    except Oversized as error:
        raise _damaged(root, f"{INDEX} {error}") from None
    except (OSError, ValueError, pa.ArrowException):
        raise _damaged(root, f"{INDEX} is truncated or not a Parquet file") from None
    if (mismatch := _mismatch(description, index, size)) is not None:
        raise _damaged(root, mismatch)
    return index


def _mismatch(description: dict[str, Any], index: pa.Table, size: int) -> str | None:
    """The first mismatch between the three files, or None."""
    if not index.num_rows or any(column.null_count for column in index.columns):
        return f"{INDEX} lacks columns or values"
    if (column := _out_of_range(description, index)) is not None:
        return f"{INDEX}: column {column} holds a value out of range"
    shapes = np.array([index[name].to_numpy() for name in ("height", "width", "channels")], int)
    sizes = shapes.prod(axis=0)
    if size != sizes.sum():
        return f"{PIXELS} has {size} bytes instead of {sizes.sum()}"
    try:
        names = ("hash", "split", "class_name", "subject")
        columns = [index[name].to_pylist() for name in names if name in index.column_names]
        matching = (
            shapes.min() >= 1
            and fingerprint(description["classes"], *columns) == description["fingerprint"]
            and description["channels"] == shapes[2].max()
            and np.array_equal(index["offset"].to_numpy(), offsets(sizes))
            and np.array_equal(index["group"].to_numpy(), copy_groups(np.array(columns[0])))
        )
    except (TypeError, ValueError):
        matching = False
    return None if matching else f"{INDEX} does not match the fingerprint in {DESCRIPTION}"


def _out_of_range(description: dict[str, Any], index: pa.Table) -> str | None:
    """The first column with a value that no import writes."""
    permitted = {"split": SPLITS, "class_name": description["classes"], "channels": (1, 3)}
    # Sizes are bounded before they are multiplied: a product that overflows may look right.
    ranges = {"height": (1, PICTURE_SIDE), "width": (1, PICTURE_SIDE), "deviation": (0, 128)}
    return out_of_range(index, permitted, ranges)


def _damaged(root: AnyPath, what: str, value: object = None) -> DataError:
    return DataError(
        f"packed dataset is damaged: {what}", where=str(root), value=value, remedy=_REMEDY
    )


def _reopen(root: str, expected: str) -> PackedDataset:
    dataset = PackedDataset.open(root)
    if dataset.fingerprint != expected:
        raise DataError(
            "this packed dataset differs from the one that was sent",
            where=root,
            value=dataset.fingerprint,
            remedy=f"Put the dataset with fingerprint {expected} at this path on every machine",
        )
    return dataset
