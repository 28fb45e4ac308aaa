"""What `import fer_tune` and `import analysis` offer, and that it costs nothing to import."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import analysis
import fer_tune
import fer_tune.api
from fer_tune.tuning.options import SearchOptions


def test_the_names_are_these() -> None:
    assert sorted(fer_tune.__all__) == [
        "PackedDataset",
        "confirm",
        "load_model",
        "load_space",
        "resume",
        "search",
    ]
    assert sorted(analysis.__all__) == ["load", "read_report", "write_report"]
    assert set(fer_tune.__all__) <= set(dir(fer_tune))
    for name in fer_tune.__all__:
        assert getattr(fer_tune, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = fer_tune.serach


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("load_space", ["name_or_path", "overrides"]),
        ("search", ["space", "data", "results", "warm_start", "options"]),
        ("resume", ["results", "data", "extend", "options"]),
        ("confirm", ["results", "seeds", "data", "keep_models", "options"]),
        ("load_model", ["where", "device", "batch_size"]),
    ],
)
def test_their_arguments_are_these(name: str, arguments: list[str]) -> None:
    assert list(inspect.signature(getattr(fer_tune, name)).parameters) == arguments


def test_every_option_of_a_search_can_be_given() -> None:
    named = {f.name for f in fields(SearchOptions)} - {"prediction"}  # read from a file of `plan`
    assert set(fer_tune.api.Options.__annotations__) == named


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, analysis, fer_tune\n"
        "fer_tune.search, fer_tune.load_model, analysis.load\n"
        "heavy = {'torch', 'ray', 'pandas', 'numpy', 'rich', 'optuna', 'pyarrow'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_their_examples_are_true() -> None:
    tried = doctest.testmod(fer_tune.api)
    assert tried.attempted >= 3
    assert tried.failed == 0


def test_type_checkers_see_the_types() -> None:
    from importlib.resources import files

    for package in ("fer_tune", "analysis"):
        assert files(package).joinpath("py.typed").is_file()


def test_the_version_is_one() -> None:
    pyproject = Path(__file__).resolve().parents[1] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    assert project["version"] == fer_tune.__version__
