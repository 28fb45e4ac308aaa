"""Near copies: one photograph that was mirrored, recompressed, resized, shifted, cropped, relit."""

from fer_tune.data.copies.groups import (
    MOST_SEARCHED,
    NEAR_VERSION,
    are_searched,
    pack_groups,
    related_groups,
    unpack_groups,
)
from fer_tune.data.copies.pairs import CopyPair, near_pairs

__all__ = [
    "MOST_SEARCHED",
    "NEAR_VERSION",
    "CopyPair",
    "are_searched",
    "near_pairs",
    "pack_groups",
    "related_groups",
    "unpack_groups",
]
