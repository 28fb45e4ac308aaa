"""Curves of FT-PFN's prior as a world."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from made_records import make_space

from fer_tune.errors import EnvironmentFault
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.prior import PriorWorld

SPACE = make_space(budget={"trials": 24, "max_epochs": 20})


def test_courses_are_those_of_the_seed_and_some_overfit() -> None:
    pytest.importorskip("ifbo", reason="the extra simulate is not installed")
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    found = [simulate(SPACE, PriorWorld(SPACE, seed=seed), Fleet(gpus=4)) for seed in (0, 1, 0)]
    first, other, again = ([run.course.values for run in search.trials] for search in found)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not all((a == b).all() for a, b in zip(first, other, strict=True))
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]
    curves = np.array([*first, *other])
    assert curves.shape == (48, 20) and curves.min() >= 0 and curves.max() <= 1
    truths = np.array([run.course.truth for search in found for run in search.trials])
    falls = truths.max(axis=1) - truths[:, -1]
    assert 0 < (falls > 0.02).mean() < 0.9
    noise = np.array([r.course.values - r.course.truth for s in found for r in s.trials])
    assert 0.001 < noise.std() < 0.1


def test_seeds_differ_on_test_as_much_as_epochs_on_validation() -> None:
    pytest.importorskip("ifbo", reason="the extra simulate is not installed")
    world = PriorWorld(SPACE, seed=3)
    run = simulate(SPACE, world, Fleet(gpus=4)).confirmations[0].assignment
    courses = [world.course(replace(run, seed=seed)) for seed in range(40)]
    epochs = np.mean([(course.values - course.truth).std() for course in courses])
    seeds = np.std([course.test[-1] for course in courses])
    assert 0.6 * epochs < seeds < 1.8 * epochs
    assert all(np.ptp(course.test - course.truth) < 1e-9 for course in courses)


def test_a_missing_package_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "ifbo"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ifbo", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'fer-tune\[simulate\]'"):
        PriorWorld(SPACE)
