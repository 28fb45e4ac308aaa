"""Files that must not leave this machine: secrets, pictures, data, models.

No list of names can be complete. Files are judged by name and by content, so that a secret under an
unknown name or a picture without a suffix is found as well; mistakes are corrected by hand, with
``--include``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath

from fer_tune.cluster.screening import kinds, secrets


class Reason(StrEnum):
    """Why a file is left out; the value names such files in a summary."""

    SECRET = "secrets"
    PICTURE = "pictures"
    DATA = "data and results"
    MODEL = "models and weights"
    LINK = "links to files that are not sent"


def by_name(file: PurePosixPath) -> Reason | None:
    """Why ``file``, relative to the top of the tree, is left out unread; None if it is not."""
    if secrets.is_named(file):
        return Reason.SECRET
    name = file.name.lower()
    if name.endswith(kinds.PICTURES):
        return Reason.PICTURE
    if name.endswith(kinds.DATA):
        return Reason.DATA
    return Reason.MODEL if name.endswith(kinds.MODELS) else None


def by_content(content: bytes) -> Reason | None:
    """Why a file that holds ``content`` is left out; None if it is not."""
    if kinds.is_picture(content):
        return Reason.PICTURE
    if kinds.is_data(content):
        return Reason.DATA
    if kinds.is_model(content):
        return Reason.MODEL
    if secrets.is_in(content):
        return Reason.SECRET
    return Reason.PICTURE if kinds.embeds_pictures(content) else None
