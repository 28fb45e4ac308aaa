"""Named results folders on which a report must come to the right verdict."""

from __future__ import annotations

from dataclasses import replace

from fake_plan import Plan

_BETTER, _WORSE = "densenet161", "resnet152"

#: 200 trials, two arms of five studies of 20 trials, two seeds; 4 points apart.
_DIFFERENCE = Plan(
    name="difference",
    purpose="Two arms that truly differ by 4 points of macro-F1.",
    skill={_BETTER: 0.66, _WORSE: 0.62},
    trials=100,
    replicates=5,
    seeds=2,
    baselines=True,
    random_share=0.25,
    oom=0.02,
    failures=0.01,
    audit_share=0.15,
    pictures=600,
    sharpness={_BETTER: 1.1, _WORSE: 1.6},
    seed=32,
)
_THREE = {_BETTER: 0.66, _WORSE: 0.62, "resnet50": 0.62}
_SIX = {
    "densenet121": 0.645,
    _BETTER: 0.66,
    "densenet169": 0.657,
    "resnet50": 0.612,
    "resnet101": 0.622,
    _WORSE: 0.62,
}


def _like(name: str, purpose: str, base: Plan = _DIFFERENCE, **changes: object) -> Plan:
    return replace(base, name=name, purpose=purpose, **changes)  # type: ignore[arg-type]


_PLANS = (
    _DIFFERENCE,
    _like(
        "none",
        "Two arms that do not differ, and little noise.",
        skill={_BETTER: 0.64, _WORSE: 0.64},
        study_spread=0.002,
        seed_spread=0.003,
    ),
    _like("starved", "One arm got a third of the trials.", trials={_BETTER: 100, _WORSE: 35}),
    _like("failed", "Most trials crashed or ran out of memory.", failures=0.45, oom=0.2),
    _like("leaked", "Test pictures stand in training.", leaks="keep", leaked_share=0.125),
    _like("peeked", "A test score was read before the choice was frozen.", peeked=True),
    _like("limit", "One arm wants a higher learning rate than it may have.", at_limit=(_WORSE,)),
    _like("recipes", "The arms start from different recipes.", weights={_WORSE: "imagenet-v2"}),
    _like(
        "below_floor",
        "One arm learned nothing.",
        skill={_BETTER: 0.6, _WORSE: 0.06},
        sharpness=1.0,
    ),
    _like("few_seeds", "One study per arm, two seeds.", trials=100, replicates=1),
    _like("single", "One arm alone.", skill={_BETTER: 0.66}, trials=200),
    _like("three", "Three backbones.", skill=_THREE, trials=65, sharpness=1.3),
    _like("six", "Six backbones.", skill=_SIX, trials=35, sharpness=1.3),
    _like(
        "other_parameter",
        "Two optimisers on one backbone.",
        compare="optimizer",
        skill={"adamw": 0.65, "sgd": 0.63},
        sharpness=1.3,
    ),
    _like(
        "unfinished",
        "Stopped on the way, four trials still running.",
        asked=124,
        running=4,
        confirmed=False,
        floors=False,
        state="interrupted",
    ),
    _like("unconfirmed", "Searched to the end, never confirmed.", confirmed=False, floors=False),
    _like(
        "huge",
        "2,000 trials of up to 30 epochs.",
        trials=1000,
        epochs=30,
        grace=3,
        reduction=3,
        audit_share=0.05,
    ),
)

SCENARIOS: dict[str, Plan] = {plan.name: plan for plan in _PLANS}
