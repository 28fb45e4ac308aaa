"""What may be spent on a search: money, accelerator hours, or time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fer_tune.errors import UserError

if TYPE_CHECKING:
    from fer_tune.simulation.runs import SimulatedSearch

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(usd|gpuh|h)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SearchBudget:
    """A budget of a whole search, confirmation included.

    Attributes:
        amount: above 0.
        unit: ``usd``: the fleet's price; ``gpuh``: hours of all its GPUs; ``h``: hours.
        price_per_hour: of a GPU.
    """

    amount: float
    unit: Literal["usd", "gpuh", "h"]
    price_per_hour: float | None

    @property
    def words(self) -> str:
        """As the user wrote it."""
        return f"{self.amount:g}{self.unit}"

    def spent(self, search: SimulatedSearch) -> float:
        """What a search costs, in the budget's unit."""
        hours = search.seconds if self.unit == "h" else search.fleet_s
        return hours / 3600 * ((self.price_per_hour or 0.0) if self.unit == "usd" else 1.0)


def parse_budget(text: str, price_per_hour: float | None) -> SearchBudget:
    """The budget of ``--budget``: ``50usd``, ``20gpuh`` or ``6h``.

    Raises:
        UserError: it is none of these or zero, or money has no price.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise UserError(
            "must be a positive amount of money, accelerator hours or hours",
            where="--budget",
            value=text,
            remedy="Such as 50usd, 20gpuh or 6h",
        )
    unit = found[2].lower()
    if unit == "usd" and not price_per_hour:
        raise UserError(
            "a budget of money needs the price of a GPU",
            where="--budget",
            value=text,
            remedy="Add --price-per-hour",
        )
    return SearchBudget(amount=float(found[1]), unit=unit, price_per_hour=price_per_hour)  # type: ignore[arg-type]
