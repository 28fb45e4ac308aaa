"""How much faster three machines are than one.

Ray, Optuna, ASHA, the event log and the records are the real ones; a trial sleeps through the
epochs of one that was recorded, so that all machines fit on this one. A machine is a raylet with
one logical CPU. Throughput is trials per second from the first trial's start to the last one's
end, so the wait for the last trials counts and the start of Ray does not.

    python -m benchmarks.scheduling.throughput --times RESULTS --scale 0.1
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from benchmarks.scheduling.long_search import EPOCHS, search, space_of
from fer_tune.records import Results
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.replay import Recording
from fer_tune.tuning.raytune.runtime import ray_connection


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--times", type=Path, required=True, help="results folder to sleep by")
    options.add_argument("--scale", type=float, default=0.1, help="of the recorded seconds")
    options.add_argument("--trials", type=int, default=120)
    options.add_argument("--machines", type=int, default=3)
    chosen = options.parse_args()
    player = Sleeper(epoch_seconds(Results.open(chosen.times)), chosen.scale)
    rates = {}
    for machines in (1, chosen.machines):
        rates[machines] = throughput(machines, chosen.trials, player)
        print(f"{machines} machines: {rates[machines]:.3f} trials/s", flush=True)
    share = rates[chosen.machines] / rates[1] / chosen.machines
    print(f"{share:.1%} of linear")


def throughput(machines: int, trials: int, player: Sleeper) -> float:
    """Trials per second of a search of ``trials`` on so many machines."""
    with tempfile.TemporaryDirectory() as folder, cluster(machines):
        root = Path(folder)
        search(space_of(trials), root, asked=2 * machines, play=player)
        ended = Results(root).read("trials")
    assert len(ended) == trials
    last = (ended["started"] + ended["seconds"]).max()
    return trials / float(last - ended["started"].min())


@contextmanager
def cluster(machines: int) -> Iterator[None]:
    """So many raylets of one logical CPU each, the first of them the head."""
    made = Cluster()
    try:
        for _ in range(machines):
            made.add_node(num_cpus=1, object_store_memory=100 * 1024**2)
        with ray_connection(SearchOptions(address=made.address, dashboard=False)):
            assert ray.cluster_resources()["CPU"] == machines
            yield
    finally:
        made.shutdown()


class Sleeper:
    """Plays each trial at the pace of a recorded one of its arm, one after the other.

    Args:
        times: of every arm, for each of its trials the seconds of its epochs.
    """

    def __init__(self, times: dict[str, list[list[float]]], scale: float) -> None:
        self._times, self._scale = times, scale

    def __call__(self, run: Assignment) -> Recording:
        recorded = self._times[run.arm]
        seconds = recorded[run.number % len(recorded)]
        mean = sum(seconds) / len(seconds)
        # Heights in no order, so that ASHA stops some and lets others run.
        top = 0.2 + 0.6 * (run.number * 7 % 10) / 10
        values = [top * (1 - 0.5**epoch) for epoch in range(1, EPOCHS + 1)]
        return Recording(values=values, seconds=mean * self._scale)


def epoch_seconds(results: Results) -> dict[str, list[list[float]]]:
    """Seconds of every epoch of every trial, by arm."""
    found: dict[str, list[list[float]]] = {}
    for (arm, _), epochs in results.read("epochs").groupby(["arm", "trial"], sort=True):
        found.setdefault(str(arm), []).append(epochs["seconds"].tolist())
    return found


if __name__ == "__main__":
    main()
