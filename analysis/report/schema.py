"""The content of report.json, typed: :class:`Report` and, by topic, the parts that chapters read.

Version of the format, and which versions are read: see :data:`SCHEMA_VERSION`.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from analysis.report.calibration.schema import CalibrationPart
from analysis.report.classes.schema import ClassesPart
from analysis.report.cost.schema import CostPart
from analysis.report.curves.schema import CurvesPart
from analysis.report.data.schema import DataPart
from analysis.report.disagreements.schema import DisagreementsPart
from analysis.report.effect.schema import EffectPart
from analysis.report.fairness.schema import FairnessPart
from analysis.report.method.schema import MethodPart
from analysis.report.parameters.schema import ParametersPart
from analysis.report.prediction.schema import PredictionPart
from analysis.report.probe.schema import ProbePart
from analysis.report.stopping.schema import StoppingPart
from analysis.report.tuning.schema import TuningPart
from analysis.report.values import Int, Part
from analysis.report.verdict.schema import (
    Arm,
    CheckPart,
    Config,
    FloorPart,
    Pair,
    SearchPart,
    SettingsPart,
    VerdictPart,
)

__all__ = ["SCHEMA_MINOR", "SCHEMA_VERSION", "Arm", "FloorPart", "Pair", "Report"]

#: Of report.json. The version is increased when a key is removed, renamed or changes its meaning or
#: its type; the minor version when keys are added, which restarts at 0 with each version. A reader
#: of version v, minor m reads v.m whole, of later minors the keys that it knows, and nothing else:
#: an earlier report lacks keys, and is written again from its results folder.
SCHEMA_VERSION = 2
SCHEMA_MINOR = 2


class Report(Part):
    """A whole report."""

    schema_version: Int = Field(description="version of the format")
    schema_minor: Int = Field(description="minor version: increased when keys are added")
    settings: SettingsPart = Field(description="the reader's settings")
    search: SearchPart = Field(description="the search")
    verdict: VerdictPart = Field(description="the verdict")
    pairs: tuple[Pair, ...] = Field(description="every comparison of two arms")
    arms: tuple[Arm, ...] = Field(description="the arms, in their order")
    floors: tuple[FloorPart, ...] = Field(description="the floors that were measured")
    validity: tuple[CheckPart, ...] = Field(description="the validity checklist")
    effect: EffectPart = Field(description="topic: effect size")
    fairness: FairnessPart = Field(description="topic: fairness of the search")
    tuning: TuningPart = Field(description="topic: tuning curves")
    curves: CurvesPart = Field(description="topic: learning curves and overfitting")
    classes: ClassesPart = Field(description="topic: results by class")
    disagreements: DisagreementsPart = Field(description="topic: disagreements between arms")
    data: DataPart = Field(description="topic: data audit and its effect")
    calibration: CalibrationPart = Field(description="topic: calibration")
    parameters: ParametersPart = Field(description="topic: hyperparameters")
    stopping: StoppingPart = Field(description="topic: early stopping")
    cost: CostPart = Field(description="topic: cost")
    probe: ProbePart = Field(description="topic: logistic regression on frozen features")
    prediction: PredictionPart = Field(description="topic: prediction and outcome")
    method: MethodPart = Field(description="topic: method and threats to validity")

    @model_validator(mode="after")
    def _every_parameter_is_listed(self) -> Self:
        """Each one of the configuration differs, is shared, or is the compared one."""
        trials = self.parameters.trials
        listed = {*trials.configuration, *trials.shared, self.search.compared_parameter}
        missing = Config.model_fields.keys() - listed
        if trials.total and missing:
            raise ValueError(f"parameters.trials lists no {', '.join(sorted(missing))}")
        return self
