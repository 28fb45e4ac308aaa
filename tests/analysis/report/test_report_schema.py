"""report.json as an interface: every key, no other, and numbers that know their place."""

from __future__ import annotations

import copy
import json
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from fake_search import Plan, write
from pydantic import ValidationError
from report_reading import at
from reported_search import report_of
from trained_search import planned

from analysis.inputs.loading import load
from analysis.report import build
from analysis.report.fairness.schema import Budget
from analysis.report.published import (
    REFERENCE_FILE,
    SCHEMA_FILE,
    json_schema,
    reference,
    schema_text,
)
from analysis.report.quantities import Json
from analysis.report.reading import traced, typed
from analysis.report.schema import Report
from analysis.report.values import STATES, Float, Int, Part
from analysis.report.verdict.schema import Config
from fer_tune.errors import ResultsError
from fer_tune.records import CONFIG_COLUMNS, TRIAL_STATES

#: What some searches have and those of ``trained_search`` do not.
MORE = Plan(
    skill={"densenet161": 0.64, "resnet152": 0.638},
    seed_spread=0.02,
    baselines=True,
    random_share=0.6,
    failures=0.1,
    trials=42,
    audit_share=0.5,
    probe=True,
)

FIGURE = {"mean": 2.0, "low": 1.0, "high": 3.0}
PREDICTION: Json = {
    "source": "plan",
    "curves": "records of earlier",
    "runs": 20,
    "currency": "EUR",
    "price_per_hour": 36.0,
    **dict.fromkeys(("epochs", "hours", "accelerator_hours", "price"), FIGURE),
    "best": {"densenet161": FIGURE, "resnet152": None},
    "verdicts": {"better": 12, "inconclusive": 8},
}
GAINS = {arm: {"gain": 0.001, "noise": 0.005} for arm in MORE.skill}
NO_GAIN: Json = {"trials": 14, "left": 7, "arms": GAINS}
USED_UP: Json = {
    "not_started": 12,
    "planned": 54,
    "round": 2,
    "limits": {"wall_time": {"limit": 7200.0, "needed": 7900.0}},
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    parts = [write(tmp_path_factory.mktemp("part"), Plan(seed=k, trials=3)) for k in range(2)]
    ends = {"no_gain": NO_GAIN, "used_up": USED_UP}
    folder = write(tmp_path_factory.mktemp("more"), MORE, prediction=PREDICTION, **ends)
    names = ("whole", "three", "single", "nothing")
    return {
        **{name: report_of(name) for name in names},
        "merged": build(load(parts)),
        "more": build(load(folder)),
    }


# -- keys -----------------------------------------------------------------------------------------


def objects(value: Any, raw: Any) -> Iterator[tuple[type[Part], Json]]:
    """Every object of a typed report, outermost first, and the same in JSON's own types."""
    if isinstance(value, Part):
        yield type(value), raw
        for name, field in type(value).model_fields.items():
            yield from objects(getattr(value, name), raw[field.alias or name])
    elif isinstance(value, tuple):
        for inner, other in zip(value, raw, strict=True):
            yield from objects(inner, other)


def maps(raw: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where objects are that have data for keys: values by arm, and shared configuration."""
    if isinstance(raw, list):
        for number, inner in enumerate(raw):
            yield from maps(inner, (*path, number))
    elif isinstance(raw, dict):
        if path[-1:] in (("values",), ("shared",)):
            yield path
        for key, inner in raw.items():
            yield from maps(inner, (*path, key))


def test_removing_any_key_fails_validation(reports: dict[str, Json]) -> None:
    seen: set[type[Part]] = set()
    for report in reports.values():
        for kind, raw in objects(typed(report), report):
            if kind in seen:
                continue  # every object of a kind has the same keys
            seen.add(kind)
            for key in raw:
                less = {name: value for name, value in raw.items() if name != key}
                with pytest.raises(ValidationError, match=key):
                    kind.model_validate(traced(less))
    assert seen == set(kinds()) - {Part, Budget}, "a kind that no report here has"


def test_removing_any_key_of_the_data_fails_validation(reports: dict[str, Json]) -> None:
    tried = 0
    for name in ("three", "single"):
        report = copy.deepcopy(reports[name])
        for path in maps(report):
            inner: Any = report
            for step in path:
                inner = inner[step]
            if not isinstance(inner, dict):
                continue  # the matrix of differences of shares, the values of a list
            for key in list(inner):
                rest = dict(inner)
                value = inner.pop(key)
                with pytest.raises(ValidationError):
                    typed(report)
                inner.clear()
                inner.update({k: value if k == key else rest[k] for k in rest})
                tried += 1
        typed(report)
    assert tried > 50


def test_another_key_fails_validation(reports: dict[str, Json]) -> None:
    seen: set[type[Part]] = set()
    for kind, raw in objects(typed(reports["more"]), reports["more"]):
        if kind not in seen:
            seen.add(kind)
            with pytest.raises(ValidationError, match="surplus"):
                kind.model_validate(traced({**raw, "surplus": 1}))
    assert len(seen) > 60


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("search.arms.0", 1),
        ("arms.0.trials.total", -1),
        ("arms.0.trials.total", 1.5),
        ("arms.0.trials.total", True),
        ("arms.0.trials.total", "1"),
        ("arms.0.test_macro_f1.value", float("nan")),
        ("arms.0.test_macro_f1.high", float("inf")),
        ("arms.0.test_macro_f1.value", None),
        ("arms.0.test_macro_f1.level", 95),
        ("validity.0.status", "unknown"),
        ("search.choice_frozen", 1),
        ("settings", None),
        ("arms", {}),
    ],
)
def test_a_value_of_another_type_fails_validation(path: str, value: Any) -> None:
    report = copy.deepcopy(report_of("whole"))
    *steps, last = path.split(".")
    inner = at(report, ".".join(steps)) if steps else report
    inner[int(last) if isinstance(inner, list) else last] = value
    with pytest.raises(ValidationError):
        typed(report)


def test_a_report_without_clean_pictures_is_valid() -> None:
    search = planned("whole")
    spoilt = replace(
        search,
        predictions=search.predictions.assign(leaked=True),
        floors=search.floors.assign(leaked=True),
        confirmations=search.confirmations.assign(
            test_clean_macro_f1=np.nan, test_clean_accuracy=np.nan
        ),
    )
    report = typed(build(spoilt))
    assert report.floors[0].test_clean_macro_f1.value is None
    assert report.arms[0].test_clean_macro_f1 is None and report.data.scores == ()


def test_a_section_with_another_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.report.method.section._threats", lambda search: [1])
    with pytest.raises(ResultsError, match=r"the report would not be valid: method\.threats"):
        build(planned("whole"))


# -- numbers --------------------------------------------------------------------------------------


def numbers(value: Any) -> Iterator[Int | Float]:
    if isinstance(value, Part):
        for name in type(value).model_fields:
            yield from numbers(getattr(value, name))
    elif isinstance(value, tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)
    elif isinstance(value, Int | Float):
        yield value


def test_every_number_knows_its_place(reports: dict[str, Json]) -> None:
    for report in reports.values():
        found = list(numbers(typed(report)))
        assert len({number.path for number in found}) == len(found)
        for number in found:
            value = at(report, number.path)
            assert value == number and isinstance(value, int) == isinstance(number, Int)
    assert len(found) > 1000


def test_a_computed_number_has_no_place() -> None:
    report = typed(report_of("whole"))
    total = report.arms[0].trials.total
    assert total.path == "arms.0.trials.total"
    assert not isinstance(total + 1, Int)


# -- types ----------------------------------------------------------------------------------------


def kinds(base: type[Part] = Part) -> list[type[Part]]:
    return [base, *(kind for one in base.__subclasses__() for kind in kinds(one))]


def leaves(annotation: Any) -> Iterator[Any]:
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal or not inner:
        yield annotation
        return
    for one in inner:
        yield from leaves(one)


def test_types_say_what_they_hold() -> None:
    for kind in kinds()[1:]:
        assert kind.__doc__, kind
        assert kind.model_config["extra"] == "forbid" and kind.model_config["frozen"], kind
        for name, field in kind.model_fields.items():
            assert field.is_required(), (kind, name)
            assert field.description, (kind, name)
            for leaf in leaves(field.annotation):
                assert leaf not in (typing.Any, object, dict, list), (kind, name)


def test_types_follow_the_records() -> None:
    assert tuple(Config.model_fields) == tuple(field.name for field in CONFIG_COLUMNS)
    assert tuple(STATES) == TRIAL_STATES


def test_a_report_cannot_be_changed() -> None:
    report = typed(report_of("whole"))
    with pytest.raises(ValidationError, match="frozen"):
        report.verdict.kind = "better"  # type: ignore[misc]


# -- for others -----------------------------------------------------------------------------------


def test_the_schema_and_the_reference_are_current() -> None:
    again = "write it again with `python -m analysis.report.published`"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), again
    assert REFERENCE_FILE.read_text(encoding="utf-8") == reference(), again


def test_the_schema_is_shipped() -> None:
    project = tomllib.loads((REFERENCE_FILE.parents[1] / "pyproject.toml").read_text("utf-8"))
    assert SCHEMA_FILE.name in project["tool"]["setuptools"]["package-data"]["analysis"]


def test_the_reference_has_every_key() -> None:
    text = reference()
    for kind in kinds()[1:]:
        assert f"### {kind.__name__}\n" in text or kind is Report or kind.__subclasses__(), kind
        for name, field in kind.model_fields.items():
            assert f"| `{field.alias or name}` |" in text


def test_the_json_schema_holds_of_every_report(reports: dict[str, Json]) -> None:
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    for report in reports.values():
        assert list(check.iter_errors(report)) == []
    broken = copy.deepcopy(reports["whole"])
    del broken["arms"][0]["trials"]["total"]
    broken["cost"]["surplus"] = 1
    assert len(list(check.iter_errors(broken))) == 2
    assert json_schema()["additionalProperties"] is False
