"""Domains, and the table of hyperparameters behind them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from fer_tune.records import CONFIG_COLUMNS
from fer_tune.schema.tables import RULES
from fer_tune.space import ChoiceDomain, FloatDomain, IntDomain, TrialConfig
from fer_tune.space.parameters import PARAMETERS


def test_contains_takes_both_ends_and_no_booleans():
    domain = FloatDomain(low=0, high=1)
    assert all(domain.contains(v) for v in (0, 0.0, 0.5, 1))
    assert not any(domain.contains(v) for v in (-0.1, 1.1, True, "0.5", None, float("nan")))


def test_int_domain_follows_its_step():
    domain = IntDomain(low=1, high=7, step=3)
    assert [v for v in range(10) if domain.contains(v)] == [1, 4, 7]
    assert domain.contains(4.0)
    assert not any(domain.contains(v) for v in (4.5, True, "4", float("nan"), float("inf")))


def test_choice_tells_text_from_number():
    domain = ChoiceDomain(values=(32, "64"))
    assert domain.contains(32) and domain.contains("64")
    assert not domain.contains(64) and not domain.contains("32") and not domain.contains(True)


@pytest.mark.parametrize(
    ("kind", "values", "rule"),
    [
        (FloatDomain, {"low": 1, "high": 1}, "low must be below high"),
        (FloatDomain, {"low": 0, "high": 1, "log": True}, "log requires low above 0"),
        (FloatDomain, {"low": 0, "high": -1, "log": True}, "below high.*; log requires"),
        (IntDomain, {"low": 0, "high": 4, "step": 3}, "multiple of step"),
        (IntDomain, {"low": 1, "high": 5, "step": 2, "log": True}, "cannot be combined"),
        (ChoiceDomain, {"values": [48]}, "at least 2 values"),
        (ChoiceDomain, {"values": [48, 64, 48.0]}, "is repeated"),
    ],
)
def test_senseless_domains_are_refused(kind, values, rule):
    with pytest.raises(ValueError, match=rule):
        kind(**values)


def test_the_table_knows_every_parameter_once_and_its_defaults_are_permitted():
    assert list(PARAMETERS) == [field.name for field in fields(TrialConfig)]
    assert list(PARAMETERS) == [column.name for column in CONFIG_COLUMNS]
    assert PARAMETERS.keys() <= RULES["trials"].keys(), "a column that nothing checks when read"
    assert [p.name for p in PARAMETERS.values() if p.default is None] == ["backbone"]
    for parameter in PARAMETERS.values():
        assert parameter.default is None or parameter.accepts(parameter.default), parameter.name


@pytest.mark.parametrize(
    ("name", "permitted", "refused"),
    [
        ("crop_size", [32, 512], [31, 513, 48.0, True, "48"]),
        ("lr_head", [1e-9, 10, 1], [0, -1, 10.1, float("nan"), float("inf"), "1", True]),
        ("momentum", [0, 0.999], [1, -0.1]),
        ("optimizer", ["sgd"], ["SGD", "adam", 1, ["sgd"]]),
    ],
)
def test_permitted_values(name, permitted, refused):
    assert [v for v in permitted if not PARAMETERS[name].accepts(v)] == []
    assert [v for v in refused if PARAMETERS[name].accepts(v)] == []
