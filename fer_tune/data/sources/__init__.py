"""All sources that pictures can be imported from, behind one function."""

from __future__ import annotations

import os
from pathlib import Path

from fer_tune.data.files.archive import zip_tree
from fer_tune.data.files.folder import folder_tree
from fer_tune.data.labels import list_tree
from fer_tune.data.labels.fer_csv import list_fer_csv
from fer_tune.data.listing import Listing, Reading
from fer_tune.data.sources.kaggle import kaggle_folder
from fer_tune.data.sources.synthetic import list_synthetic
from fer_tune.errors import DataError
from fer_tune.storage import without_secrets

__all__ = ["list_source"]

_REMEDY = "Use a folder, a .zip, a FER2013 .csv, kaggle:OWNER/NAME or synthetic[:COUNT]"


def list_source(source: str, reading: Reading, *, seed: int = 0) -> Listing:
    """What is in ``source``: ``synthetic[:N]``, ``kaggle:OWNER/NAME``, a folder, a zip or a CSV.

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
        return list_tree(folder_tree(kaggle_folder(rest), reading), reading)
    path = Path(os.path.expanduser(source))
    if path.is_dir():
        return list_tree(folder_tree(path, reading), reading)
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
    if path.suffix.casefold() == ".zip":
        return list_tree(zip_tree(path), reading)
    if path.suffix.casefold() == ".csv":
        return list_fer_csv(path, reading)
    raise DataError(
        "is not a folder, a .zip or a .csv",
        where="data import",
        value=source,
        remedy=_REMEDY,
    )
