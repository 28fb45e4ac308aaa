"""The table of known hyperparameters: kind, permitted values, default, meaning.

Checks and documentation both read it; the defaults themselves are in ``TrialConfig``.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from typing import Literal

from fer_tune.space.backbones import BACKBONES
from fer_tune.space.config import TrialConfig

Scalar = str | int | float


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One hyperparameter and the values that make sense for it.

    Attributes:
        kind: ``float``, ``int`` or ``choice`` (a name).
        low, high: permitted range of a number, ends included unless ``low_open``/``high_open``.
        choices: permitted names of a ``choice``.
    """

    name: str
    kind: Literal["float", "int", "choice"]
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()

    @property
    def default(self) -> Scalar | None:
        """The value when neither the file nor the sampler sets one; None: must be set."""
        field = next(field for field in fields(TrialConfig) if field.name == self.name)
        default: Scalar | None = None if field.default is MISSING else field.default
        return default

    @property
    def rule(self) -> str:
        """What a value must be, to follow "must be"."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        noun = "a whole number" if self.kind == "int" else "a number"
        if not (self.low_open or self.high_open):
            return f"{noun} from {self.low:g} to {self.high:g}"
        low = "above" if self.low_open else "at least"
        high = "below" if self.high_open else "at most"
        return f"{noun} {low} {self.low:g} and {high} {self.high:g}"

    def accepts(self, value: object) -> bool:
        """Whether one value is permitted; booleans are not numbers."""
        if self.kind == "choice":
            return isinstance(value, str) and value in self.choices
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if self.kind == "int" and not isinstance(value, int):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def cast(self, value: Scalar) -> Scalar:
        """An accepted value in the type that ``TrialConfig`` declares."""
        assert self.accepts(value), f"{self.name} must be {self.rule}, not {value!r}"
        return float(value) if self.kind == "float" else value


_TABLE = (
    Parameter(name="backbone", kind="choice", choices=BACKBONES, meaning="Network to tune."),
    Parameter(
        name="unfreeze_depth",
        kind="int",
        low=0,
        high=5,
        meaning="Stages trained, counted from the head: 0 the head alone, 4 all, 5 the stem too.",
    ),
    Parameter(
        name="crop_size",
        kind="int",
        low=32,
        high=512,
        meaning="Side of the square, in pixels, that the network sees.",
    ),
    Parameter(
        name="augment_policy",
        kind="choice",
        choices=("plain", "moderate", "strong"),
        meaning="Strength of the augmentation; trials of one policy and crop size share views.",
    ),
    Parameter(
        name="optimizer", kind="choice", choices=("adamw", "sgd"), meaning="Optimisation method."
    ),
    Parameter(
        name="lr_head",
        kind="float",
        low=0,
        high=10,
        low_open=True,
        meaning="Peak learning rate of the head.",
    ),
    Parameter(
        name="lr_backbone",
        kind="float",
        low=0,
        high=10,
        low_open=True,
        meaning="Peak learning rate of the unfrozen backbone; without effect at depth 0.",
    ),
    Parameter(
        name="weight_decay",
        kind="float",
        low=0,
        high=1,
        meaning="Weight decay; AdamW decouples it.",
    ),
    Parameter(
        name="momentum",
        kind="float",
        low=0,
        high=1,
        high_open=True,
        meaning="Momentum of SGD; AdamW ignores it.",
    ),
    Parameter(
        name="schedule",
        kind="choice",
        choices=("cosine", "constant"),
        meaning="Learning rate over time: falling to zero at the last epoch, or constant.",
    ),
    Parameter(
        name="warmup_epochs",
        kind="float",
        low=0,
        high=1000,
        meaning="Linear warm-up from zero, in epochs; below budget.max_epochs.",
    ),
    Parameter(
        name="label_smoothing",
        kind="float",
        low=0,
        high=1,
        high_open=True,
        meaning="Share of the target spread evenly over all classes.",
    ),
    Parameter(
        name="class_weights",
        kind="choice",
        choices=("none", "balanced"),
        meaning="Weight of a picture in the loss, by its class: equal, or inverse to the frequency "
        "of the class.",
    ),
    Parameter(
        name="dropout",
        kind="float",
        low=0,
        high=1,
        high_open=True,
        meaning="Dropout before the head.",
    ),
    Parameter(
        name="batch_size", kind="int", low=2, high=4096, meaning="Pictures per optimiser step."
    ),
    Parameter(
        name="label_noise",
        kind="float",
        low=0,
        high=1,
        high_open=True,
        meaning="Share of the training pictures given a wrong label, for control experiments.",
    ),
)

#: Name to parameter, in the order of ``TrialConfig``.
PARAMETERS: dict[str, Parameter] = {parameter.name: parameter for parameter in _TABLE}
