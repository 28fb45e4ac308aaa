"""A page with the pairs of near copies of a dataset, where those to leave out can be marked."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.groups import MOST_SEARCHED, are_searched, first_members
from fer_tune.data.copies.pairs import CopyPair, near_pairs
from fer_tune.data.dataset import PackedDataset
from fer_tune.errors import DataError, reporting
from fer_tune.escaping import one_line
from fer_tune.storage import write_atomically

Ints = NDArray[np.int64]

#: Longer side of a picture on the page, in pixels.
_SIDE = 96
_TEMPLATE = Path(__file__).with_name("review.html")


def write_review(dataset: PackedDataset, out: Path, *, most: int) -> tuple[int, int]:
    """Writes the page; returns the number of pairs shown and found.

    Pairs across splits come first, then those with different labels, and of these the least
    similar: what is doubtful is seen first. A picture that is not in the test split is marked to be
    left out if the other one is.

    Args:
        most: pairs that are shown.

    Raises:
        DataError: too many pictures for a search, or the page cannot be written.
    """
    if not are_searched(dataset.groups):
        raise DataError(
            f"near copies are not searched for among more than {MOST_SEARCHED:,} pictures",
            where=str(dataset.root),
            remedy="Import fewer pictures, for example with --classes",
        )
    places = np.unique(first_members(dataset.groups))
    found = near_pairs((dataset.picture(int(place)) for place in places), len(places))
    ranked = sorted(found, key=lambda pair: _rank(dataset, pair, places))[:most]
    rows = "\n".join(_row(dataset, pair, places) for pair in ranked)
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=html.escape(one_line(dataset.root.name)),
        fingerprint=dataset.fingerprint,
        shown=f"{len(ranked):,}",
        found=f"{len(found):,}",
        rows=rows,
    )
    with reporting("cannot be written", out, "Check the path given as --out", DataError):
        write_atomically(out, page)
    return len(ranked), len(found)


def _rank(dataset: PackedDataset, pair: CopyPair, places: Ints) -> tuple[bool, bool, float]:
    one, other = (_members(dataset, places[place]) for place in (pair.first, pair.second))
    same_split = set(dataset.splits[one]) == set(dataset.splits[other])
    same_label = set(dataset.labels[one]) == set(dataset.labels[other])
    return same_split, same_label, pair.detail


def _members(dataset: PackedDataset, place: int) -> Ints:
    """The positions of the picture and its exact copies, which follow it."""
    end = int(np.searchsorted(dataset.groups, dataset.groups[place], side="right"))
    return np.arange(place, end)


def _in_test(dataset: PackedDataset, place: int) -> bool:
    return bool((dataset.splits[_members(dataset, place)] == "test").any())


def _row(dataset: PackedDataset, pair: CopyPair, places: Ints) -> str:
    one, other = int(places[pair.first]), int(places[pair.second])
    cells = [
        _picture(dataset, place, marked=_in_test(dataset, against) and not _in_test(dataset, place))
        for place, against in ((one, other), (other, one))
    ]
    how = f"{'mirrored, ' if pair.mirrored else ''}agreement {pair.detail:.2f}"
    return f"<section>{''.join(cells)}<p>{how}</p></section>"


def _picture(dataset: PackedDataset, place: int, *, marked: bool) -> str:
    png = base64.b64encode(dataset.thumbnail(place, _SIDE)).decode()
    members = _members(dataset, place)
    splits = ", ".join(dict.fromkeys(map(str, dataset.splits[members])))
    labels = ", ".join(dict.fromkeys(dataset.classes[label] for label in dataset.labels[members]))
    origin = html.escape(one_line(str(dataset.origins[place])))
    copies = f", {len(members)} exact copies" if len(members) > 1 else ""
    words = html.escape(one_line(f"{splits}: {labels}{copies}"))
    return (
        f'<label><img src="data:image/png;base64,{png}" alt="">'
        f'<input type="checkbox" data-picture="{dataset.hashes[place]}" data-origin="{origin}"'
        f"{' checked' if marked else ''}><b>{words}</b><small>{origin}</small></label>"
    )
