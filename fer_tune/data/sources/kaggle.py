"""A Kaggle dataset, downloaded and cached by ``kagglehub`` (an extra)."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from fer_tune.errors import DataError, EnvironmentFault

_HANDLE = re.compile(r"[\w.-]+/[\w.-]+(/versions/\d+)?")


def kaggle_folder(handle: str) -> Path:
    """Downloads ``OWNER/NAME`` (or ``OWNER/NAME/versions/N``) and gives its folder.

    Raises:
        DataError: the handle is malformed, or the download failed.
        EnvironmentFault: ``kagglehub`` is not installed.
    """
    if not _HANDLE.fullmatch(handle):
        raise DataError(
            "a Kaggle dataset is named OWNER/NAME",
            where="kaggle source",
            value=handle,
            remedy="For example kaggle:apollo2506/facial-recognition-dataset",
        )
    try:
        kagglehub = importlib.import_module("kagglehub")
    except ImportError:
        raise EnvironmentFault(
            "kagglehub is not installed",
            where=f"kaggle:{handle}",
            remedy="Install the extra (pip install 'fer-tune[kaggle]') or download the zip from "
            f"https://www.kaggle.com/datasets/{handle} and import that",
        ) from None
    try:
        folder = kagglehub.dataset_download(handle)
    except Exception as error:
        # kagglehub raises errors of its own, of requests and of the file system.
        raise DataError(
            f"the download from Kaggle failed: {error}",
            where=f"kaggle:{handle}",
            remedy="Check the name, the network and, for private sets, ~/.kaggle/kaggle.json",
        ) from error
    return Path(folder)
