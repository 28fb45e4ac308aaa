"""What `benchmarks/regret` found, as far as defaults follow from it.

Dated figures with intervals are in `benchmarks/RESULTS.md`, "Regret of samplers and schedulers";
docs/samplers.md says what they mean.
"""

from fer_tune.space.sections import Resolved

#: The sampler that ``auto`` stands for.
AUTO: Resolved = "tpe"

#: Trials of a study up to which no sampler was shown to gain on random search.
NO_GAIN_UP_TO = 20
