"""What is known of samplers, as far as defaults follow from it.

`docs/samplers.md` says where the figures come from; `benchmarks/regret` measures them.
"""

from fer_tune.space.sections import Resolved

#: The sampler that ``auto`` stands for.
AUTO: Resolved = "tpe"

#: Trials of a study up to which no sampler was shown to gain on random search.
NO_GAIN_UP_TO = 20
