"""Thresholds of a report: what the reader may set, and what is fixed."""

from __future__ import annotations

from dataclasses import dataclass

from fer_tune.errors import UserError

#: Smallest effect of interest, a difference of macro-F1: one point.
SMALLEST_EFFECT = 0.01
#: Share of an arm's trials that may end without a usable value (``oom``, ``failed``).
FAILED_SHARE = 0.2
#: Share of a domain's range at either end that counts as its limit; fixed.
LIMIT_MARGIN = 0.02


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Thresholds and choices of one report; stored in report.json.

    Attributes:
        smallest_effect: smallest difference of test macro-F1 that matters, in (0, 1).
        failed_share: share of an arm's trials that may fail, in [0, 1].
        price_per_hour: of one accelerator (or, without any, one CPU), in ``currency``; None: no
            prices are shown.
        gallery: whether test pictures are shown.

    Raises:
        UserError: a value out of its range.
    """

    smallest_effect: float = SMALLEST_EFFECT
    failed_share: float = FAILED_SHARE
    price_per_hour: float | None = None
    currency: str = "USD"
    gallery: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.smallest_effect < 1:
            raise UserError(
                "must be above 0 and below 1 (a difference of macro-F1; 0.01 is one point)",
                where="--smallest-effect",
                value=self.smallest_effect,
            )
        if not 0 <= self.failed_share <= 1:
            raise UserError(
                "must be a share from 0 to 1", where="--failed-share", value=self.failed_share
            )
        if self.price_per_hour is not None and not 0 <= self.price_per_hour < 1e6:
            raise UserError(
                "must be at least 0 and below 1,000,000",
                where="--price-per-hour",
                value=self.price_per_hour,
            )
