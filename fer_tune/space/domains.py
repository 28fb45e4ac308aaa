"""What a hyperparameter may be: a range, a choice, a fixed value, or any of these per arm."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from fer_tune.schema import limits
from fer_tune.space.parameters import Scalar
from fer_tune.wording import Broken

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=-limits.COUNT, le=limits.COUNT)]
Flag = Annotated[bool, Field(strict=True)]


def scalar(value: object) -> Scalar:
    """A text or finite number as it is; raises :class:`Broken` for everything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Broken("must be a single text or number")
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise Broken("must be a finite number")
    return value


Value = Annotated[Scalar, PlainValidator(scalar)]


def same(a: object, b: object) -> bool:
    """Equality that tells 1 from True and text from number, but not 1 from 1.0."""
    number = (int, float)
    alike = isinstance(a, number) and isinstance(b, number)
    return (alike or type(a) is type(b)) and isinstance(a, bool) == isinstance(b, bool) and a == b


class Frozen(BaseModel):
    """Immutable; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FloatDomain(Frozen):
    """Numbers from ``low`` to ``high``, both included; ``log`` samples their logarithm evenly."""

    type: Literal["float"] = "float"
    low: Number
    high: Number
    log: Flag = False

    @model_validator(mode="after")
    def _ordered(self) -> FloatDomain:
        broken = _range_rules(self.low, self.high)
        if self.log and self.low <= 0:
            broken.append("log requires low above 0")
        _refuse(broken)
        return self

    def contains(self, value: object) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and self.low <= value <= self.high  # type: ignore[operator]


class IntDomain(Frozen):
    """Whole numbers ``low``, ``low + step``, ... ``high``, both ends included.

    3.0 is contained like 3, since the configuration holds some whole numbers as floats.
    """

    type: Literal["int"] = "int"
    low: Whole
    high: Whole
    log: Flag = False
    step: Annotated[int, Field(strict=True, ge=1, le=limits.COUNT)] = 1

    @model_validator(mode="after")
    def _ordered(self) -> IntDomain:
        broken = _range_rules(self.low, self.high)
        if self.log and self.low <= 0:
            broken.append("log requires low above 0")
        if self.log and self.step != 1:
            broken.append("log and step cannot be combined")
        # Optuna would lower `high` silently, and the manifest would then name a value that
        # can never be drawn.
        if self.low < self.high and (self.high - self.low) % self.step:
            broken.append("high - low must be a multiple of step")
        _refuse(broken)
        return self

    def contains(self, value: object) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and value in range(self.low, self.high + 1, self.step)


class ChoiceDomain(Frozen):
    """One of two or more distinct ``values``, without an order between them."""

    type: Literal["choice"] = "choice"
    values: Annotated[tuple[Value, ...], Field(max_length=limits.CHOICES)]

    @model_validator(mode="after")
    def _distinct(self) -> ChoiceDomain:
        if len(self.values) < 2:
            raise Broken(
                "a choice needs at least 2 values", "To fix the parameter, write only its value"
            )
        for i, value in enumerate(self.values):
            if any(same(value, earlier) for earlier in self.values[:i]):
                raise Broken(f"the value {value!r} is repeated", "List every value once")
        return self

    def contains(self, value: object) -> bool:
        return any(same(value, own) for own in self.values)


Domain = FloatDomain | IntDomain | ChoiceDomain


class PerArm(Frozen):
    """A value or domain for some arms; arms not named take the parameter's default."""

    per_arm: dict[str, Domain | Value]


Spec = PerArm | Domain | Value

DOMAINS: dict[str, type[FloatDomain | IntDomain | ChoiceDomain]] = {
    "float": FloatDomain,
    "int": IntDomain,
    "choice": ChoiceDomain,
}


def _range_rules(low: float, high: float) -> list[str]:
    return [] if low < high else [f"low must be below high (low {low:g}, high {high:g})"]


def _refuse(broken: list[str]) -> None:
    if broken:
        raise Broken("; ".join(broken), "Correct it; to fix the parameter, write only its value")
