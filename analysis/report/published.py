"""The format of report.json for others: its JSON Schema, and its reference in Markdown.

``python -m analysis.report.published`` writes both anew; a test holds that they are current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.report.quantities import Json
from analysis.report.schema import SCHEMA_MINOR, SCHEMA_VERSION, Report

_PACKAGE = Path(__file__).parents[1]
#: Shipped with the package.
SCHEMA_FILE = _PACKAGE / "report.schema.json"
REFERENCE_FILE = _PACKAGE.parent / "docs" / "report-json.md"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
#: Types that many parts use, described first.
_COMMON = ("Quantity", "Known", "NameValue", "StateCounts")

_INTRODUCTION = f"""\
# report.json

<!-- Written by `python -m analysis.report.published`; do not edit. -->

`fer-tune report` writes `report.json` beside the page and the Markdown, which are rendered from it
alone. This is its format, version {SCHEMA_VERSION}.{SCHEMA_MINOR}. The same is shipped as a JSON
Schema, `analysis/report.schema.json`. In Python:

```python
import analysis

report = analysis.read_report("results/quickstart/report/report.json")
for arm in report.arms:
    print(arm.arm, arm.test_macro_f1.value if arm.test_macro_f1 else "not confirmed")
```

## Rules

- Every key is always there; what is unknown is null. There are no other keys.
- Numbers are finite. Shares and scores are from 0 to 1; differences of scores are not in points.
- Objects by arm have a key for every arm, as `search.arms` lists them.
- A [Quantity](#quantity) has its unit, its estimator and what was counted; plain numbers stand
  beside a `unit`, or their unit is below.

## Versions

- `schema_version` is increased when a key is removed, renamed, or changes its meaning or its type.
- `schema_minor` is increased when keys are added, and restarts at 0 with each version. Readers must
  ignore keys that they do not know.
- `analysis.read_report` reads version {SCHEMA_VERSION} from {SCHEMA_VERSION}.{SCHEMA_MINOR} on; of
  later minor versions it leaves out the keys that it does not know. Any other version is an error
  that names the remedy: an earlier report is written again from its results folder with
  `fer-tune report RESULTS`. The JSON Schema is exact, and allows no keys of later minor versions.
- Version {SCHEMA_VERSION}.1 added `schema_minor`, `data.dropped.copy_of_validation` and `.other`,
  null where not recorded; `fairness.arms` and `.studies` always have `micro_batches`, and
  `parameters.sampled` always has `low`, `high`, `whole` and `values`.
- Version {SCHEMA_VERSION}.2 added the cohorts `qmc`, `gp`, `cmaes` and `cqr` to
  `fairness.arms.cohorts` and `.studies.cohorts`, and `tuning.arms.tpe.samplers`: `tpe` there stands
  for the search's sampler. It added `stopping.without_gain`, `stopping.by_budget` and the topics
  `probe` and `prediction`.
"""


def json_schema() -> Json:
    """The JSON Schema of a whole report."""
    found = _untitled(Report.model_json_schema())
    return {"$schema": _DIALECT, "title": "report.json of fer-tune", **found}


def reference() -> str:
    """The reference of every key as Markdown."""
    schema = json_schema()
    types = schema["$defs"]
    described = set(_COMMON)
    sections = [_INTRODUCTION, "## Report\n", _table(schema), "## Common types\n"]
    sections += [_type(name, types[name]) for name in _COMMON]
    for key, inner in schema["properties"].items():
        names = [name for name in _reached(inner, types) if name not in described]
        described.update(names)
        if names:
            sections += [f"## {key}\n", *(_type(name, types[name]) for name in names)]
    return "\n".join(sections)


def main() -> None:
    """Writes both files."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    REFERENCE_FILE.write_text(reference(), encoding="utf-8")


def schema_text() -> str:
    """The content of :data:`SCHEMA_FILE`: a line per type, readable in a diff."""
    schema = json_schema()
    types = ",\n".join(f" {_line(name)}: {_line(one)}" for name, one in schema.pop("$defs").items())
    keys = ",\n".join(f"{_line(key)}: {_line(value)}" for key, value in schema.items())
    return f'{{\n{keys},\n"$defs": {{\n{types}\n}}\n}}\n'


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _untitled(schema: Any) -> Any:
    """Without pydantic's titles, which repeat the keys."""
    if isinstance(schema, Mapping):
        kept = {k: v for k, v in schema.items() if k != "title" or not isinstance(v, str)}
        return {key: _untitled(value) for key, value in kept.items()}
    return [_untitled(item) for item in schema] if isinstance(schema, list) else schema


def _reached(schema: Any, types: Mapping[str, Json]) -> Iterator[str]:
    """Names of the types that a part of the schema needs, each before those that it needs."""
    waiting, seen = [schema], set()
    while waiting:
        here = waiting.pop(0)
        if isinstance(here, Mapping):
            name = str(here.get("$ref", "")).removeprefix(_REF)
            if name and name not in seen:
                seen.add(name)
                yield name
                waiting.append(types[name])
            waiting += here.values()
        elif isinstance(here, list):
            waiting += here


def _type(name: str, schema: Json) -> str:
    return f"### {name}\n\n{schema['description']}\n\n{_table(schema)}"


def _table(schema: Json) -> str:
    rows = [
        f"| `{key}` | {_words(inner)} | {inner.get('description', '')} |"
        for key, inner in schema["properties"].items()
    ]
    return "\n".join(["| key | type | meaning |", "|---|---|---|", *rows, ""])


def _words(schema: Json) -> str:
    """A type in words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema["type"] == "array":
        return f"list of {_words(schema['items'])}"
    if schema["type"] == "object":
        return f"object of {_words(schema['additionalProperties'])}"
    low, high = schema.get("minimum"), schema.get("maximum")
    limits = f", {low} to {high}" if high is not None else f", {low} or more" if low == 0 else ""
    names = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    return f"{names.get(schema['type'], schema['type'])}{limits}"


if __name__ == "__main__":
    main()
