"""What is known of samplers, as far as defaults follow from it.

`docs/samplers.md` says where the figures come from; `benchmarks/regret` measures them.
"""

from fer_tune.space.sections import Resolved

#: Trials of a study up to which no sampler was shown to gain on random search on whole searches.
NO_GAIN_UP_TO = 20

#: Most trials of a study for which ``auto`` is the Gaussian process: more were not measured, as its
#: proposals take ever longer.
PROCESS_UP_TO = 60


def automatic(trials: int) -> Resolved:
    """The sampler that ``auto`` stands for in studies of so many trials."""
    return "gp" if NO_GAIN_UP_TO < trials <= PROCESS_UP_TO else "tpe"
