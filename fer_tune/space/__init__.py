"""Search spaces: from YAML to typed values, with all errors reported together.

Knows neither torch nor Ray nor Optuna, so that checking a file takes no time.
"""

from fer_tune.space.config import TrialConfig
from fer_tune.space.domains import ChoiceDomain, Domain, FloatDomain, IntDomain
from fer_tune.space.from_records import recorded_space
from fer_tune.space.loading import load, shipped
from fer_tune.space.model import SearchSpace
from fer_tune.space.plan import Plan, StudyPlan, plan

__all__ = [
    "ChoiceDomain",
    "Domain",
    "FloatDomain",
    "IntDomain",
    "Plan",
    "SearchSpace",
    "StudyPlan",
    "TrialConfig",
    "load",
    "plan",
    "recorded_space",
    "shipped",
]
