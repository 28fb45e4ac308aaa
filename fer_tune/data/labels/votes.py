"""A label from the votes of several people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fer_tune.data.labels.columns import NO_CLASS

TIE = "without a majority"
NO_VOTES = "without votes"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a picture's votes say.

    Attributes:
        label: the class as found; None if there is none.
        reason: why there is none, such as ``not a face``.
    """

    label: str | None = None
    reason: str = ""


def majority(votes: Mapping[str, int], min_agreement: float) -> Verdict:
    """The class with the most votes.

    Args:
        votes: at least 0, by class as found, those for no class included.
        min_agreement: share of all votes that the class needs, 0 to 1.
    """
    total, most = sum(votes.values()), max(votes.values(), default=0)
    if most == 0:
        return Verdict(reason=NO_VOTES)
    leading = [name for name, count in votes.items() if count == most]
    if len(leading) > 1:
        return Verdict(reason=TIE)
    if leading[0] in NO_CLASS:
        return Verdict(reason=NO_CLASS[leading[0]])
    if most < min_agreement * total:
        return Verdict(reason=f"below --min-agreement {min_agreement:g}")
    return Verdict(label=leading[0])
