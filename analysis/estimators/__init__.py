"""Pure statistics: arrays and a generator in, estimates out; no files, no frames, no drawing."""

from analysis.estimators.estimate import Estimate

__all__ = ["Estimate"]
