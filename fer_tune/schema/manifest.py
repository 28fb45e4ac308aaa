"""The schema of ``manifest.json`` and ``latency.json``.

The key ``space`` is a search space, whose rules are those of :mod:`fer_tune.space`; here it is
just a mapping. Every key may be absent or null: an unfinished search lacks some, and so do folders
of earlier versions. Keys that are not listed are ignored, as are those of later versions.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fer_tune.schema import limits

Count = Annotated[int, Field(ge=0, le=limits.COUNT)]
Seconds = Annotated[float, Field(ge=0, le=limits.SECONDS, allow_inf_nan=False)]
#: Between two readings of a clock that may have been set back meanwhile.
Duration = Annotated[float, Field(ge=-limits.SECONDS, le=limits.SECONDS, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=limits.TEXT)]
Line = Annotated[str, Field(max_length=limits.LINE)]
RunNumber = Annotated[int, Field(ge=0, le=limits.RUN_NUMBERS)]
Replicate = Annotated[int, Field(ge=0, lt=limits.REPLICATES)]
Epoch = Annotated[int, Field(ge=0, le=limits.EPOCHS)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
#: Of how runs are trained (``fer_tune.training.context.TRAINING_VERSION``); 1 where it is absent.
Version = Annotated[int, Field(ge=1, le=limits.COUNT)]


_ARM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_arm_name(name: str) -> bool:
    return _ARM.fullmatch(name) is not None


def _arm_name(name: str) -> str:
    if not is_arm_name(name):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-'")
    return name


def _setting(value: object) -> object:
    """A text, a number or a truth value of a configuration."""
    if isinstance(value, str):
        valid = len(value) <= limits.LINE
    elif isinstance(value, float):
        valid = math.isfinite(value)
    else:
        valid = isinstance(value, int) and abs(value) <= limits.COUNT
    if not valid:
        raise ValueError(f"must be a finite number or text of up to {limits.LINE} characters")
    return value


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _label(name: str) -> str:
    if not name.strip() or _CONTROL.search(name):
        raise ValueError("must be text without control characters")
    return name


ArmName = Annotated[str, AfterValidator(_arm_name)]
Setting = Annotated[Any, AfterValidator(_setting)]
ClassName = Annotated[str, Field(min_length=1, max_length=limits.NAME), AfterValidator(_label)]


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must not name a class twice")
    return names


ClassNames = Annotated[list[ClassName], Field(max_length=limits.CLASSES), AfterValidator(_distinct)]
Counts = Annotated[dict[ClassName, Count], Field(max_length=limits.CLASSES)]


def _channels(number: int) -> int:
    if number not in (1, 3):
        raise ValueError("must be 1 or 3")
    return number


#: Of pictures. Not a ``Literal``, to which true is 1.
Channels = Annotated[int, AfterValidator(_channels)]


class Part(BaseModel):
    """A mapping of the document; types are not converted."""

    model_config = ConfigDict(strict=True, frozen=True)


class DatasetAudit(Part):
    """``dataset.audit``; attributes of ``Audit`` in ``data/audit.py``."""

    fingerprint: Line | None = None
    pictures: Count | None = None
    channels: Channels | None = None
    classes: ClassNames | None = None
    counts: Annotated[dict[Line, Counts], Field(max_length=10)] | None = None
    imbalance: Annotated[float, Field(ge=1)] | None = None
    copy_groups: Count | None = None
    copy_pictures: Count | None = None
    groups_across_splits: Count | None = None
    test_in_training: Count | None = None
    test_in_validation: Count | None = None
    conflicting_groups: Count | None = None
    conflicting_pictures: Count | None = None
    blank_contents: Count | None = None
    blank_pictures: Count | None = None
    near_groups: Count | None = None
    near_pictures: Count | None = None
    near_across_splits: Count | None = None
    near_in_training: Count | None = None
    near_in_validation: Count | None = None
    near_left_by_exact: Count | None = None
    smallest: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    largest: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None


class Dataset(Part):
    path: Line | None = None
    fingerprint: Line | None = None
    audit: DatasetAudit | None = None


class Splits(Part):
    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None
    test_clean: Count | None = None
    dropped: Annotated[dict[Line, Count], Field(max_length=10)] | None = None
    train_counts: Counts | None = None
    validation_counts: Counts | None = None
    test_counts: Counts | None = None


class Arm(Part):
    value: Setting | None = None
    backbone: Line | None = None
    weights: Line | None = None
    weights_sha256: Line | None = None
    parameters: Count | None = None


class Hardware(Part):
    machine: Line | None = None
    system: Line | None = None
    cpus: Count | None = None
    memory_gib: Seconds | None = None
    gpus: Annotated[list[Line], Field(max_length=1_000)] | None = None


class Precision(Part):
    """What ``precision: auto`` came to, once for the whole search."""

    chosen: Literal["bfloat16", "float32"]
    reason: Line | None = None
    seconds: Annotated[dict[Line, Seconds], Field(max_length=10)] | None = None


class Seeds(Part):
    search: Seed | None = None
    split: Seed | None = None
    views: Seed | None = None
    weights: Seed | None = None


class Choice(Part):
    """The chosen configuration of one study."""

    arm: ArmName
    replicate: Replicate
    trial: RunNumber
    epoch: Epoch | None = None
    value: Finite | None = None
    config: Annotated[dict[Line, Setting | None], Field(max_length=100)] | None = None
    runs: Annotated[list[RunNumber], Field(max_length=limits.SEEDS)] = []


Choices = Annotated[list[Choice], Field(max_length=limits.ARMS * limits.REPLICATES)]


class Superseded(Part):
    choices: Choices
    choice_frozen_at: Seconds | None = None


class ArmGain(Part):
    """What more trials of an arm were expected to gain, and what confirmation can resolve."""

    gain: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class NoGain(Part):
    """The decision of ``stop_when: no_gain``.

    Attributes:
        trials: asked for in each study. left: that each did without.
    """

    trials: Count
    left: Count
    arms: Annotated[dict[ArmName, ArmGain], Field(max_length=limits.ARMS)]


class Exceeded(Part):
    """A budget, and the value of it that a further round of trials needed."""

    limit: Duration
    needed: Duration


class UsedUp(Part):
    """That a budget besides that of trials ended the search; a round is a trial for each study."""

    not_started: Count
    planned: Count
    round: Count
    limits: Annotated[dict[Line, Exceeded], Field(min_length=1, max_length=10)]


class WarmStart(Part):
    """Earlier searches that the samplers learn from."""

    folders: Annotated[list[Text], Field(max_length=10_000)]
    trials_per_arm: Annotated[dict[ArmName, Count], Field(max_length=limits.ARMS)]


class Forecast(Part):
    """A figure over simulated searches: mean, and the interval of nine in ten."""

    mean: Finite
    low: Finite
    high: Finite


class Prediction(Part):
    """What simulated searches showed of this one beforehand (`search --plan`)."""

    source: Literal["plan", "simulate"]
    curves: Line
    runs: Annotated[int, Field(ge=1, le=limits.COUNT)]
    trials: Annotated[int, Field(ge=1, le=limits.COUNT)] | None = None
    currency: Line | None = None
    price_per_hour: Seconds | None = None
    epochs: Forecast
    hours: Forecast
    accelerator_hours: Forecast
    price: Forecast | None = None
    best: Annotated[dict[ArmName, Forecast | None], Field(max_length=limits.ARMS)]
    verdicts: Annotated[dict[Line, Count], Field(max_length=10)]


class RaisedSeeds(Part):
    """More confirmation seeds, after scores of fewer were known."""

    before: Annotated[int, Field(ge=1, le=limits.SEEDS)]
    after: Annotated[int, Field(ge=1, le=limits.SEEDS)]


class TestReadings(Part):
    """What is known of earlier readings of the test split, as the search first read it.

    Attributes:
        id: of this search in the ledger.
        searches: ids of the searches that had read this test split before.
        evaluations: how many models `evaluate` had scored on it before.
        raised: see :class:`RaisedSeeds`.
    """

    __test__ = False  # no test, though its name begins like one

    fingerprint: Line | None = None
    id: Line | None = None
    searches: Annotated[list[Line], Field(max_length=10_000)] = []
    evaluations: Count = 0
    raised: Annotated[list[RaisedSeeds], Field(max_length=limits.SEEDS)] = []


class Manifest(Part):
    """``manifest.json``; ``docs/architecture/records.md`` says what the keys mean."""

    schema_version: int
    state: Literal["running", "interrupted", "finished"] | None = None
    name: Line | None = None
    command: Annotated[list[Text], Field(max_length=10_000)] | None = None
    started: Seconds | None = None
    ended: Seconds | None = None
    wall_seconds: Duration | None = None
    sittings: Count | None = None
    space: dict[str, Any] | None = None
    dataset: Dataset | None = None
    classes: ClassNames | None = None
    splits: Splits | None = None
    arms: Annotated[dict[ArmName, Arm], Field(max_length=limits.ARMS)] | None = None
    versions: Annotated[dict[Line, Line], Field(max_length=100)] | None = None
    hardware: Hardware | None = None
    seeds: Seeds | None = None
    training_version: Version | None = None
    audit_version: Version | None = None
    budget_version: Version | None = None
    precision: Precision | None = None
    startup_seconds: Duration | None = None
    no_gain: NoGain | None = None
    used_up: UsedUp | None = None
    warm_start: WarmStart | None = None
    prediction: Prediction | None = None
    choices: Choices | None = None
    superseded: Annotated[list[Superseded], Field(max_length=1_000)] | None = None
    choice_frozen_at: Seconds | None = None
    first_test_read_at: Seconds | None = None
    confirm_asked: Annotated[int, Field(ge=0, le=limits.SEEDS)] | None = None
    test_readings: TestReadings | None = None
    confirm_seeds: Annotated[list[Seed], Field(max_length=limits.SEEDS)] | None = None


class Latency(Part):
    """Milliseconds per picture, and MiB."""

    p50_ms: Seconds
    p95_ms: Seconds
    peak_memory_mib: Seconds


class LatencyRun(Latency):
    """Of one confirmation run.

    Attributes:
        others: further runs of the search on the same machine at that time; None: not recorded.
    """

    others: Count | None = None


class ArmLatency(Latency):
    """Medians over the runs of an arm."""

    runs: Annotated[list[LatencyRun], Field(min_length=1)] | None = None
