"""Files and folders on a local or shared path, or at ``s3://`` and ``gs://``.

:data:`AnyPath` is either: a :class:`pathlib.Path`, or a :class:`UrlPath`, which has the methods of
``Path`` that are used here. Neither torch nor Ray; pyarrow's filesystems are loaded with the first
URL.
"""

from __future__ import annotations

from fer_tune.storage.links import refuse_links
from fer_tune.storage.paths import (
    AnyPath,
    address,
    any_path,
    copy_file,
    files_in,
    is_number,
    local_copy,
    put_folder,
    read_bytes,
    remove_file,
    remove_partial_files,
    remove_tree,
    write_atomically,
)
from fer_tune.storage.retry import unavailable_since
from fer_tune.storage.secrets import without_secrets
from fer_tune.storage.url_path import UrlPath
from fer_tune.storage.urls import is_url

__all__ = [
    "AnyPath",
    "UrlPath",
    "address",
    "any_path",
    "copy_file",
    "files_in",
    "is_number",
    "is_url",
    "local_copy",
    "put_folder",
    "read_bytes",
    "refuse_links",
    "remove_file",
    "remove_partial_files",
    "remove_tree",
    "unavailable_since",
    "without_secrets",
    "write_atomically",
]
