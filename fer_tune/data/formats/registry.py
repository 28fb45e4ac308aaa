"""All known data sets, and the names that numbers stand for."""

from __future__ import annotations

from collections.abc import Mapping

from fer_tune.data.formats import (
    affectnet,
    ck_plus,
    expw,
    fer2013,
    ferplus,
    jaffe,
    kdef,
    raf_db,
    rafd,
)
from fer_tune.data.formats.base import KnownFormat, numbered
from fer_tune.errors import DataError

#: In the order in which they are looked for: FERPlus may hold FER2013's CSV.
FORMATS: tuple[KnownFormat, ...] = (
    ferplus.FORMAT,
    fer2013.FORMAT,
    raf_db.FORMAT,
    affectnet.FORMAT,
    ck_plus.FORMAT,
    kdef.FORMAT,
    jaffe.FORMAT,
    rafd.FORMAT,
    expw.FORMAT,
)
_KEYS = ", ".join(sorted(known.key for known in FORMATS))


def known_format(name: str) -> KnownFormat:
    """The data set of a name, without regard to case and separators.

    Raises:
        DataError: there is none.
    """
    for known in FORMATS:
        if _plain(name) in (_plain(known.key), _plain(known.name)):
            return known
    raise DataError(
        "is not a known data set",
        where="--format",
        value=name,
        remedy=f"Known: {_KEYS}; see `fer-tune data formats`",
    )


def label_order(text: str) -> Mapping[str, str]:
    """What numbers stand for: in a known data set, or in a list of names from 0 on.

    Raises:
        DataError: neither.
    """
    names = [name.strip() for name in text.split(",")]
    if len(names) > 1 and all(names):
        return numbered(*names)
    for known in FORMATS:
        if _plain(text) in (_plain(known.key), _plain(known.name)):
            return known.order
    raise DataError(
        "must be a known data set, or names separated by commas, the first for 0",
        where="--label-order",
        value=text,
        remedy=f"Known: {_KEYS}",
    )


def _plain(name: str) -> str:
    # The sign is part of a name: CK and CK+ are two data sets.
    return "".join(c for c in name.casefold() if c.isalnum() or c == "+")
