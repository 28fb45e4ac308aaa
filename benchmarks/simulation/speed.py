"""CPU seconds of simulated searches, by sampler and size.

``python -m benchmarks.simulation.speed [TRIALS GPUS]...``: by default the sizes of RESULTS.md.
"""

from __future__ import annotations

import sys
import time

from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.space import load

SAMPLERS = {"TPE after 25 % random": [], "random": ["cohorts.random=1.0"]}


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    sizes = list(zip(given[::2], given[1::2], strict=True)) or [(160, 8), (1000, 100), (5000, 1000)]
    for trials, gpus in sizes:
        for name, settings in SAMPLERS.items():
            space = load("densenet161_vs_resnet152", [f"budget.trials={trials}", *settings])
            began = time.process_time()
            found = simulate(space, AnalyticWorld(space=space), Fleet.of(space, gpus))
            seconds = time.process_time() - began
            print(f"{trials} trials, {gpus} GPUs, {name}: {seconds:.1f} s, {found.epochs} epochs")


if __name__ == "__main__":
    main()
