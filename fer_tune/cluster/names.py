"""Names from a cluster or a store, checked before use.

Whoever controls a head, or can write to a bucket, chooses these. They end up in paths of this
machine, in URLs, and in commands that are run or shown.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from fer_tune.errors import ResultsError

#: Of a job: what :func:`fer_tune.cluster.job.new_id` and Ray itself make. Safe as the name of
#: a file, as part of a URL and as a word of a command.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def is_id(text: object) -> bool:
    """Whether ``text`` may be the id of a job."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def is_file_name(text: str) -> bool:
    """Whether ``text`` is a single part of a path, and not ``..``."""
    return text not in ("", ".", "..") and "/" not in text and text.isprintable()


def below(name: str) -> PurePosixPath | None:
    """``name`` as a path below a folder; None if it would lead out of the folder."""
    parts = name.split("/")
    return PurePosixPath(*parts) if all(map(is_file_name, parts)) else None


def checked_path(path: str) -> str:
    """``path``, if it is an absolute path on a machine of the cluster.

    Raises:
        ResultsError: it is relative, so that ssh or rsync might misread it, contains ``..``, or has
            unprintable characters.
    """
    if path.startswith("/") and path.isprintable() and ".." not in path.split("/"):
        return path
    raise ResultsError(
        "must be an absolute path without `..`",
        value=path[:200],
        remedy="Use the path of the results folder on the cluster; it begins with / or ~/",
    )
