"""The schema of the lines of ``events.jsonl`` and of a checkpoint's ``result.json``.

Later versions may report more, so unknown keys are ignored. Known ones have the types that
the records are written with. NaN and infinities are valid losses.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, TypeAdapter, model_validator

from fer_tune.schema import limits
from fer_tune.schema.manifest import (
    ArmName,
    Count,
    Duration,
    Epoch,
    LatencyRun,
    Line,
    NoGain,
    Part,
    Replicate,
    RunNumber,
    Seconds,
    Seed,
    Version,
)
from fer_tune.space.parameters import PARAMETERS
from fer_tune.tuning.log.assignment import Cohort

StudyName = Annotated[str, Field(max_length=limits.NAME)]
#: Predicted classes by true class.
Counts = Annotated[
    list[Annotated[list[Count], Field(max_length=limits.CLASSES)]],
    Field(max_length=limits.CLASSES),
]


def _config(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration that the table of hyperparameters permits."""
    if "backbone" not in values:
        raise ValueError("must name a backbone")
    for name, value in values.items():
        parameter = PARAMETERS.get(name)
        if parameter is not None and not parameter.accepts(value):
            raise ValueError(f"must hold for {name} {parameter.rule}")
    return values


class Run(Part):
    """A run as it was assigned (``Assignment``)."""

    number: RunNumber
    arm: ArmName
    replicate: Replicate
    cohort: Cohort
    seed: Seed
    weights_seed: Seed
    view_seed: Seed
    config: Annotated[dict[str, Any], AfterValidator(_config)]


class Result(Part):
    """What a run reported after an epoch; defaults replace what was not reported."""

    epoch: Epoch
    ran: bool
    stop_reason: Line | None = None
    score: float = math.nan
    epochs: Epoch = 0
    max_epochs: Epoch = 0
    best_epoch: Epoch | None = None
    onset_epoch: Epoch | None = None
    train_loss: float = math.nan
    train_accuracy: float = math.nan
    train_macro_f1: float = math.nan
    val_loss: float = math.nan
    val_accuracy: float = math.nan
    val_macro_f1: float = math.nan
    lr_head: float = 0.0
    lr_backbone: float = 0.0
    images_per_s: float = 0.0
    bank_hits: Count = 0
    bank_misses: Count = 0
    epoch_seconds: Seconds = 0.0
    epoch_peak_memory_mib: Seconds = 0.0
    epoch_peak_reserved_mib: Seconds | None = None
    epoch_micro_batch: Count | None = None
    peak_memory_mib: Seconds = 0.0
    peak_reserved_mib: Seconds | None = None
    micro_batch: Count | None = None
    oom_had_share: bool | None = None
    last_val_macro_f1: float = math.nan
    last_val_loss: float = math.nan
    last_train_loss: float = math.nan
    best_val_macro_f1: float = math.nan
    best_val_accuracy: float = math.nan
    best_val_loss: float = math.nan
    generalisation_gap: float = math.nan
    best_counts: Counts | None = None
    test_macro_f1: float = math.nan
    test_accuracy: float = math.nan
    test_clean_macro_f1: float = math.nan
    test_clean_accuracy: float = math.nan
    latency: LatencyRun | None = None
    started: Seconds | None = None
    setup_seconds: Duration = 0.0
    seconds: Seconds = 0.0
    node: Line | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Result:
        if self.stop_reason in ("completed", "overfit") and not math.isfinite(self.score):
            raise ValueError("must have a finite score, as its run was trained to the end")
        if self.best_counts is not None:
            if self.best_epoch is None:
                raise ValueError("must have a best epoch, as it has confusion counts")
            if any(len(row) != len(self.best_counts) for row in self.best_counts):
                raise ValueError("must have as many rows as columns in its confusion counts")
        return self


class Event(Part):
    """Keys of every event: its time, and the seconds of search so far."""

    at: Seconds
    spent: Seconds


class Bank(Part):
    """Limits of the feature bank (``BankLimits``)."""

    bytes: Annotated[int, Field(ge=0, le=2**62)]
    slots: Annotated[int, Field(ge=1, le=limits.COUNT)]


class SessionStarted(Event):
    kind: Literal["sitting"]
    began: Seconds
    bank: Bank | None = None


class Asked(Event):
    kind: Literal["asked"]
    planned: Cohort
    run: Run


class Skipped(Event):
    kind: Literal["skipped"]
    study: StudyName
    planned: Cohort


class EpochEnded(Event):
    kind: Literal["epoch"]
    trial: RunNumber
    result: Result
    done: bool


class Replayed(Event):
    kind: Literal["replayed"]
    trial: RunNumber
    epoch: Epoch
    equal: bool


class Audited(Event):
    kind: Literal["audited"]
    trial: RunNumber
    epoch: Epoch


class TrialEvent(Event):
    kind: Literal["failed", "retried"]
    trial: RunNumber
    out_of_memory: bool = False


class Extended(Event):
    kind: Literal["extended"]
    budget: dict[str, Any]


class NoGainDecided(NoGain, Event):
    kind: Literal["no_gain"]


class BudgetReserved(Event):
    """``Reserved`` of the allowance."""

    kind: Literal["reserved"]
    seconds: Seconds
    accelerator_hours: Seconds
    is_measured: bool


class PlainEvent(Event):
    kind: Literal["searched", "tick"]


EVENT: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        SessionStarted
        | Asked
        | Skipped
        | EpochEnded
        | Replayed
        | Audited
        | TrialEvent
        | NoGainDecided
        | BudgetReserved
        | Extended
        | PlainEvent,
        Discriminator("kind"),
    ]
)


class _Space(Part):
    budget: dict[str, Any]


class Earlier(Part):
    """A trial of an earlier search (``EarlierTrial``)."""

    arm: ArmName
    config: Annotated[dict[str, Any], AfterValidator(_config)]
    is_complete: bool
    epochs: Annotated[int, Field(ge=1, le=limits.EPOCHS)]
    value: Annotated[float, Field(allow_inf_nan=False)]


class Identity(Part):
    """The first line: which search it is. The rules of the search space are checked later."""

    log: int
    fingerprint: Line | None = None
    training_version: Version | None = None
    audit_version: Version | None = None
    earlier: Annotated[list[Earlier], Field(max_length=limits.TRIALS)] | None = None
    budget_version: Version | None = None
    space: _Space


IDENTITY: TypeAdapter[Any] = TypeAdapter(Identity)
