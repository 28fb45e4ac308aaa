"""The search space of a made-up search, checked by the platform's own reader."""

from __future__ import annotations

import math
from typing import Any

from fake_plan import Plan

from fer_tune.space import SearchSpace
from fer_tune.space.parameters import PARAMETERS

#: The hand-made setting that every study begins with, where it begins with one.
BASELINE = {"unfreeze_depth": 1, "crop_size": 48, "lr_head": 1e-3, "lr_backbone": 1e-4}

_DOMAINS: dict[str, Any] = {
    "unfreeze_depth": {"type": "int", "low": 0, "high": 4},
    "crop_size": {"type": "choice", "values": [48, 64, 96, 128]},
    "augment_policy": {"type": "choice", "values": ["plain", "moderate", "strong"]},
    "optimizer": "adamw",
    "lr_head": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "lr_backbone": {"type": "float", "low": 1e-5, "high": 1e-3, "log": True},
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
    "label_smoothing": {"type": "float", "low": 0.0, "high": 0.2},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "batch_size": 64,
}


def space_of(plan: Plan) -> SearchSpace:
    """The space that ``plan`` would have been searched with."""
    parameters = {**_DOMAINS, **_noise(plan)}
    if plan.compare != "backbone":
        parameters["backbone"] = plan.backbone
    parameters.pop(plan.compare, None)
    values: dict[str, Any] = {
        "name": plan.name,
        "purpose": plan.purpose,
        "compare": {
            "parameter": plan.compare,
            "arms": {arm: plan.value(arm) for arm in plan.arms},
            "allocation": plan.allocation,
            "replicates": plan.replicates,
        },
        "parameters": parameters,
        "cohorts": {
            "random": plan.random_share,
            "baseline": [BASELINE] if plan.baselines else [],
        },
        "budget": {"trials": _budget(plan), "max_epochs": plan.epochs},
        "scheduler": {
            "kind": "asha",
            "grace_epochs": plan.grace,
            "reduction_factor": plan.reduction,
        },
        "stopper": {"enabled": True, "patience": 3, "window": 3},
        "resources": {"cpu": 1.0, "gpu": 0.5 if plan.accelerated else 0.0},
        "seeds": {"search": plan.search_seed, "split": 2, "views": 3, "weights": 4},
        "data": {"leaks": plan.leaks, "conflicts": plan.leaks},
        "augment": {"views": 4},
        "weights": "imagenet-v1",
        # The platform refuses 1 seed, which some records from elsewhere have all the same.
        "confirm": {"seeds": max(2, plan.seeds) if plan.confirmed else 2},
    }
    if "audit" in SearchSpace.model_fields:
        values["audit"] = {"share": plan.audit_share}
    return SearchSpace.from_dict(values)


def _noise(plan: Plan) -> dict[str, Any]:
    known = "label_noise" in PARAMETERS and plan.label_noise and plan.compare != "label_noise"
    return {"label_noise": {"per_arm": plan.label_noise}} if known else {}


def _budget(plan: Plan) -> int:
    """Trials of the whole search: what the largest arm had is what every arm was to have."""
    studies = len(plan.arms) * plan.replicates if plan.allocation == "equal" else 1
    wanted = len(plan.arms) * max((plan.count(arm) for arm in plan.arms), default=0)
    return studies * max(1, math.ceil(wanted / studies))
