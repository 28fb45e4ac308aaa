"""A results folder somewhere: on a local or shared path, or at ``s3://`` and ``gs://``.

A *place* is a file or folder in either: a :class:`pathlib.Path`, or a :class:`UrlPath`, which has
those of its methods that are used here. Neither torch nor Ray; pyarrow's filesystems are loaded
with the first URL.
"""

from __future__ import annotations

from fer_tune.storage.places import (
    Place,
    address,
    files_in,
    local_copy,
    place,
    put_folder,
    remove_tree,
    write_atomically,
)
from fer_tune.storage.trying import away_since
from fer_tune.storage.url_path import UrlPath
from fer_tune.storage.urls import is_url, without_secrets

__all__ = [
    "Place",
    "UrlPath",
    "address",
    "away_since",
    "files_in",
    "is_url",
    "local_copy",
    "place",
    "put_folder",
    "remove_tree",
    "without_secrets",
    "write_atomically",
]
