"""What may be spent on a search: money, accelerator hours, or time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fer_tune.errors import UserError

if TYPE_CHECKING:
    from fer_tune.simulation.runs import SimulatedSearch
    from fer_tune.space.sections import Budget

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

    def beyond(self, cost: float) -> str:
        """A cost above the budget, with as many digits as show that it is."""
        texts = [f"{cost:.{digits}g}" for digits in range(3, 18)]
        return next((text for text in texts if float(text) > self.amount), texts[-1]) + self.unit

    def limits(self, own: Budget) -> list[str]:
        """Settings, as ``--set`` takes them, by which a search keeps to the budget.

        Accelerator hours and money count what runs hold, which is at most the fleet's time.

        Args:
            own: budget of its search space; where that allows no more, no setting is needed.
        """
        if self.unit == "h":
            seconds = 3600 * self.amount
            enough = own.wall_time is not None and own.wall_time <= seconds
            return [] if enough else [f"budget.wall_time={seconds:.12g}"]
        price = self.price_per_hour if self.unit == "usd" else None
        if own.hours <= self.amount / (price or 1.0):
            return []
        if price is None:
            return [f"budget.accelerator_hours={self.amount:.12g}"]
        return [f"budget.money={self.amount:.12g}", f"budget.price_per_hour={price:.12g}"]


def parse_budget(text: str, price_per_hour: float | None) -> SearchBudget:
    """The budget of ``--budget``: ``50usd``, ``20gpuh`` or ``6h``.

    Raises:
        UserError: it is none of these or zero, or money has no price.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or not 0 < float(found[1]) < math.inf:
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
            remedy="Give --price-per-hour above 0",
        )
    return SearchBudget(amount=float(found[1]), unit=unit, price_per_hour=price_per_hour)  # type: ignore[arg-type]
