"""Types of the section on hyperparameters."""

from __future__ import annotations

from pydantic import Field

from analysis.report.values import ArmName, Count, Int, Known, Number, Part, Scalar, Share, UnitText


class Domain(Part):
    """A sampled hyperparameter: the union of its domains over all studies.

    Of a list of values `low`, `high` and `whole` are null, of a range `values` is.
    """

    parameter: str = Field(description="name of the hyperparameter")
    log: bool = Field(description="whether it is sampled on a logarithmic scale")
    arms: tuple[str, ...] = Field(description="arms that sample it")
    low: Number | None = Field(description="lower limit")
    high: Number | None = Field(description="upper limit")
    whole: bool | None = Field(description="whether values are whole numbers")
    values: tuple[Scalar, ...] | None = Field(description="the values of a list")


class Importance(Part):
    """Importance of a hyperparameter in an arm."""

    parameter: str = Field(description="name of the hyperparameter")
    share: Known = Field(description="share of the importance, 0 to 1")
    noise: Known = Field(description="chance level: the largest share of shuffled scores")


class ArmImportance(Part):
    """Importance in an arm, over the trials with a final value."""

    arm: ArmName
    unit: UnitText
    final: Count = Field(description="trials with a final value: complete and overfit ones")
    outside: Count = Field(description="trials excluded for a value outside the search space")
    one_space: bool = Field(description="whether all its studies have the same search space")
    best: Count | None = Field(description="trials that are compared with all; null: too few")
    parameters: tuple[Importance, ...] = Field(description="empty with too few trials")


class ColumnHead(Part):
    """A column of the table of trials."""

    name: str = Field(description="name of the column")
    unit: str = Field(description="its unit; empty for text")


class Standing(Part):
    """A trial as figures show it."""

    trial: Int = Field(description="number of the trial")
    chosen: bool = Field(description="whether it is a study's choice")
    stopped: bool = Field(description="whether it ended early, so that its score is a bound")
    better: Share = Field(description="share of its arm's trials with a better score")


class TrialTable(Part):
    """The table of ended trials, in sampling order; of very many, a selection."""

    columns: tuple[ColumnHead, ...] = Field(description="the columns; the first is the number")
    score: str = Field(description="name of the column with the search's metric")
    configuration: tuple[str, ...] = Field(description="configuration that differs between trials")
    shared: dict[str, Scalar] = Field(description="configuration that all trials share, by name")
    chosen: tuple[Int, ...] = Field(description="numbers of the chosen trials")
    unit: UnitText
    total: Count = Field(description="ended trials")
    rows: tuple[tuple[Scalar, ...], ...] = Field(description="a value per column")
    scored: Count = Field(description="ended trials with a score")
    drawn: tuple[Standing, ...] = Field(description="trials in the figures")


class ParametersPart(Part):
    """Hyperparameters: domains, importance, and the table of trials."""

    unit: UnitText
    lower_is_better: bool = Field(description="whether trials are ranked by loss")
    sampled: tuple[Domain, ...] = Field(description="sampled hyperparameters")
    needed: Count = Field(description="fewest trials with a final value for importance")
    importance: tuple[ArmImportance, ...] = Field(description="by arm")
    trials: TrialTable = Field(description="the table of trials")
