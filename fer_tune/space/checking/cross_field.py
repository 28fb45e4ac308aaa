"""Checks between the fields of a search space, run on whatever fields are valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from fer_tune.errors import Fault
from fer_tune.space.checking.parameter_checks import (
    check_backbone,
    check_baselines,
    check_compared,
    check_specs,
    fixed_and_sampled,
    specs_of,
)
from fer_tune.space.checking.sampler_checks import check_sampler
from fer_tune.space.checking.validation import Parts
from fer_tune.space.domains import FloatDomain, IntDomain, PerArm

#: Ended trials that every study needs before `stop_when: no_gain` may act.
LEAST_TRIALS = 12
#: Epochs of a curve that the noise of `stop_when: no_gain` is estimated from, at least.
CURVE_EPOCHS = 4

#: Faults in baselines that are looked for: each unknown name is compared to all known ones.
_MOST = 100


def cross_field(parts: Parts, faults: list[Fault]) -> list[Fault]:
    """Errors between fields; ``faults`` are those already found in single fields."""
    return [
        *check_compared(parts),
        *check_specs(parts),
        *check_backbone(parts, faults),
        *islice(check_baselines(parts), _MOST),
        *check_sampler(parts, faults),
        *_epochs(parts),
        *_allocation(parts),
        *_stop_when(parts),
        *_money(parts),
        *_dealing(parts, faults),
    ]


def _epochs(parts: Parts) -> Iterator[Fault]:
    """Keys that count epochs must not exceed the last epoch."""
    if "budget.max_epochs" not in parts:
        return
    last: int = parts["budget.max_epochs"]
    limits = (
        ("scheduler.grace_epochs", "scheduler.kind", "asha", "none"),
        ("stopper.patience", "stopper.enabled", True, "false"),
    )
    for key, switch, on, off in limits:
        if parts.get(switch) == on and key in parts and parts[key] >= last:
            yield Fault(
                key=key,
                rule=f"must be below budget.max_epochs ({last}); otherwise it never acts",
                value=parts[key],
                remedy=f"Lower it, raise budget.max_epochs, or set {switch}: {off}",
            )
    spec = specs_of(parts).get("warmup_epochs")
    for inner in spec.per_arm.values() if isinstance(spec, PerArm) else [spec]:
        highest = inner.high if isinstance(inner, (FloatDomain, IntDomain)) else inner
        if isinstance(highest, (int, float)) and highest >= last:
            yield Fault(
                key="parameters.warmup_epochs",
                rule=f"must be below budget.max_epochs ({last}); otherwise the peak is never "
                "reached",
                value=highest,
                remedy="Lower it or raise budget.max_epochs",
            )


def _allocation(parts: Parts) -> Iterator[Fault]:
    if parts.get("compare.allocation") == "sampled" and parts.get("compare.replicates", 1) != 1:
        yield Fault(
            key="compare.replicates",
            rule="must be 1 with compare.allocation: sampled, which has one study for all arms",
            value=parts["compare.replicates"],
            remedy="Set it to 1 or use compare.allocation: equal",
        )


def _stop_when(parts: Parts) -> Iterator[Fault]:
    """What `no_gain` is estimated from must be there."""
    if parts.get("stop_when") != "no_gain":
        return
    needed = (
        (
            "compare.allocation",
            parts.get("compare.allocation") == "sampled",
            "must be equal with stop_when: no_gain, which compares the gain in every arm",
        ),
        (
            "confirm.seeds",
            parts.get("confirm.seeds") == 0,
            "must be at least 2 with stop_when: no_gain, which compares the gain with the noise "
            "of confirmation",
        ),
        (
            "budget.max_epochs",
            parts.get("budget.max_epochs", CURVE_EPOCHS) < CURVE_EPOCHS,
            f"must be at least {CURVE_EPOCHS} with stop_when: no_gain, which reads noise from the "
            "last epochs",
        ),
    )
    for key, is_broken, rule in needed:
        if is_broken:
            yield Fault(
                key=key, rule=rule, value=parts[key], remedy="Change it, or set stop_when: null"
            )


def _money(parts: Parts) -> Iterator[Fault]:
    """Money buys accelerator hours at a price."""
    if parts.get("budget.money") is not None and parts.get("budget.price_per_hour") is None:
        yield Fault(
            key="budget.price_per_hour",
            rule="must be set with budget.money: the price of an accelerator for an hour",
            value=None,
            remedy="Set it, or set budget.accelerator_hours in place of budget.money",
        )


def _dealing(parts: Parts, faults: list[Fault]) -> Iterator[Fault]:
    """The trials divide among the studies, and each study has room for its baselines."""
    keys = ("budget.trials", "compare.arms", "compare.allocation", "compare.replicates")
    if not parts.keys() >= {*keys}:
        return
    trials, arms, allocation, replicates = (parts[key] for key in keys)
    studies = len(arms) * replicates if allocation == "equal" else 1
    if trials % studies:
        below, above = trials // studies * studies, (trials // studies + 1) * studies
        nearest = f"{below} or {above}" if below else f"{above}"
        yield Fault(
            key="budget.trials",
            rule=f"must be divisible by {studies} (arms: {len(arms)}, replicates of each: "
            f"{replicates})",
            value=trials,
            remedy=f"The nearest valid numbers: {nearest}",
        )
        return
    per_study = trials // studies
    if parts.get("stop_when") == "no_gain" and per_study <= LEAST_TRIALS:
        yield Fault(
            key="budget.trials",
            rule=f"must give each study more than {LEAST_TRIALS} trials with stop_when: no_gain, "
            "which acts once so many have ended",
            value=trials,
            remedy=f"Set it to at least {(LEAST_TRIALS + 1) * studies}, or set stop_when: null",
        )
    if "cohorts.baseline" not in parts:
        return
    baselines = parts["cohorts.baseline"]
    fitting = {arm: sum(fits(baseline, arm) for baseline in baselines) for arm in arms}
    most = max(fitting.values()) if allocation == "equal" else sum(fitting.values())
    if most > per_study:
        yield Fault(
            key="cohorts.baseline",
            rule=f"must fit into a study's {per_study} trials, but needs {most}",
            remedy=f"Remove baselines or set budget.trials to at least {most * studies}",
        )
    if any(fault.key.startswith("parameters") for fault in faults):
        return
    idle = [arm for arm in arms if not fixed_and_sampled(specs_of(parts), arm)[1]]
    room = max(1, min((fitting[arm] for arm in idle), default=1))
    if idle and allocation == "equal" and per_study > room:
        yield Fault(
            key="parameters",
            rule=f"sample nothing in {' and '.join(idle)}, so a study's {per_study} trials would "
            f"repeat {room} configuration{'s' if room > 1 else ''}",
            remedy=f"Sample a parameter, or set budget.trials to {room * studies}",
        )


def fits(baseline: Mapping[str, object], arm: str) -> bool:
    """Whether a baseline is run in the studies of ``arm``."""
    return "arm" not in baseline or str(baseline["arm"]) == arm
