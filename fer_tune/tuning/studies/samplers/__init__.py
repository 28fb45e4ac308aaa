"""The samplers of a search space, each as an Optuna sampler of a single proposal.

A proposal depends on the reported trials and on its seed alone, never on the state of an earlier
sampler: a resumed search, which has the trials, proposes the same. So what Optuna's own samplers
keep between proposals is computed anew from the trials.

==========  ======================================================================
``tpe``     Optuna's TPESampler, multivariate, with a constant liar
``random``  Optuna's RandomSampler
``qmc``     scrambled Sobol points of SciPy, which Optuna's QMCSampler draws too
``gp``      Optuna's GPSampler
``cmaes``   CMA-ES of the package ``cmaes``, which Optuna's CmaEsSampler is made of
``cqr``     conformalised quantile regression, with gradient boosting of scikit-learn
==========  ======================================================================

Which search spaces each fits is checked with the search space
(``fer_tune/space/checking/sampler_checks.py``).
"""

from fer_tune.tuning.studies.samplers.making import Request, make_sampler
from fer_tune.tuning.studies.samplers.tpe import STARTUP_TRIALS, KnownSpaceTPE

__all__ = ["STARTUP_TRIALS", "KnownSpaceTPE", "Request", "make_sampler"]
