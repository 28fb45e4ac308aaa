"""What `benchmarks/regret` found, as far as defaults follow from it.

Dated figures with intervals are in `benchmarks/RESULTS.md`, "Regret of samplers and schedulers";
docs/samplers.md says what they mean.
"""

from typing import Literal

#: The sampler that ``auto`` stands for.
AUTO: Literal["tpe", "random", "qmc", "gp", "cqr"] = "tpe"

#: Trials of a study up to which no sampler was shown to gain on random search.
NO_GAIN_UP_TO = 20
