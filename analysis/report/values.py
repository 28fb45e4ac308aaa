"""Types of report.json: numbers that know their place, quantities, and their base.

Models are frozen, convert nothing, allow no other keys and need every key; what is unknown is null.
A number keeps its path (``arms.0.test_macro_f1.value``), so that a page can name the place of each
number that it shows; what is computed from it is a plain number without a path.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Annotated, Literal, Protocol, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema


class Int(int):
    """A whole number of report.json. ``path``: where it stands."""

    path: str = ""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_whole)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "integer"}


class Float(float):
    """A number of report.json with a fraction or an exponent. ``path``: where it stands."""

    path: str = ""


class _Either:
    """The schema of :data:`Number`, one for both types."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_number)


def _whole(value: object) -> Int:
    if not isinstance(value, Int):
        raise PydanticKnownError("int_type")
    return value


def _number(value: object) -> Int | Float:
    if not isinstance(value, Int | Float):
        raise PydanticKnownError("float_type")
    if not isfinite(value):
        raise PydanticKnownError("finite_number")
    return value


def _not_negative(number: Int) -> Int:
    if number < 0:
        raise PydanticKnownError("greater_than_equal", {"ge": 0})
    return number


def _share(number: Int | Float) -> Int | Float:
    if not 0 <= number <= 1:
        raise ValueError("must be from 0 to 1")
    return number


#: Any number; JSON writes some fractions as whole numbers.
Number: TypeAlias = Annotated[Int | Float, _Either(), WithJsonSchema({"type": "number"})]
#: A number of things.
Count: TypeAlias = Annotated[
    Int, AfterValidator(_not_negative), WithJsonSchema({"type": "integer", "minimum": 0})
]
#: A share or a score.
Share: TypeAlias = Annotated[
    Int | Float,
    _Either(),
    AfterValidator(_share),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]
#: A setting or a recorded value.
Scalar: TypeAlias = bool | Number | str | None

Status: TypeAlias = Literal["pass", "warn", "broken"]
Kind: TypeAlias = Literal["better", "small", "inconclusive", "not comparable"]
UnitKind: TypeAlias = Literal["study", "seed"]

ArmName: TypeAlias = Annotated[str, Field(description="name of the arm")]
ClassName: TypeAlias = Annotated[str, Field(description="name of the class")]
UnitText: TypeAlias = Annotated[str, Field(description="unit of the plain numbers beside it")]
First: TypeAlias = Annotated[str, Field(description="the arm that the second is subtracted from")]
Second: TypeAlias = Annotated[str, Field(description="the other arm")]


class Part(BaseModel):
    """An object of report.json."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )


class Quantity(Part):
    """One number with its interval, and how it was computed."""

    value: Number | None = Field(description="the estimate; null where the data allow none")
    low: Number | None = Field(description="lower end of the interval; null without one")
    high: Number | None = Field(
        description="upper end of the interval; null without one, or where it is open above"
    )
    level: Share | None = Field(description="nominal coverage of the interval, 0 to 1")
    n: Count = Field(description="how many `of` went in; of two samples the smaller number")
    of: str = Field(description="what was counted: seeds, studies, trials, test pictures")
    unit: str = Field(description="unit and range of `value`, `low` and `high`")
    estimator: str = Field(description="how value and interval were computed")

    @property
    def span(self) -> tuple[Int | Float | None, Int | Float | None, Int | Float | None]:
        """Value, lower and upper end."""
        return self.value, self.low, self.high


class Known(Quantity):
    """A quantity that always has a value."""

    value: Number = Field(description="the estimate")


class NameValue(Part):
    """A recorded value by its name."""

    name: str = Field(description="the name, nested names joined by colons")
    value: Scalar = Field(description="the value; lists as text")


class StateCounts(Part):
    """Ended trials by state."""

    complete: Count = Field(description="trained for all epochs")
    pruned: Count = Field(description="stopped by ASHA, audited ones included")
    overfit: Count = Field(description="ended by the overfit stopper")
    diverged: Count = Field(description="ended because the loss was not finite or too high")
    oom: Count = Field(description="ended because memory ran out")
    failed: Count = Field(description="ended by any other error")


#: How many trials ended in each state, by state.
STATES: dict[str, Callable[[StateCounts], Int]] = {
    "complete": lambda counts: counts.complete,
    "pruned": lambda counts: counts.pruned,
    "overfit": lambda counts: counts.overfit,
    "diverged": lambda counts: counts.diverged,
    "oom": lambda counts: counts.oom,
    "failed": lambda counts: counts.failed,
}


class PairLike(Protocol):
    """Two arms, first minus second."""

    @property
    def first(self) -> str: ...

    @property
    def second(self) -> str: ...
