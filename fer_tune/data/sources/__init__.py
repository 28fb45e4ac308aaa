"""All sources that pictures can be imported from, behind one function."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from fer_tune.data.files.opening import archive_tree, file_tree, folder_tree
from fer_tune.data.files.tree import Tree
from fer_tune.data.formats.recognition import list_tree
from fer_tune.data.labels.tables import is_table
from fer_tune.data.listing import Listing, Reading
from fer_tune.data.sources.kaggle import kaggle_folder
from fer_tune.data.sources.synthetic import list_synthetic
from fer_tune.errors import DataError
from fer_tune.storage import without_secrets

__all__ = ["list_source"]

_REMEDY = (
    "Use a folder, an archive (.zip, .tar, .tar.gz), a FER2013 .csv, a .parquet, kaggle:OWNER/NAME "
    "or synthetic[:COUNT]"
)


def list_source(source: str, reading: Reading, *, seed: int = 0) -> Listing:
    """What is in ``source``: ``synthetic[:N]``, ``kaggle:OWNER/NAME``, a folder, an
    archive, a CSV or Parquet.

    No picture is decoded.

    Args:
        seed: of the synthetic generator; ignored by other sources.

    Raises:
        DataError: there is nothing, or nothing that can be imported.
        EnvironmentFault: the source needs an extra that is not installed.
    """
    kind, _, rest = source.partition(":")
    if kind == "synthetic":
        return list_synthetic(rest, reading, seed)
    if kind == "kaggle":
        return list_tree(_folder(kaggle_folder(rest), reading), reading)
    path = Path(os.path.expanduser(source))
    if path.is_dir():
        return list_tree(_folder(path, reading), reading)
    if not path.exists():
        raise DataError(
            "no such source", where="data import", value=without_secrets(source), remedy=_REMEDY
        )
    if not path.is_file():  # a named pipe could block the import forever
        raise DataError(
            "is a pipe, socket or device, not a regular file",
            where="data import",
            value=without_secrets(source),
            remedy=_REMEDY,
        )
    tree = archive_tree(path, reading.encoding)
    if tree is None and is_table(PurePosixPath(path.name)):
        tree = file_tree(path)
    if tree is None:
        raise DataError(
            "is not a folder, an archive (.zip, .tar, .tar.gz) or a table (.csv, .parquet)",
            where="data import",
            value=source,
            remedy=_REMEDY,
        )
    return list_tree(tree, reading)


def _folder(root: Path, reading: Reading) -> Tree:
    return folder_tree(root, follow_links=reading.follow_links, encoding=reading.encoding)
