"""The sections of a search space, each with its defaults, permitted values and meaning."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from fer_tune.schema import limits
from fer_tune.space.domains import Flag, Frozen, Value
from fer_tune.wording import Broken

Epochs = Annotated[int, Field(strict=True, ge=1, le=limits.EPOCHS)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Amount = Annotated[float, Field(strict=True, gt=0, le=1e9)]

#: Shares of a GPU that divide one among trials without a remainder.
GPU_SHARES = (0.0, 1.0, 0.5, 0.25, 0.125)

#: Names that the records use for the two floors.
RESERVED_ARMS = ("majority", "logistic_regression")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TIME = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Broken("must be 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Broken("must be text that is not empty")
    if len(value) > limits.TEXT:
        raise Broken(f"must have at most {limits.TEXT} characters")
    return value.strip()


def _arms(value: object) -> dict[str, Any]:
    if isinstance(value, (list, tuple)):
        named = {str(item): item for item in value}
        if len(named) < len(value):
            raise Broken(
                "names an arm twice",
                "To compare a value with itself, name the arms: {first: VALUE, second: VALUE}",
            )
    elif isinstance(value, dict):
        named = value
    else:
        raise Broken("must be a list of values or a mapping of arm names to values")
    if not named:
        raise Broken("must name at least 1 arm")
    if len(named) > limits.ARMS:
        raise Broken(f"must name at most {limits.ARMS} arms")
    for arm in named:
        if not isinstance(arm, str) or not _NAME.fullmatch(arm):
            raise Broken(
                f"arm name {arm!r} must be 1 to 64 letters, digits, '.', '_' or '-'",
                "Name the arms: {NAME: VALUE}",
            )
        if arm in RESERVED_ARMS:
            raise Broken(
                f"arm name {arm!r} is reserved for a floor of the report", "Rename the arm"
            )
    return named


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    seconds: float | None = None
    if isinstance(value, str) and value and (match := _TIME.fullmatch(value)):
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = float(hours * 3600 + minutes * 60 + rest)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if 0 < value < 1e9 else None
    if not seconds:
        raise Broken("must be a time above 0", 'Write "45m", "1h30m", seconds, or null')
    return seconds


def _gpu_share(value: object) -> float:
    if isinstance(value, str) and re.fullmatch(r"1/[1248]", value):
        value = float(Fraction(value))
    if isinstance(value, bool) or value not in GPU_SHARES:
        raise Broken("must be a share of a GPU: 0, 1, 1/2, 1/4 or 1/8")
    return float(value)


def _off(value: object) -> object:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


def _views(value: object) -> int | str:
    if value == "fresh":
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= limits.VIEWS:
        return value
    raise Broken(f"must be a whole number from 1 to {limits.VIEWS}, or fresh")


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise Broken("must be odd, so that the moving mean is centred")
    return value


def _confirm_seeds(value: int) -> int:
    if value == 1:
        raise Broken("must be 0 (no confirmation) or at least 2: one seed has no spread")
    return value


_WEIGHTS = ("imagenet-v1", "imagenet-v2", "none")


def _weights(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= limits.LINE:
        file = "/" in value or value.endswith((".safetensors", ".pt", ".pth"))
        if value in _WEIGHTS or file:
            return value
    raise Broken(
        f"must be one of {', '.join(_WEIGHTS)}, or the path of a weights file",
        "A path contains a '/' or ends in .safetensors, .pt or .pth",
    )


#: ``auto`` and the samplers themselves; docs/samplers.md compares them.
Sampler = Literal["auto", "tpe", "random", "qmc", "gp", "cmaes", "cqr"]
Resolved = Literal["tpe", "random", "qmc", "gp", "cmaes", "cqr"]

Name = Annotated[str, PlainValidator(_name)]
Text = Annotated[str, PlainValidator(_text)]


class Compare(Frozen):
    """Which parameter is compared, between which arms, and how trials are allocated to them."""

    parameter: Text = Field(default="backbone", description="The compared hyperparameter.")
    arms: Annotated[dict[str, Value], BeforeValidator(_arms)] = Field(
        description="A list of values, or a mapping of arm names to values.",
        examples=["[densenet161, resnet152]"],
    )
    allocation: Literal["equal", "sampled"] = Field(
        default="equal",
        description="equal: the same number of trials for every arm. sampled: one study chooses "
        "the arm, and the report calls the comparison unbalanced.",
    )
    replicates: Annotated[int, Field(strict=True, ge=1, le=limits.REPLICATES)] = Field(
        default=1,
        description="Independent studies per arm; with 5 the verdict is on families.",
    )


class Cohorts(Frozen):
    """Which share of the trials is drawn at random, and which configurations are run first."""

    random: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        default=0.25,
        description="Share of a study's trials, baselines aside, drawn at random.",
    )
    baseline: Annotated[tuple[dict[str, Value], ...], Field(max_length=limits.CHOICES)] = Field(
        default=(),
        description="Configurations run once, first, in every study whose arm they fit.",
        examples=["[{unfreeze_depth: 1, lr_head: 1e-3}]"],
    )


class Budget(Frozen):
    """How much may be spent."""

    trials: Annotated[int, Field(strict=True, ge=1, le=limits.TRIALS)] = Field(
        description="Trials of the whole search, all arms and replicates together.",
        examples=["80"],
    )
    max_epochs: Epochs = Field(description="Epochs of a full trial.", examples=["20"])
    wall_time: Annotated[float | None, PlainValidator(_seconds)] = Field(
        default=None,
        description="Of the whole search, confirmation included: 45m, 1h30m, seconds, or null.",
    )
    accelerator_hours: Amount | None = Field(
        default=None,
        description="That runs may hold, confirmation included; null: no limit. Without a GPU: "
        "hours of runs.",
    )
    money: Amount | None = Field(
        default=None,
        description="That the accelerator hours may cost, at price_per_hour; null: no limit.",
    )
    price_per_hour: Amount | None = Field(
        default=None, description="Of an accelerator, in the currency of money."
    )

    @property
    def hours(self) -> float:
        """Accelerator hours that runs may hold; infinite without a limit."""
        hours = math.inf if self.accelerator_hours is None else self.accelerator_hours
        if self.money is None or self.price_per_hour is None:
            return hours
        return min(hours, self.money / self.price_per_hour)


class Scheduler(Frozen):
    """How trials that lag behind are stopped."""

    kind: Literal["asha", "none"] = Field(
        default="asha", description="Successive halving within each study, or none."
    )
    grace_epochs: Epochs = Field(
        default=2, description="First rung: no trial is stopped before it."
    )
    reduction_factor: Annotated[int, Field(strict=True, ge=2, le=limits.REDUCTION)] = Field(
        default=3, description="One trial in this many passes a rung; rungs lie this factor apart."
    )


class Audit(Frozen):
    """How many of the trials that ASHA would stop continue, to measure what stopping them costs."""

    share: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        default=0.05,
        description="Share of the trials that ASHA would stop that continue to their own end.",
    )


class Stopper(Frozen):
    """When an overfitting trial is ended."""

    enabled: Flag = Field(default=True, description="Whether overfitting ends a trial.")
    patience: Epochs = Field(
        default=3,
        description="Epochs for which loss must have risen, and the metric not improved.",
    )
    window: Annotated[Epochs, AfterValidator(_odd)] = Field(
        default=3, description="Epochs of the centred moving mean that smooths the curves; odd."
    )


class Resources(Frozen):
    """What one trial holds; one shape for the whole search, so that processes are reused."""

    cpu: Annotated[float, Field(strict=True, gt=0, le=limits.CPUS)] = Field(
        default=1.0, description="CPU cores of a trial."
    )
    gpu: Annotated[float, PlainValidator(_gpu_share)] = Field(
        default=0.0,
        description="GPU share of a trial: 0, 1, 1/2, 1/4 or 1/8.",
        examples=["1/2"],
    )
    max_concurrent: Annotated[int, Field(strict=True, ge=1, le=limits.TRIALS)] | None = Field(
        default=None, description="Most trials at a time; null: as many as the cluster holds."
    )


class ComputeOptions(Frozen):
    """How training steps run."""

    graphs: Annotated[Literal["off", "auto"], BeforeValidator(_off)] = Field(
        default="auto",
        description="CUDA graphs of training steps; auto: where they are known to be faster.",
    )


class Seeds(Frozen):
    """The seeds, one per source of randomness."""

    search: Seed = Field(default=0, description="Samplers; each trial's head, shuffle, dropout.")
    split: Seed = Field(default=0, description="Selection of the validation pictures.")
    views: Seed = Field(default=0, description="Augmentation, the same for all trials.")
    weights: Seed = Field(
        default=0, description="Initial weights of backbones that are not pretrained."
    )


class DataOptions(Frozen):
    """How the packed dataset is split."""

    validation_share: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        default=0.15, description="Share of the training pictures set aside for validation."
    )
    leaks: Literal["drop", "keep", "exact"] = Field(
        default="drop",
        description="Training pictures that are copies or near copies of test pictures. exact: "
        "only those with the same pixels are dropped.",
    )
    conflicts: Literal["drop", "keep"] = Field(
        default="drop", description="Training pictures whose copies carry another label."
    )


class Augment(Frozen):
    """How many views there are, and how much of the picture a crop leaves out."""

    views: Annotated[int | Literal["fresh"], PlainValidator(_views)] = Field(
        default=4,
        description="Number K of recycled views (epoch e sees view (e - 1) mod K), or fresh.",
    )
    resize_ratio: Annotated[float, Field(strict=True, ge=1, le=2)] = Field(
        default=1.14, description="The picture is resized to crop_size times this before the crop."
    )


class Confirm(Frozen):
    """How often each chosen configuration is retrained and scored on test."""

    seeds: Annotated[
        int, Field(strict=True, ge=0, le=limits.SEEDS), AfterValidator(_confirm_seeds)
    ] = Field(default=2, description="Seeds of each confirmation, at least 2; 0: no confirmation.")


Weights = Annotated[str, PlainValidator(_weights)]
