"""What is known of a public data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from fer_tune.data.files.tree import Tree
from fer_tune.data.listing import Listing, Reading


@dataclass(frozen=True, kw_only=True)
class KnownFormat:
    """A public data set.

    Attributes:
        key: its name on the command line, in lower case.
        name: as its authors write it.
        order: canonical class names by number (or code) as its files have them.
        dropped: why pictures of a number are left out.
        where: to get it; a URL.
        licence: in a few words; the text at ``where`` counts.
        layouts: what is recognised, in a few words.
        find: gives the listing of a source that is this data set, or None.
    """

    key: str
    name: str
    order: Mapping[str, str]
    where: str
    licence: str
    layouts: str
    find: Callable[[Tree, Reading], Listing | None]
    dropped: Mapping[str, str] = field(default_factory=dict)


def as_format(listing: Listing, name: str, *notes: str) -> Listing:
    """The listing with the name of its data set, and further notes."""
    found = replace(listing.found, format=name, notes=(*listing.found.notes, *notes))
    return replace(listing, found=found)


def numbered(*names: str, first: int = 0) -> dict[str, str]:
    """Names by number."""
    return {str(number): name for number, name in enumerate(names, start=first)}
