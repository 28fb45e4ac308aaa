"""Near copies: one photograph that was mirrored, recompressed, resized, shifted, cropped, relit."""

from fer_tune.data.copies.groups import NEAR_VERSION, pack_groups, related_groups, unpack_groups
from fer_tune.data.copies.pairs import CopyPair, near_pairs

__all__ = [
    "NEAR_VERSION",
    "CopyPair",
    "near_pairs",
    "pack_groups",
    "related_groups",
    "unpack_groups",
]
