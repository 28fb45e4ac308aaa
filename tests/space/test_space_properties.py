"""Whatever the input, the loader gives a search space or a SpaceError, never anything else."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_tune.errors import SpaceError
from fer_tune.space import SearchSpace, load, plan, shipped
from fer_tune.space.overrides import settable
from fer_tune.space.parameters import PARAMETERS
from fer_tune.wording import Broken
from fer_tune.yaml_reader.core_schema import parse

WORDS = ["per_arm", "type", "low", "high", "log", "values", "arm", "resnet18", "none", "", "1/4"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([*WORDS, *PARAMETERS])
)
KEYS = st.sampled_from(
    [*WORDS, *PARAMETERS, *(key.rpartition(".")[2] for key in settable())]
) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(list(SearchSpace.model_fields))
PATHS = st.sampled_from(settable())
SOURCE = {name: parse(path.read_text(encoding="utf-8")).value for name, path in shipped().items()}

relaxed = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def accept(build) -> SearchSpace | None:
    """The space if there is one; a SpaceError must print, name a rule and hold no surprise."""
    try:
        space = build()
    except SpaceError as error:
        assert str(error) and all(fault.rule and fault.key for fault in error.faults)
        str(error).encode()
        return None
    assert isinstance(space, SearchSpace)
    assert SearchSpace.from_dict(json.loads(json.dumps(space.as_dict()))) == space
    assert plan(space).trials == space.budget.trials and plan(space).rows()
    for arm in space.compare.arms:
        space.config(arm, {})
    return space


@relaxed
@given(text=st.text(max_size=200) | st.text(alphabet="abc:[]{}&*!?-'\"|>#%@ \n1.e", max_size=80))
def test_any_text(tmp_path, text):
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    accept(lambda: load(str(path)))


@relaxed
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path, content):
    path = tmp_path / "any.yaml"
    path.write_bytes(content)
    accept(lambda: load(str(path)))


@relaxed
@given(values=st.dictionaries(FIELDS, VALUES, max_size=4))
def test_any_mapping(values):
    accept(lambda: SearchSpace.from_dict(values))


@relaxed
@given(
    name=st.sampled_from(sorted(SOURCE)),
    changes=st.lists(st.tuples(PATHS, VALUES), min_size=1, max_size=3),
)
def test_any_change_of_a_shipped_file(name, changes):
    values: dict[str, Any] = copy.deepcopy(SOURCE[name])
    for key, value in changes:
        section, _, field = key.partition(".")
        if field and isinstance(values.get(section, {}), dict):
            values.setdefault(section, {})[field] = value
        else:
            values[section] = value
    accept(lambda: SearchSpace.from_dict(values))


@relaxed
@given(
    override=st.text(max_size=30)
    | st.tuples(PATHS, SCALARS | st.text(max_size=20)).map(lambda pair: f"{pair[0]}={pair[1]}")
)
def test_any_override(override):
    accept(lambda: load("quickstart", [override]))


@relaxed
@given(
    trials=st.integers(1, 60),
    replicates=st.integers(1, 6),
    share=st.floats(0, 1),
    baselines=st.integers(0, 4),
)
def test_every_dealing_adds_up(trials, replicates, share, baselines):
    values = copy.deepcopy(SOURCE["head_only"])
    values["budget"]["trials"] = trials
    values["compare"]["replicates"] = replicates
    values["cohorts"] = {"random": share, "baseline": [{"batch_size": 8}] * baselines}
    space = accept(lambda: SearchSpace.from_dict(values))
    assert (space is not None) == (
        trials % (2 * replicates) == 0 and baselines <= trials // (2 * replicates)
    )
    if space is not None:
        assert len({study.trials for study in plan(space).studies}) == 1
        assert all(min(s.baseline, s.random, s.proposed) >= 0 for s in plan(space).studies)


def as_read(value: Any) -> Any:
    """Whole numbers of more than 18 digits are read as floats; everything else as it is."""
    if isinstance(value, dict):
        return {key: as_read(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_read(inner) for inner in value]
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and abs(value) >= 10**18 else value


@relaxed
@given(value=VALUES)
def test_json_reads_as_it_was_meant(value):
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        return
    try:
        document = parse(text)
    except Broken as broken:
        assert not text.isprintable(), broken.rule
        return
    # YAML folds the line breaks of Unicode, such as U+0085, inside quoted text.
    if text.isprintable():
        assert document.repeated == () and document.value == as_read(value)
