"""What a trial needs beside what machines have. A trial runs on one machine, never on several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Resources = Mapping[str, float]


def bundle_of(cpu: float, gpu: float) -> dict[str, float]:
    """What a trial occupies, by Ray's names."""
    return {"CPU": cpu, "GPU": gpu} if gpu else {"CPU": cpu}


def holds(machine: Resources, bundle: Resources) -> bool:
    """Whether a machine with nothing else on it could run a trial."""
    return all(machine.get(name, 0.0) >= amount for name, amount in bundle.items())


def amounts(resources: Resources, names: Sequence[str] = ("CPU", "GPU")) -> str:
    """``2 CPU and 1 GPU``."""
    return " and ".join(f"{resources.get(name, 0.0):g} {name}" for name in names)


def largest(machines: Sequence[Resources], bundle: Resources) -> Resources:
    """The machine that comes closest to what a trial needs; an empty one if there is none."""

    def closeness(machine: Resources) -> tuple[float, float]:
        shares = (min(1.0, machine.get(name, 0.0) / need) for name, need in bundle.items())
        return sum(shares), machine.get("CPU", 0.0)

    return max(machines, key=closeness, default={})


def shortfall(machines: Sequence[Resources], bundle: Resources) -> str:
    """Why no machine holds a trial: what the largest one has, and all of them together."""
    if not machines:
        return "there is no machine"
    names = ("CPU", "GPU")
    has = amounts(largest(machines, bundle))
    if len(machines) == 1:
        return f"the only machine has {has}"
    total = {name: sum(machine.get(name, 0.0) for machine in machines) for name in names}
    return f"the largest of {len(machines)} machines has {has} (all together {amounts(total)})"
