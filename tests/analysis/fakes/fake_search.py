"""A plausible results folder without any training: seeded, written through fer_tune.records.

``python tests/analysis/fakes/fake_search.py FOLDER --scenario NAME`` writes one to look at.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fake_answers
import numpy as np
from fake_confirmation import Confirmation
from fake_cost import Machine
from fake_manifest import TRAIN, manifest_of
from fake_pictures import thumbnails
from fake_plan import CLASSES, EPOCHS, Plan
from fake_probe import write_probe
from fake_scenarios import SCENARIOS
from fake_space import space_of
from fake_trials import FakeSearch, choose

from fer_tune.records import Results

__all__ = ["CLASSES", "EPOCHS", "SCENARIOS", "Plan", "make", "write"]


#: The files of a folder by path, by plan.
_written: dict[str, dict[Path, bytes]] = {}


def write(folder: Path, plan: Plan | None = None, **manifest: Any) -> Path:
    """Writes the folder; keyword arguments replace top-level keys of the manifest.

    Many tests use the same plans, so a plan's files are made once per process and then copied.
    """
    key = repr(plan or Plan())
    if key not in _written:
        with TemporaryDirectory() as made:
            root = make(Path(made), plan)
            files = (path for path in root.rglob("*") if path.is_file())
            _written[key] = {path.relative_to(root): path.read_bytes() for path in files}
    for name, content in _written[key].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if manifest:
        Results(folder).update_manifest(**manifest)
    return folder


def make(folder: Path, plan: Plan | None = None) -> Path:
    """The same with the manifest of the plan, made anew."""
    plan = plan or Plan()
    results, space = Results(folder), space_of(plan)
    # Apart, so that trials are the same whatever the confirmation is like.
    trained, pictured, confirmed, drawn = (np.random.default_rng([plan.seed, k]) for k in range(4))
    machine = Machine(plan, trained)
    tables = FakeSearch(plan, space, machine, trained).run()
    choices, frozen_at = choose(plan, tables.trials), machine.idle_at
    split = fake_answers.split_of(plan, pictured)
    confirmation = Confirmation(plan, split, machine, tables, confirmed)
    if plan.floors:
        confirmation.floors(TRAIN)
    if plan.confirmed:
        machine.wait(frozen_at + 10.0)
        first = 1 + max((row["trial"] for row in [*tables.trials, *tables.epochs]), default=-1)
        confirmation.confirm(choices, first)
        confirmation.write_latency(folder)
        faces = thumbnails(split.pictures, split.truth, split.blank, drawn)
        results.append("thumbnails", faces, part="test")
    results.append("trials", tables.trials, part="all")
    results.append("epochs", tables.epochs, part="all")
    results.append("confusion", tables.confusion, part="all")
    results.append("predictions", confirmation.predictions, part="all")
    written = manifest_of(plan, space, split, choices, machine, frozen_at)
    results.write_manifest(written)
    if plan.probe:
        write_probe(folder, plan, written["dataset"]["fingerprint"], written["space"]["weights"])
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="difference")
    arguments = parser.parse_args()
    print(write(arguments.folder, SCENARIOS[arguments.scenario]))


if __name__ == "__main__":
    main()
