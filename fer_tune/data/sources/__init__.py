"""All sources that pictures can be imported from, behind one function."""

from __future__ import annotations

import os
from pathlib import Path

from fer_tune.data.sources.archive import open_archive
from fer_tune.data.sources.base import RawPicture, Reading, Skipped, Source, printable
from fer_tune.data.sources.fer_csv import open_fer_csv
from fer_tune.data.sources.folder import open_folder
from fer_tune.data.sources.kaggle import open_kaggle
from fer_tune.data.sources.synthetic import open_synthetic
from fer_tune.errors import DataError
from fer_tune.storage import without_secrets

__all__ = ["RawPicture", "Reading", "Skipped", "Source", "open_source", "printable"]

_REMEDY = "Use a folder, a .zip, a FER2013 .csv, kaggle:OWNER/NAME or synthetic[:COUNT]"


def open_source(source: str, reading: Reading, *, seed: int) -> Source:
    """Opens ``source``: ``synthetic[:N]``, ``kaggle:OWNER/NAME``, a folder, a zip or a CSV.

    Args:
        seed: of the synthetic generator; ignored by other sources.

    Raises:
        DataError: there is nothing, or nothing that can be imported.
        EnvironmentFault: the source needs an extra that is not installed.
    """
    kind, _, rest = source.partition(":")
    if kind == "synthetic":
        return open_synthetic(rest, reading, seed)
    if kind == "kaggle":
        return open_kaggle(rest, reading)
    path = Path(os.path.expanduser(source))
    if path.is_dir():
        return open_folder(path, reading)
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
        return open_archive(path, reading)
    if path.suffix.casefold() == ".csv":
        return open_fer_csv(path, reading)
    raise DataError(
        "is not a folder, a .zip or a .csv",
        where="data import",
        value=source,
        remedy=_REMEDY,
    )
